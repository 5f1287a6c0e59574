"""Query-reduction network.

Paper: Seo, Min, Farhadi and Hajishirzi, 2017, "Query-Reduction Networks for Question Answering" (arXiv:1606.04582).
Numbers of equations are the paper's.
Symbols: x_t sentence, q_t the question as it stands at sentence t, z_t update gate, c_t candidate, r_t reset gate, h_t
reduced question, K layers.
Deviations:
- What the authors' code does and the equations do not say is done: layers and directions share their weights; a reset
  gate for each direction, and none in the last layer; a constant of -2.5 beside the bias of the update gate, so that
  gates begin nearly closed; L2 counts a matrix once for each layer that uses it.
- Weights begin as in the paper, from normal distributions. In the code those of words and gates are so much larger that
  most gates begin open or closed at random (init: code).
- AdaGrad begins with nothing accumulated; that of the code, TensorFlow's, with 0.1.
- Position encoding is half of that of MemN2N's authors' code, which is the formula of the paper but for terms of order
  1/d and 1/J.
- The answer is one word of the vocabulary; the empty word scores 0.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.encoders import position_encoding
from zoo.parts.queries import Reduction, reduce

CLOSED = -2.5  # added to the update gate


class QRN(MemoryNetwork):
    """Layers that read a story in both directions; each sentence may turn the question into an easier one.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: sentences at most; of longer stories the last are kept.
        dim: d.
        layers: K.
        gates: `scalar`, or `vector`: one for each dimension.
        init: `paper` or `code`, the distribution of the first weights.
        l2: twice the weight of the squared weights in the mean loss.
    """

    paper = Paper(
        "Seo, Min, Farhadi and Hajishirzi",
        2017,
        "Query-Reduction Networks for Question Answering",
        "https://arxiv.org/abs/1606.04582",
    )
    memory = "dynamic"
    traces = "gates"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 50,
        dim: int = 50,
        layers: int = 2,
        gates: str = "scalar",
        init: str = "paper",
        l2: float = 0.0005,
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, layers=layers)
        at_least(0, l2=l2)
        one_of(("scalar", "vector"), gates=gates)
        one_of(("paper", "code"), init=init)
        self.window = min(memory_size, story_length)
        self.layers, self.l2 = layers, l2
        width = 1 if gates == "scalar" else dim
        papers = init == "paper"

        def draw(*shape: int, std: float) -> nn.Parameter:
            drawn = torch.randn(*shape) if papers else (2 * torch.rand(*shape) - 1) * math.sqrt(3)
            return nn.Parameter(drawn * std)

        def glorot(*shape: int) -> float:
            return math.sqrt(2 / sum(shape))

        self.words = draw(vocabulary, dim, std=1 / math.sqrt(dim) if papers else 1.0)
        self.W_z = draw(width, dim, std=glorot(width, dim) if papers else 1.0)
        self.W_h = draw(dim, 2 * dim, std=glorot(dim, 2 * dim) if papers else 1 / math.sqrt(2 * dim))
        self.b_z, self.b_h = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(dim))
        # forwards, then backwards
        self.W_r = draw(2 * width, dim, std=glorot(width, dim) if papers else 1.0) if layers > 1 else None
        self.b_r = nn.Parameter(torch.zeros(2 * width)) if layers > 1 else None
        self.W_y = draw(vocabulary - 1, dim, std=1 / math.sqrt(dim))

    def encode(self, batch: Questions) -> Tensor:
        """I: every distinct sentence, (U, d)."""
        return position_encoding(batch.sentences, self.words) / 2

    def write(self, features: Tensor, batch: Questions) -> Tensor:
        """G: what every distinct sentence gives to the candidates of all layers, (U, d)."""
        return features @ self.W_h[:, : self.words.shape[1]].T + self.b_h

    def read(self, memory: Tensor, features: Tensor, batch: Questions) -> tuple[Tensor, Trace]:
        """O: the question reduced layer by layer, (B, d), and the update gates of each layer."""
        of_q = self.W_h[:, self.words.shape[1] :]
        weights = Reduction(self.W_z, self.b_z + CLOSED, self.W_r, self.b_r, of_q)
        h, gates = reduce(features, memory, batch.stories, batch.question, weights, self.layers)
        return h, Trace(gates)

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.W_y.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        often = self.layers
        used = [(1, self.words), (1, self.W_y), (often, self.W_h), (often, self.W_z), (often - 1, self.W_r)]
        squares = sum(times * (weights**2).sum() for times, weights in used if weights is not None)
        return super().loss(answer, batch) | {"l2": self.l2 / 2 * squares * (batch.answer != PAD).sum()}

    def state_size(self, story_length: int) -> int:
        """A reduced question for each layer and direction."""
        return (2 * self.layers - 1) * self.words.shape[1]
