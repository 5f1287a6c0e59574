"""A whole step of MemNN as one kernel: its margins, and their gradient. The plain form is the model itself."""

import torch
from torch import Tensor

from tasks.batch import Questions
from zoo import kernels
from zoo.interface import MemoryNetwork
from zoo.models.memnn import ROLES, MemNN

_margins = kernels.Operator(
    "margins",
    inputs={
        "weights": 1, "layout": 1, "sentences": 2, "stories": 2, "told": 1, "question": 1, "answer": 1, "support": 2,
        "margin": 0,
    },
    outputs=("loss", "gradient"),
    shapes=lambda weights, *_: [(), weights],
    gradients=("weights",),
)  # fmt: skip


class MarginStep:
    """The loss of restarts and its gradient.

    Args:
        network: a MemNN; the open one matches, hashes and embeds differently.
        offsets: where each parameter begins in the weights.
    """

    def __init__(self, network: MemNN, offsets: dict[str, int]) -> None:
        features, dim = network.U[0].shape
        head = [dim, network.vocabulary, features, network.reads, network.adaptive, network.ngrams, network.buckets]
        places = [offsets[f"U.{role}"] for role in range(ROLES)]
        places += [offsets.get(name, 0) for name in ("answers", "null", "times", "W")]
        self.layout = torch.tensor([*map(int, head), int(network.W is not None), *places])
        self.margin = torch.tensor(network.margin)

    @staticmethod
    def of(network: MemoryNetwork, offsets: dict[str, int]) -> "MarginStep | None":
        """The step of a network, if it has one."""
        return MarginStep(network, offsets) if type(network) is MemNN else None

    def serves(self, weights: Tensor, batch: Questions) -> bool:
        """Whether a word is the answer, and the kernel can run."""
        return kernels.usable(weights) and batch.candidates is None and batch.golds is None

    def __call__(self, weights: Tensor, linear: Tensor | None, batch: Questions) -> tuple[Tensor, Tensor]:
        """(R,) losses and (R, P) gradients."""
        return _margins.forward(
            weights, self.layout, batch.sentences, batch.stories, batch.told, batch.question, batch.answer,
            batch.support, self.margin, True,
        )  # fmt: skip
