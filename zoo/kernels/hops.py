"""A whole step of networks that hop over a story, as one kernel: MemN2N, GatedMemN2N and KVMemNN.

The plain form is the model itself, whose loss and gradient the kernel computes at once.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tasks.batch import Questions
from zoo import kernels
from zoo.interface import MemoryNetwork
from zoo.models.gated_memn2n import GatedMemN2N
from zoo.models.kv_memnn import KVMemNN
from zoo.models.memn2n import MemN2N
from zoo.parts.encoders import position_encoding, position_weights

ADD, MAP, GATE, RESIDUAL = range(4)  # how u is updated, as in hops.cpp

_hops = kernels.Operator(
    "hops",
    inputs={
        "weights": 1, "layout": 1, "sentences": 2, "stories": 2, "noise": 2, "told": 1, "question": 1, "answer": 1,
        "linear": 0, "constant": 2,
    },
    outputs=("loss", "gradient"),
    shapes=lambda weights, *_: [(), weights],
    gradients=("weights",),
)  # fmt: skip


class HopStep:
    """The loss of restarts and its gradient.

    Args:
        network: of the family.
        offsets: where each parameter begins in the weights.
    """

    def __init__(self, network: MemoryNetwork, offsets: dict[str, int]) -> None:
        self.position = network.encode_sentences is position_encoding
        self.layout = torch.tensor(FAMILY[type(network)](network, offsets))
        self.dim = int(self.layout[0])

    @staticmethod
    def of(network: MemoryNetwork, offsets: dict[str, int]) -> "HopStep | None":
        """The step of a network, if it has one; one that looks at parts of a sentence or hashes has none."""
        if type(network) not in FAMILY:
            return None
        if isinstance(network, KVMemNN) and (network.centre is not None or network.triples or network.hashing):
            return None
        return HopStep(network, offsets)

    def serves(self, weights: Tensor, batch: Questions) -> bool:
        """Tell whether there is one right answer, a word, and the kernel can run."""
        return kernels.usable(weights) and batch.candidates is None and batch.golds is None

    def __call__(self, weights: Tensor, linear: Tensor | None, batch: Questions) -> tuple[Tensor, Tensor]:
        """(R,) losses and (R, P) gradients."""
        constant = position_weights(batch.sentences.shape[-1], self.dim) if self.position else None
        return _hops.forward(
            weights, self.layout, batch.sentences, batch.stories, batch.noise, batch.told, batch.question, batch.answer,
            linear, constant, True,
        )  # fmt: skip


def _layout(
    network: MemoryNetwork, words: tuple[int, int], update: int, tables: list[int], times: list[int],
    hops: list[tuple[int, ...]], question: int, answer: int, encoded: int, relu: bool,
) -> list[int]:  # fmt: skip
    """The numbers that hops.cpp reads.

    Args:
        network: whose slots and hops these are.
        words: V and d.
        update: of u.
        tables: where each table of words begins, with its empty word.
        times: where each table of times begins.
        hops: of each the numbers of its input and output table of words and of times, and where the weight and the bias
            of its update begin.
        question: number of the table.
        answer: number of the table.
        encoded: how many tables embed sentences, the first ones.
        relu: whether u passes through a ReLU.
    """
    vocabulary, dim = words
    head = [dim, vocabulary, network.window, network.counts_empty, relu, update, question, answer, encoded]
    return [*map(int, head), len(tables), len(times), len(hops), *tables, *times, *(n for hop in hops for n in hop)]


def _memn2n(network: MemN2N, offsets: dict[str, int]) -> list[int]:
    tables, vocabulary, dim = network.words.shape
    starts = [offsets["words"] + k * vocabulary * dim for k in range(tables)]
    timed = 0 if network.times is None else len(network.times)
    times = [offsets["times"] + k * network.window * dim for k in range(timed)]
    gated = isinstance(network, GatedMemN2N)
    hops: list[tuple[int, ...]] = []
    for k, (i, o) in enumerate(zip(network.input_of, network.output_of, strict=True)):
        weight = bias = 0
        if isinstance(network, GatedMemN2N):
            gate = network.gate_of[k]
            weight, bias = offsets["W_T"] + gate * dim * dim, offsets["b_T"] + gate * dim
        elif network.H is not None:
            weight = offsets["H"]
        hops.append((i, o, i, o, weight, bias))
    update = GATE if gated else ADD if network.H is None else MAP
    words, answer = (vocabulary, dim), tables - 1
    return _layout(
        network, words, update, starts, times, hops, network.question_of, answer, network.embeds, network.relu
    )


def _kv_memnn(network: KVMemNN, offsets: dict[str, int]) -> list[int]:
    vocabulary, dim = network.A.shape
    tables = [offsets["A"]]
    if network.A_V is not None:
        tables.append(offsets["A_V"])
    value = len(tables) - 1
    if network.B is not None:
        tables.append(offsets["B"] - dim)  # which has no empty word
    times = [] if network.key_times is None else [offsets["key_times"], offsets["value_times"]]
    count = len(network.R)
    hops: list[tuple[int, ...]] = [
        (0, value, 0, 1, offsets["R"] + k * dim * dim, offsets["R_bias"] + k * dim) for k in range(count)
    ]
    return _layout(network, (vocabulary, dim), RESIDUAL, tables, times, hops, 0, len(tables) - 1, value + 1, False)


FAMILY: dict[type, Callable] = {MemN2N: _memn2n, GatedMemN2N: _memn2n, KVMemNN: _kv_memnn}
