"""Working memory network.

Paper: Pavez, Allende and Allende-Cid, 2018, "Working Memory Networks: Augmenting Memory Networks with a Relational
Reasoning Module" (arXiv:1805.09354), with the authors' code, from which sizes and the shape of the layers are known;
equations therefore bear no numbers.
Symbols: m_i memories, q question, u query, a^h attention of head h, z^h what it reads, o_k output of hop k, t the map
to the next query, g the relation network, f the answer layer.
Deviations:
- Empty slots are masked, and no padding is read by the GRUs (the authors' code runs padded words and sentences through
  them, with a trainable row for the empty word).
- The index that says how long ago a sentence was told is a word behind it, as in the authors' code: the GRU's state
  after the words is computed once for each distinct sentence, the step of the index for each memory.
- Time indices have gaps in training, as in MemN2N: with 1,000 questions the model learns them by heart otherwise. In
  experiment=pavez2018_wmn_code_babi_joint_10k, which follows the authors' code, they have none.
- In the GRUs r shuts off U h and not h before U, as in torch and the papers of the other models; their gates are
  sigmoids, and all of their weights are drawn alike (the authors' library, as far as known, has straightened sigmoids,
  and draws U orthogonal).
- Heads begin at the scale of the matrix in which they are stacked, or, with `head_init` single, of one head alone: that
  is twice as wide, and what the authors' code has, a layer for each head.
- L2 is added once a batch, as in the authors' code: with larger batches it weighs less.
- The answer is one word of the whole vocabulary, not of the answers only.
- Sizes are those of the authors' code (the paper's were not at hand), but for `memory_size`, 50 and not 30, because
  30 sentences cut off what tasks 2 and 3 ask about.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import after_words, hear, recur
from zoo.parts.heads import attend, relate
from zoo.parts.slots import time_with_gaps, times_told


class WMN(MemoryNetwork):
    """Several heads per hop, and a relation network over all pairs of the hops' outputs.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: memories at most; of longer stories the last sentences are kept.
        dim: d of memories, queries and words.
        hops: K, and size of the working memory buffer.
        heads: of each hop.
        relation: width of the three layers of g.
        l2: weight of the squared weights of the heads, outputs, t, g and f in the loss of a batch.
        time_noise: share of empty memories among the sentences in training.
        head_init: scale at which heads begin: that of one matrix of all of them, `stacked`, or of each, `single`.
    """

    paper = Paper(
        "Pavez, Allende and Allende-Cid",
        2018,
        "Working Memory Networks: Augmenting Memory Networks with a Relational Reasoning Module",
        "https://arxiv.org/abs/1805.09354",
    )
    memory = "static"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 50,
        dim: int = 30,
        hops: int = 4,
        heads: int = 8,
        relation: int = 128,
        l2: float = 0.001,
        time_noise: float = 0.1,
        head_init: str = "stacked",
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, hops=hops, heads=heads, relation=relation)
        at_least(0, l2=l2, time_noise=time_noise)
        one_of(("stacked", "single"), head_init=head_init)
        self.window = min(memory_size, story_length)
        self.dim, self.hops, self.heads, self.l2, self.time_noise = dim, hops, heads, l2, time_noise

        def glorot(*shape: int, outputs: int = 0) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * math.sqrt(2 / (shape[-1] + (outputs or shape[-2]))))

        self.words, self.times = glorot(vocabulary, dim), glorot(self.window, dim)
        self.question_words = glorot(vocabulary, dim)
        self.W, self.U, self.b = glorot(2, 3 * dim, dim), glorot(2, 3 * dim, dim), nn.Parameter(torch.zeros(2, 3 * dim))
        self.W_head = glorot(hops, heads * dim, dim, outputs=dim if head_init == "single" else 0)
        self.W_out = glorot(hops, dim, heads * dim)
        self.t_down, self.t_up = glorot(dim // 2 or 1, dim), glorot(dim, dim // 2 or 1)
        self.t_down_bias, self.t_up_bias = nn.Parameter(torch.zeros(dim // 2 or 1)), nn.Parameter(torch.zeros(dim))
        self.g_1, self.g_2, self.g_3 = glorot(relation, 3 * dim), glorot(relation, relation), glorot(relation, relation)
        self.g_bias = nn.Parameter(torch.zeros(3, relation))
        self.f = glorot(vocabulary - 1, relation)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: each sentence of the stories by their GRU, (B, T, d), and each question by its own, (N, d)."""
        nothing = self.words.new_zeros(len(batch.sentences), self.dim)
        ends = after_words(batch.sentences)
        sentences, questions = (
            recur(words @ W.T + b, batch.sentences, ends[asked.flatten()], nothing, U).view(*asked.shape, -1)
            for words, asked, W, U, b in zip(
                (self.words, self.question_words), (batch.stories, batch.question), self.W, self.U, self.b, strict=True
            )
        )
        return sentences, questions

    def write(self, features: tuple[Tensor, Tensor], batch: Questions) -> Tensor:
        """G: the memories m_i, (B, T, d): each sentence's state, after one more word that says how long ago it was."""
        time = times_told(batch).flatten()[:, None]
        x = F.pad(self.times @ self.W[0].T + self.b[0], (0, 0, 1, 0))
        return hear(time, x, features[0].flatten(0, 1), self.U[0]).view_as(features[0])

    def read(self, memory: Tensor, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: K hops into the buffer, then the relation network over its pairs."""
        seen = batch.stories != PAD
        q = features[1]
        u = self.t(q)
        buffer, attention = [], []
        for W_head, W_out in zip(self.W_head, self.W_out, strict=True):
            z, a = attend(memory, u, W_head, seen)  # k_i^h = tanh(W_h m_i), a^h = softmax(k^h . u / sqrt d)
            o = z @ W_out.T  # o = W_o [z^1; ...; z^H], z^h = sum_i a_i^h m_i
            u = self.t(o)
            buffer.append(o)
            attention.append(a.mean(1))
        found = relate(torch.stack(buffer, dim=1), q, self.g_1, self.g_2, self.g_3, self.g_bias)
        return found, Trace(torch.stack(attention, dim=1))

    def t(self, o: Tensor) -> Tensor:
        """Compute the next query by two linear layers."""
        return (o @ self.t_down.T + self.t_down_bias) @ self.t_up.T + self.t_up_bias

    def respond(self, recall: Tensor) -> Tensor:
        """R: the argument of the softmax of f, without a bias."""
        return F.pad(recall @ self.f.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        decayed = (self.W_head, self.W_out, self.t_down, self.t_up, self.g_1, self.g_2, self.g_3, self.f)
        squares: Any = sum((weights**2).sum() for weights in decayed)
        return super().loss(answer, batch) | {"l2": self.l2 * squares}

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        return time_with_gaps(told, self.window, self.time_noise, generator) if self.time_noise else None

    def state_size(self, story_length: int) -> int:
        """The memories, and the buffer."""
        return (min(story_length, self.window) + self.hops) * self.dim
