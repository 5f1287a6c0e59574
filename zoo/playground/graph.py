"""A trained network → graphs of PyTorch's core operators, as JSON, and their constants, as bytes.

A graph answers one question about a story of a fixed number of slots. Its nodes are in the order in which they are
computed; `template/graph.js` runs them. A node is a list:

    [operator, kind of the result, argument, …]

Arguments stand in the order of the operator's schema, defaults filled in. Those that a page has no use for are left
out: dtype, layout, device, memory format. An argument is a number, a truth value, a word, null, a list of arguments,
or an object with one key:

    {"r": n}      result of the node n places before this one; so the steps of an unrolled loop look alike
    {"c": n}      constant n of the network
    {"i": n}      input n of the graph
    {"f": "nan"}  a number that JSON does not have: nan, inf, -inf
"""

import gzip
import json
import math
import re
from base64 import b85encode
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.fx
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.func import functional_call, functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from tasks.batch import NONE, Candidates, Questions
from tasks.errors import UserError
from zoo import kernels
from zoo.interface import MemoryNetwork

LEFT_OUT = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")
CHECKS = ("_assert_async.msg", "_assert_tensor_metadata", "_assert_scalar")  # compute nothing


class Graphs(NamedTuple):
    """A network for the page."""

    constants: list[dict]  # shape, kind, and place in `weights`, in bytes; of floats the `bytes` that each number takes
    weights: bytes
    of_slots: dict[int, dict]  # graphs, by their number of slots


