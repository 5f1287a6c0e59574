"""DMN+: a dynamic memory network that learns without supporting facts.

Paper: Xiong, Merity and Socher, 2016, "Dynamic Memory Networks for Visual and Textual Question Answering"
(arXiv:1603.01417), sections 2 and 3. Numbers of equations follow their order in the text.
Symbols: f_i facts, q question, m^t memory after pass t, z_i features and g_i weight of fact i, c^t context of pass t.
Deviations:
- Position encoding is that of the authors' code of MemN2N, whose printed formula the paper quotes.
- Dropout keeps or drops a dimension for all facts of a question at once, and for its answer; it stands behind the input
  fusion layer, the paper's before it. With `dropout_of` elements it stands where the paper has it, and each dimension
  of each fact is kept or dropped by itself, by a hash of a random number of the question, the place and the dimension.
- The weight of L2 is not in the paper. Other implementations have 0.001 beside the mean loss, or that or half of it
  beside the sum over a batch of 100, which is a hundred or two hundred times less; only these come near the paper's
  figures. Here it is the first, on all but biases and word vectors. With 10,000 questions tasks 17 and 18 want less
  (experiment=tuned/dmn_plus_10k, tuned/dmn_plus_ported_10k).
- 130 sentences at most for all tasks, 70 in the paper but for task 3.
- The answer is one word of the vocabulary, scored from [m; q]; the empty word scores 0.
- The backward GRU hears a story from where the question was asked, so a story is read anew for each of its questions.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import after_words, hear, let_in, recur, rows
from zoo.parts.encoders import position_encoding
from zoo.parts.facts import compare


class DMNPlus(MemoryNetwork):
    """A GRU in both directions over the facts, then passes over them. Each pass depends on the pass before.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: facts at most; of longer stories the last are kept.
        dim: d of words, facts and memory.
        passes: over the facts.
        dropout: share of dimensions dropped in training.
        l2: weight of the squared weights in the mean loss.
        dropout_of: `dimensions` of all facts of a question, or `elements` of each.
    """

    paper = Paper(
        "Xiong, Merity and Socher",
        2016,
        "Dynamic Memory Networks for Visual and Textual Question Answering",
        "https://arxiv.org/abs/1603.01417",
    )
    memory = "static"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 130,
        dim: int = 80,
        passes: int = 3,
        dropout: float = 0.1,
        l2: float = 0.001,
        dropout_of: str = "dimensions",
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, passes=passes)
        at_least(0, dropout=dropout, l2=l2)
        if dropout >= 1:
            raise ValueError(f"model.dropout={dropout}: expected less than 1")
        one_of(("dimensions", "elements"), dropout_of=dropout_of)
        self.window = min(memory_size, story_length)
        self.dim, self.dropout, self.l2, self.of_elements = dim, dropout, l2, dropout_of == "elements"

        def xavier(*shape: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(*shape) * 2 - 1) * math.sqrt(6 / (shape[-1] + shape[-2])))

        self.words = nn.Parameter((torch.rand(vocabulary, dim) * 2 - 1) * math.sqrt(3))
        # GRUs: the question's, and the facts' forwards and backwards
        self.W, self.U, self.b = xavier(3, 3 * dim, dim), xavier(3, 3 * dim, dim), nn.Parameter(torch.zeros(3, 3 * dim))
        self.W_1, self.b_1 = xavier(dim, 4 * dim), nn.Parameter(torch.zeros(dim))
        self.W_2 = xavier(1, dim)
        self.W_attend, self.U_attend = xavier(2 * dim, dim), xavier(2 * dim, dim)
        self.b_attend = nn.Parameter(torch.zeros(2 * dim))
        self.W_m, self.b_m = xavier(passes, dim, 3 * dim), nn.Parameter(torch.zeros(passes, dim))
        self.W_a = xavier(vocabulary - 1, 2 * dim)

    def encode(self, batch: Questions) -> Tensor:
        """I: the sentence reader: every distinct sentence as a sum of word vectors with position encoding, (U, d)."""
        return position_encoding(batch.sentences, self.words)

    def write(self, features: Tensor, batch: Questions) -> Tensor:
        """G: the input fusion layer, eq. 5 to 7: f_i is the sum of a GRU's state forwards and of another's backwards,
        (B, T, d)."""
        count, length = batch.stories.shape
        nothing = features.new_zeros(count, self.dim)
        heard, facts = features, batch.stories  # rows of what is heard
        if self.of_elements and batch.noise is not None:
            kept = hashed(batch.noise[:, 0], length, self.dim) >= self.dropout
            heard = torch.where(kept, rows(features, facts) / (1 - self.dropout), 0.0).flatten(0, 1)
            heard = F.pad(heard, (0, 0, 1, 0))
            numbers = torch.arange(1, 1 + count * length, device=facts.device).view(count, length)
            facts = torch.where(facts == PAD, PAD, numbers)
        begins = after_words(facts)[:, None] - length
        told = torch.arange(length, device=facts.device)
        ways = []
        for which, stories, at in ((1, facts, told + 1), (2, facts.flip(1), length - told)):
            x = heard @ self.W[which].T + self.b[which]
            states = recur(x, stories, (begins + at).flatten(), nothing, self.U[which])
            ways.append(states.view(count, length, -1))
        found = ways[0] + ways[1]
        return found if self.of_elements or batch.noise is None else found * batch.noise[:, None, : self.dim]

    def read(self, memory: Tensor, features: Tensor, batch: Questions) -> tuple[Tensor, Trace]:
        """O: the episodes. Returns [m; q] and the attention of each pass."""
        nothing = self.words.new_zeros(len(batch.question), self.dim)
        question = rows(batch.sentences, batch.question)
        q = hear(question, self.words @ self.W[0].T + self.b[0], nothing, self.U[0])
        m, attention = q, []
        # eq. 8 to 10: g_i = softmax_i W_2 tanh(W_1 z_i + b_1) with z_i = [f_i * q; f_i * m; |f_i - q|; |f_i - m|];
        # the paper's b_2 would change nothing, and what comes of q is the same in every pass
        q_times, m_times, q_minus, m_minus = self.W_1.chunk(4, dim=1)
        seen = batch.stories != PAD
        of_q = compare(memory, q, seen, None, None, q_times, q_minus) + self.b_1
        x = memory @ self.W_attend.T + self.b_attend
        for W_m, b_m in zip(self.W_m, self.b_m, strict=True):
            scores = compare(memory, m, seen, of_q, None, m_times, m_minus, W_2=self.W_2)
            g = torch.where(seen, scores, -torch.inf).softmax(dim=-1)
            c = let_in(x, seen, self.U_attend, g)  # eq. 11
            m = (torch.cat([m, c, q], dim=-1) @ W_m.T + b_m).relu()  # eq. 13: m^t = ReLU(W^t [m^{t-1}; c^t; q] + b)
            attention.append(g)
        recall = torch.cat([m, q], dim=-1)
        if batch.noise is not None:
            recall = recall * batch.noise[:, -2 * self.dim :]
        return recall, Trace(torch.stack(attention, dim=1))

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.W_a.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        decayed = (self.W, self.U, self.W_1, self.W_2, self.W_attend, self.U_attend, self.W_m, self.W_a)
        squares = sum((weights**2).sum() for weights in decayed)
        return super().loss(answer, batch) | {"l2": self.l2 * squares * (batch.answer != PAD).sum()}

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Draw what is kept of each dimension of a question's facts, and of [m; q].

        Where elements are dropped, a random number stands in place of the first, small enough for single precision.
        """
        if not self.dropout:
            return None
        kept = torch.rand(len(told), 3 * self.dim, generator=generator) >= self.dropout
        noise = kept / (1 - self.dropout)
        if self.of_elements:
            drawn = torch.randint(2**24, (len(told), 1), generator=generator)
            noise = torch.cat([drawn.to(noise.dtype), noise[:, self.dim :]], dim=1)
        return noise.to(told.device)

    def state_size(self, story_length: int) -> int:
        """The facts, and the memory of the passes."""
        return (min(story_length, self.window) + 1) * self.dim


def hashed(drawn: Tensor, places: int, dims: int) -> Tensor:
    """Hash a random number of each question, (N,), with each place and dimension, (N, places, dims), into [0, 1).

    The rounds are those of MurmurHash3's end, in 32 bits.
    """
    cells = torch.arange(places * dims, dtype=torch.int32, device=drawn.device).view(places, dims)
    x = _scattered(_scattered(drawn.int())[:, None, None] + cells)
    return (x >> 8 & 0xFFFFFF).float() / 2**24


def _scattered(x: Tensor) -> Tensor:
    for shift, factor in ((16, -2048144789), (13, -1028477387)):
        x = (x ^ (x >> shift & (1 << 32 - shift) - 1)) * factor
    return x ^ (x >> 16 & 0xFFFF)
