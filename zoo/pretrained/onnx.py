"""Story networks as ONNX: a story of word ids and a question go in, scores and attention come out."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.batch import NONE, PAD, Questions
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import kernels
from zoo.pretrained.network import Network

OPSET = 18
NAMES = ("story", "told", "question"), ("scores", "attention")


class Asking(nn.Module):
    """A network as a function of one story.

    It takes `story` (T, J), word ids with PAD behind each sentence and rows of PAD behind the last; `told` (1,), the
    number of sentences; and `question` (J,). It returns scores (V,) and attention (K, T).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.unseen, self.candidates = network.model, network.unseen, network.candidates

    def forward(self, story: Tensor, told: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        nothing = torch.zeros_like(question)
        place = torch.arange(1, story.shape[0] + 1, device=story.device)
        zero = torch.zeros_like(told)
        batch = Questions(
            torch.cat([nothing[None], story, question[None]]), torch.where(place <= told, place, PAD)[None], zero, told,
            zero + story.shape[0] + 1, zero + 1, torch.full((1, 1), NONE),
            candidates=self.candidates, unseen=self.unseen,
        )  # fmt: skip
        answer = self.network(batch)
        return answer.scores[0], answer.trace.attention[0]


def longest(network: Network) -> int:
    """The number of sentences that the graph takes: the window, or the longest story of training."""
    return network.model.window


def check_installed() -> None:
    """Refuse to write ONNX where torch lacks the library that writes it."""
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError("ONNX needs onnx and onnxscript: pip install -e '.[onnx]'") from None


def export_onnx(network: Network, file: Path) -> Path:
    """Write a network as ONNX."""
    check_installed()
    length = network.sizes.sentence_length
    story = torch.zeros(longest(network), length, dtype=torch.long)
    story[0, 0] = 1
    example = (story, torch.tensor([1]), story[0].clone())
    with kernels.switched(False), torch.no_grad():
        graph = torch.export.export(Asking(network).eval(), example, strict=False)
        graph = graph.run_decompositions({torch.ops.aten.linalg_solve_triangular.default: solved})
        program = torch.onnx.export(
            graph, dynamo=True, opset_version=OPSET, verbose=False, input_names=list(NAMES[0]),
            output_names=list(NAMES[1]), optimize=True, custom_translation_table={torch.ops.aten.sort.stable: ordered},
        )  # fmt: skip
    assert program is not None
    data = program.model_proto.SerializeToString()
    write_atomically(file, lambda stream: stream.write(data))
    return file


def solved(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """Solve A X = B by products, where A is lower triangular with ones on its diagonal; ONNX has no operator for it.

    With A = I - N, the inverse is (I + N) (I + N^2) (I + N^4) …, and N^T is zero.
    """
    if upper or not left or not unitriangular:
        raise UserError("ONNX: only systems that are lower triangular, with ones on the diagonal, are solved")
    power = -A.tril(-1)
    found = B + power @ B
    for _ in range(max(0, (A.shape[-1] - 1).bit_length() - 1)):
        power = power @ power
        found = found + power @ found
    return found


def ordered(self, stable=None, dim: int = -1, descending: bool = False):  # type: ignore[no-untyped-def]
    """Sort as ONNX can: of equal values its TopK has the earlier one first."""
    from onnxscript import opset18

    op: Any = opset18  # whose types do not know a value from its kind
    size = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
    return op.TopK(self, size, axis=dim, largest=int(descending), sorted=1)
