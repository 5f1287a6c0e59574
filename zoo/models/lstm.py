"""LSTM: the yardstick without a memory beside its state.

Paper: Weston, Bordes, Chopra, Rush, van Merriënboer, Joulin and Mikolov, 2015, "Towards AI-Complete Question Answering:
A Set of Prerequisite Toy Tasks" (arXiv:1502.05698), section 5, which prints its figures and not its equations. The cell
is that of Gers, Schmidhuber and Cummins, 2000, with a forget gate and without peepholes.
Symbols: x a word vector, h hidden state, c cell, i f o the gates.
Deviations: sizes and training are ours; the paper doesn't give them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import MemoryNetwork, Paper, Trace, at_least
from zoo.parts.cells import lstm, rows


class LSTM(MemoryNetwork):
    """Reads the story word by word, then the question, and answers from its last state.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        dim: d of the state.
        embedding: width of the word vectors.
    """

    paper = Paper(
        "Weston, Bordes, Chopra, Rush, van Merriënboer, Joulin and Mikolov",
        2015,
        "Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks",
        "https://arxiv.org/abs/1502.05698",
    )
    memory = "dynamic"
    drawn_by = "story"
    traces = "nothing"

    def __init__(
        self, vocabulary: int, sentence_length: int, story_length: int, dim: int = 64, embedding: int = 32
    ) -> None:
        super().__init__()
        at_least(1, dim=dim, embedding=embedding)
        self.window = story_length
        self.words = nn.Parameter(torch.randn(vocabulary, embedding) * 0.1)
        bound = dim**-0.5
        self.W = nn.Parameter(torch.empty(4 * dim, embedding).uniform_(-bound, bound))
        self.U = nn.Parameter(torch.empty(4 * dim, dim).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.cat([torch.zeros(dim), torch.ones(dim), torch.zeros(2 * dim)]))  # forget little
        self.answers = nn.Parameter(torch.empty(vocabulary - 1, dim).uniform_(-bound, bound))

    def encode(self, batch: Questions) -> Tensor:
        """I: W x + b for every word of the vocabulary, (V, 4d)."""
        return self.words @ self.W.T + self.b

    def write(self, features: Tensor, batch: Questions) -> Tensor:
        """G: the state after each sentence, (B, T, 2d)."""
        state = features.new_zeros(len(batch.stories), self.U.shape[1] * 2)
        states = []
        for sentence in rows(batch.sentences, batch.stories).unbind(1):
            state = self.hear(state, sentence, features)
            states.append(state)
        return torch.stack(states, dim=1)

    def read(self, memory: Tensor, features: Tensor, batch: Questions) -> tuple[Tensor, Trace]:
        """O: the state after the question, heard from the state in which it was asked."""
        length, width = memory.shape[1:]
        state = rows(memory.view(-1, width), batch.story * length + (batch.told - 1).clamp(min=0))
        state = self.hear(state, rows(batch.sentences, batch.question), features)
        nowhere = state.new_zeros(len(state), 0, length)
        return state[:, : width // 2], Trace(nowhere)

    def hear(self, state: Tensor, sentence: Tensor, features: Tensor) -> Tensor:
        """The state after a sentence each, (B, J); where it has ended, the state stays."""
        for word in sentence.unbind(1):
            heard = lstm(rows(features, word), state, self.U)
            state = torch.where(word[:, None] == PAD, state, heard)
        return state

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))

    def state_size(self, story_length: int) -> int:
        return 2 * self.U.shape[1]
