"""End-to-end memory network.

Paper: Sukhbaatar, Szlam, Weston and Fergus, 2015, "End-To-End Memory Networks" (arXiv:1503.08895). Numbers of
equations and sections are the paper's.
Symbols: m_i input memory, c_i output memory, u controller state, p attention, o memory read, A B C W the embeddings of
memories, question, outputs and answer, T_A T_C the temporal encodings, H the map between hops of layer-wise tying.
Deviations:
- The position encoding is that of the authors' code, twice the paper's but for small terms, with J the longest sentence
  of the task and not the sentence at hand. The scale matters: with the paper's formula as printed and the paper's
  N(0, 0.1) weights, the linear start gets nowhere on task 16.
- Time vectors are added as the paper has it; the authors' code makes time a word in a last column of its own, which the
  position encoding weights too.
- Random noise (section 4.1) leaves gaps in the time indices instead of inserting empty memories, and what lies beyond
  the last time index is given the last one (the authors' code does so).
- As in the authors' code, and unlike most ports, empty slots are not masked: each has score 0, takes its share of the
  softmax, and holds a zero vector. The number of slots therefore matters: it is that of the task's longest story, or
  `memory_size` where that is less.
- The answer is one word of the whole vocabulary, which like the number of slots is that of all splits of the task; an
  answer of several words is one entry of it.
- After the linear start the rate is the paper's, 0.01; the authors' code goes on with the 0.005 of the linear start
  (experiment=tuned/memn2n_joint_10k has that).
- An epoch asks every question once (the authors' code draws batches with replacement), and the gradient is clipped as a
  whole, as the paper says (the authors' code clips each matrix by itself).
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import Questions
from zoo.interface import MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import ENCODERS
from zoo.parts.slots import look, recall, time_with_gaps, times_told


class MemN2N(MemoryNetwork):
    """K soft reads of the story; each read asks with the sum of the question and the reads before.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: slots at most; of longer stories the last sentences are kept.
        dim: d, width of every embedding.
        hops: K.
        tying: `adjacent` (A^{k+1} = C^k, B = A^1, W^T = C^K) or `layerwise` (one A, one C; u' = H u + o).
        encoding: `position` or `bag` (of words).
        time: whether slots carry temporal encodings.
        time_noise: share of empty memories among the slots in training.
        relu: whether u passes through a ReLU after every hop.
        init_std: of the normal distribution from which every weight is drawn.
    """

    paper = Paper(
        "Sukhbaatar, Szlam, Weston and Fergus", 2015, "End-To-End Memory Networks", "https://arxiv.org/abs/1503.08895"
    )
    memory = "static"
    ranks_candidates = True
    counts_empty = True
    unordered = True
    linear: Tensor

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 50,
        dim: int = 20,
        hops: int = 3,
        tying: str = "adjacent",
        encoding: str = "position",
        time: bool = True,
        time_noise: float = 0.1,
        relu: bool = False,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, hops=hops)
        at_least(0, time_noise=time_noise, init_std=init_std)
        one_of(("adjacent", "layerwise"), tying=tying)
        one_of(tuple(ENCODERS), encoding=encoding)
        self.window = min(memory_size, story_length)
        self.hops, self.relu, self.time_noise = hops, relu, time_noise
        self.encode_sentences = ENCODERS[encoding]
        if tying == "adjacent":  # tables A^1 = B, A^2 = C^1, ..., C^K = W^T
            self.input_of, self.output_of = list(range(hops)), list(range(1, hops + 1))
            self.question_of, tables, timed = 0, hops + 1, hops + 1
            self.embeds = tables
        else:  # tables A, C, B, W^T
            self.input_of, self.output_of = [0] * hops, [1] * hops
            self.question_of, tables, timed = 2, 4, 2
            self.embeds = 3  # W^T embeds no sentence
        self.words = nn.Parameter(torch.randn(tables, vocabulary, dim) * init_std)
        # T_A and T_C, tied as A and C are; the last sentence told has index 1, and 0 is an empty slot
        self.times = nn.Parameter(torch.randn(timed, self.window, dim) * init_std) if time else None
        self.H = nn.Parameter(torch.randn(dim, dim) * init_std) if tying == "layerwise" else None
        # section 4.2: with a linear start, training begins without the softmax in eq. 1
        self.register_buffer("linear", torch.tensor(False))

    def encode(self, batch: Questions) -> Tensor:
        """I: every distinct sentence in every embedding, (tables, U, d)."""
        return self.encode_sentences(batch.sentences, self.words[: self.embeds])

    def write(self, features: Tensor, batch: Questions) -> tuple[tuple[Tensor, ...], Tensor]:
        """G: a slot per sentence, as two rows: one among the features, and one of its time.

        A slot is m_i = sum_j l_j * A x_ij + T_A(i) and c_i = sum_j l_j * C x_ij + T_C(i) (section 4.1): the sum of two
        rows, which `look` and `recall` look up in a table of all sentences and times.

        Returns:
            The tables, (U + slots + 1, d) each, and two rows of them for each slot, (B, 2, T).
        """
        if self.times is None:
            return features.unbind(0), batch.stories[:, None]
        time = times_told(batch)
        times = F.pad(self.times, (0, 0, 1, 0))  # an empty slot has no time
        timed = features[: len(times)]
        slots = torch.stack([batch.stories, time + timed.shape[1]], dim=1)
        return torch.cat([timed, times], dim=1).unbind(0), slots

    def read(
        self, memory: tuple[tuple[Tensor, ...], Tensor], features: Tensor, batch: Questions
    ) -> tuple[Tensor, Trace]:
        """O: K hops."""
        table, slots = memory
        u = rows(features[self.question_of], batch.question)  # u = B q
        attention = []
        for hop in range(self.hops):
            scores = look(u, table[self.input_of[hop]], slots)  # u^T m_i
            p = torch.where(self.linear, scores, scores.softmax(dim=-1))  # eq. 1
            o = recall(p, table[self.output_of[hop]], slots)  # eq. 2
            u = self.update(u, o, hop)
            attention.append(p)
        return u, Trace(torch.stack(attention, dim=1))

    def update(self, u: Tensor, o: Tensor, hop: int) -> Tensor:
        u = u + o if self.H is None else u @ self.H.T + o  # eq. 4; H as in section 2.2
        return u.relu() if self.relu else u

    def respond(self, recall: Tensor) -> Tensor:
        """R: the argument of the softmax in eq. 3, W u_{K+1}; the empty word, whose vector is zero, scores 0."""
        return recall @ self.answer_words().T

    def answer_words(self) -> Tensor:
        return F.pad(self.words[-1, 1:], (0, 0, 1, 0))  # W

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Time indices with gaps, as if up to `time_noise` empty memories had been told among the sentences."""
        if self.times is None or not self.time_noise:
            return None
        return time_with_gaps(told, self.window, self.time_noise, generator)

    def state_size(self, story_length: int) -> int:
        """Every slot holds m and c of each hop; with tied embeddings some are the same numbers."""
        tables = set(self.input_of + self.output_of)
        return min(story_length, self.window) * len(tables) * self.words.shape[-1]