class _Asked(nn.Module):
    """A network that is asked one question: the last sentence of the table."""

    unseen: Tensor

    def __init__(self, network: MemoryNetwork, unseen: Tensor, candidates: Candidates | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("unseen", unseen)
        self.names = () if candidates is None else candidates._fields
        for name, table in zip(self.names, candidates or (), strict=True):
            self.register_buffer(name, table)

    def forward(self, sentences: Tensor, stories: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the probability of each word or reply, (1, V) or (1, C), and the attention, (1, K, T)."""
        candidates = Candidates(*(getattr(self, name) for name in self.names)) if self.names else None
        question, nothing = torch.full_like(told, len(sentences) - 1), torch.full_like(told, NONE)
        batch = Questions(
            sentences, stories, torch.zeros_like(told), told, question, torch.ones_like(told), nothing[:, None],
            candidates=candidates, unseen=self.unseen,
        )  # fmt: skip
        answer = self.network(batch)
        return answer.scores.softmax(-1), answer.trace.attention


def inputs_of(story: Sequence[Sequence[int]], question: Sequence[int], slots: int, length: int) -> tuple[Tensor, ...]:
    """Arrange a story for a graph, as `template/graph.js` does.

    Args:
        story: word ids of every sentence, at most `slots` of them.
        question: its word ids.
        slots: of the graph.
        length: words of a sentence.

    Returns:
        The sentence table, (slots + 2, length): the empty sentence, the story, the question. The story as rows of it,
        (1, slots). The number of sentences, (1,).
    """
    sentences = torch.zeros(slots + 2, length, dtype=torch.long)
    for row, said in [*enumerate(story, 1), (slots + 1, question)]:
        sentences[row, : len(said)] = torch.tensor(said)
    told = torch.tensor([len(story)])
    rows = torch.arange(1, slots + 1)
    return sentences, torch.where(rows <= told, rows, 0)[None], told


def ask(
    network: MemoryNetwork, unseen: Tensor, inputs: tuple[Tensor, ...], candidates: Candidates | None = None
) -> tuple[Tensor, Tensor]:
    """Answer in PyTorch the question that the page answers: the probability of each answer, and the attention."""
    with torch.inference_mode():
        probabilities, attention = _Asked(network, unseen, candidates)(*inputs)
    return probabilities[0], attention[0]


def slots_of(network: MemoryNetwork, lengths: Sequence[int]) -> list[int]:
    """Choose the numbers of slots for which a network gets graphs: one alone if empty slots affect its answer."""
    return [network.window] if network.counts_empty else sorted({min(length, network.window) for length in lengths})


def graphs_of(
    network: MemoryNetwork,
    unseen: Tensor,
    sentence_length: int,
    lengths: Sequence[int],
    candidates: Candidates | None = None,
) -> Graphs:
    """Export the plain form of a network, without kernels.

    Args:
        network: with its weights.
        unseen: (V,) words that never occur in training.
        sentence_length: words of a sentence at most.
        lengths: of stories, each of which gets a graph.
        candidates: the replies, if the network chooses among replies.
    """
    store = Store()
    graphs = {}
    for slots in slots_of(network, lengths):
        inputs = inputs_of([[1]], [1], slots, sentence_length)
        graphs[slots] = written(_Asked(network.eval(), unseen, candidates), inputs, store)
    return Graphs(store.constants, bytes(store.weights), graphs)


class Store:
    """Constants of all graphs of a network, each once."""

    def __init__(self) -> None:
        self.constants: list[dict] = []
        self.weights = bytearray()
        self._known: dict[tuple, int] = {}

    def add(self, tensor: Tensor) -> int:
        """Number a constant.

        Of floats first all last bytes are stored, then all last but one, …: so they compress better. Last bytes that
        are all zero, as those of `shortened` weights, are left out.
        """
        tensor = tensor.detach().cpu().contiguous()
        kind = kind_of(tensor.dtype)
        stored = tensor.to({"f": torch.float32, "i": torch.float64, "b": torch.uint8}[kind]).numpy()
        constant: dict[str, Any] = {"s": list(tensor.shape), "k": kind}
        raw = stored.tobytes()
        if kind == "f":
            planes = stored.astype("<f4").reshape(-1, 1).view(np.uint8).T
            kept = planes if planes[0].any() else planes[1:]
            constant["bytes"], raw = len(kept), kept.tobytes()
        key = (kind, tuple(tensor.shape), raw)
        if key not in self._known:
            self._known[key] = len(self.constants)
            self.weights += bytes(-len(self.weights) % 8)  # an array of numbers begins at a multiple of their size
            self.constants.append(constant | {"at": len(self.weights)})
            self.weights += raw
        return self._known[key]


def shortened(numbers: Tensor, bits: int) -> Tensor:
    """Round floats to so many of their 24 significant bits."""
    last = 1 << (24 - bits)
    return ((numbers.view(torch.int32) + last // 2) & -last).view(torch.float32)


def written(module: nn.Module, inputs: tuple[Tensor, ...], store: Store) -> dict:
    """Write what a module computes as a graph, and its weights to a store.

    `torch.export` comes to the same graph of core operators in four passes, each as long as this one.
    """
    state = dict(module.named_parameters()) | dict(module.named_buffers())

    def program(state: dict[str, Tensor], *inputs: Tensor) -> Any:
        return functional_call(module, state, inputs)

    with kernels.switched(False), torch.no_grad():
        table: Any = core_aten_decompositions()
        trace = make_fx(functionalize(program), decomposition_table=table, tracing_mode="fake")
        return _Writer(trace(state, *inputs), list(state.values()), store).graph()


def kind_of(dtype: torch.dtype) -> str:
    """Name the kind of numbers that the page tells apart: floats, integers, truth values."""
    return "f" if dtype.is_floating_point else "b" if dtype is torch.bool else "i"


class _Writer:
    """Writes the nodes of a traced program, whose first arguments are the state of a module."""

    def __init__(self, program: torch.fx.GraphModule, state: list[Tensor], store: Store) -> None:
        self.program, self.state, self.store = program, state, store
        self.places: dict[torch.fx.Node, dict] = {}  # constants and inputs
        self.numbers: dict[torch.fx.Node, int] = {}  # of the nodes that compute something
        self.operators: dict[str, int] = {}
        self.nodes: list[list] = []

    def graph(self) -> dict:
        given = 0
        self.program.graph.eliminate_dead_code()
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if given >= len(self.state):
                    self.places[node] = {"i": given - len(self.state)}
                elif node.users:
                    self.places[node] = {"c": self.store.add(self.state[given])}
                given += 1
            elif node.op == "get_attr":
                self.places[node] = {"c": self.store.add(getattr(self.program, str(node.target)))}
            elif node.op == "call_function":
                self._compute(node)
            elif node.op == "output":
                here = len(self.nodes)
                outputs = [self._argument(of, here) for of in node.args[0]]
        return {"operators": list(self.operators), "nodes": self.nodes, "outputs": outputs}

    def _compute(self, node: torch.fx.Node) -> None:
        name = name_of(node.target)
        if name in CHECKS:
            return
        here = len(self.nodes)
        arguments = [self._argument(of, here) for of in _all_arguments(node)]
        result = node.meta["val"]
        first = result[0] if isinstance(result, (tuple, list)) else result
        operator = self.operators.setdefault(name, len(self.operators))
        self.nodes.append([operator, kind_of(first.dtype), *arguments])
        self.numbers[node] = here

    def _argument(self, of: Any, here: int) -> Any:
        if isinstance(of, torch.fx.Node):
            return self.places[of] if of in self.places else {"r": here - self.numbers[of]}
        if isinstance(of, (list, tuple)):
            return [self._argument(one, here) for one in of]
        if isinstance(of, float) and not math.isfinite(of):
            return {"f": str(of)}
        if of is None or isinstance(of, (bool, int, float, str)):
            return of
        raise UserError(f"{of!r}, a {type(of).__name__}, is no argument that the playground knows")


def name_of(target: Any) -> str:
    """Name an operator as the page does: aten.mm.default is mm, aten.add.Tensor is add.Tensor."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target).removeprefix("aten.").removesuffix(".default")
    return str(target.__name__)  # getitem


def _all_arguments(node: torch.fx.Node) -> list:
    """List the arguments of a node in the order of its schema, with those that it leaves to their defaults."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return list(node.args)
    found = []
    for place, argument in enumerate(node.target._schema.arguments):
        if argument.name in LEFT_OUT:
            continue
        given = node.args[place] if place < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
        found.append(given)
    return found


def known_operators() -> set[str]:
    """Read which operators the page's interpreter has: the keys of its table."""
    source = (files("zoo.playground") / "template" / "operators.js").read_text()
    return set(re.findall(r'^  "?([\w.]+)"?: ', source.partition("const operators = {")[2], re.MULTILINE))


def missing_operators(graphs: Graphs) -> list[str]:
    """Name the operators that a network needs and the interpreter lacks."""
    needed = {name for graph in graphs.of_slots.values() for name in graph["operators"]}
    return sorted(needed - known_operators())


def packed(data: bytes) -> str:
    """Compress bytes for a page, the same way every time; `<` is no digit there, since a page would escape it."""
    return b85encode(gzip.compress(data, mtime=0)).decode().replace("<", ",")


def as_page_data(graphs: Graphs) -> dict:
    """Arrange graphs as `template/graph.js` unpacks them."""

    def of(graph: dict) -> str:
        return packed(json.dumps(graph, separators=(",", ":"), allow_nan=False).encode())

    return {
        "constants": graphs.constants,
        "weights": packed(graphs.weights),
        "graphs": {str(slots): of(graph) for slots, graph in graphs.of_slots.items()},
    }
