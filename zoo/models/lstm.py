"""LSTM: the yardstick without a memory beside its state.

Paper: Weston, Bordes, Chopra, Rush, van Merriënboer, Joulin and Mikolov, 2015, "Towards AI-Complete Question Answering:
A Set of Prerequisite Toy Tasks" (arXiv:1502.05698), section 5, which prints its figures and not its equations. The cell
is that of Gers, Schmidhuber and Cummins, 2000, with a forget gate and without peepholes.
Symbols: x a word vector, h hidden state, c cell, i f o the gates.
Deviations: sizes and training are ours; the paper doesn't give them.

`SequenceLSTM` is the yardstick of Graves, Wayne and Danihelka, 2014, "Neural Turing Machines" (arXiv:1410.5401),
section 4: layers of the same cell, one above the other, at the sizes of their table 3.
Deviations: a layer hears the one below it, and the last one answers; the numbers of weights in their table suggest
that theirs also had connections past layers, and peepholes. Trained as ntm.py says of the NTM: Adam for
RMSProp, another clip, sequences that grow on three tasks. The forget gate begins with a bias of one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import Questions, Sequences
from zoo.interface import MemoryNetwork, Paper, SequenceNetwork, Told, at_least
from zoo.parts.cells import hear, lstm, recur, rows


class LSTM(MemoryNetwork):
    """An LSTM over the words of the story and of the question; its last state answers.

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
    batched_by = "story"
    traces = "nothing"
    goes_on = True

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

    def write(self, features: Tensor, batch: Questions, before: Told | None = None) -> Told:
        """G: the state in which each question is asked, (N, 2d)."""
        words = rows(batch.sentences, batch.stories).flatten(1)
        length = batch.sentences.shape[1]
        state = features.new_zeros(len(words), self.U.shape[1] * 2) if before is None else before.state
        # before the first sentence nobody asks
        at = batch.story * (words.shape[1] + 1) + batch.told.clamp(min=1) * length
        return Told(recur(features, words, at, state, self.U), None)

    def read(self, memory: Told, features: Tensor, batch: Questions) -> tuple[Tensor, None]:
        """O: the state after the question, heard from the state in which it was asked."""
        state = hear(rows(batch.sentences, batch.question), features, memory.state, self.U)
        return state[:, : self.U.shape[1]], None

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))

    def state_size(self, story_length: int) -> int:
        return 2 * self.U.shape[1]


class SequenceLSTM(SequenceNetwork):
    """Layers of LSTM cells: a vector in, bits out, in every step.

    Args:
        inputs: width of the vectors of the task.
        outputs: bits that it asks for.
        dim: d of a layer.
        layers: one above the other.
    """

    paper = Paper("Graves, Wayne and Danihelka", 2014, "Neural Turing Machines", "https://arxiv.org/abs/1410.5401")
    memory = "dynamic"

    def __init__(self, inputs: int, outputs: int, dim: int = 256, layers: int = 3) -> None:
        super().__init__()
        at_least(1, dim=dim, layers=layers)
        bound = dim**-0.5
        self.W = nn.Parameter(torch.empty(4 * dim, inputs).uniform_(-bound, bound))
        self.W_up = nn.Parameter(torch.empty(layers - 1, 4 * dim, dim).uniform_(-bound, bound))
        self.U = nn.Parameter(torch.empty(layers, 4 * dim, dim).uniform_(-bound, bound))
        forget_little = torch.cat([torch.zeros(dim), torch.ones(dim), torch.zeros(2 * dim)])
        self.b = nn.Parameter(forget_little.repeat(layers, 1))
        self.first_state = nn.Parameter(torch.zeros(layers, 2 * dim))
        self.answers = nn.Parameter(torch.empty(outputs, dim).uniform_(-bound, bound))
        self.b_answers = nn.Parameter(torch.zeros(outputs))

    def encode(self, batch: Sequences) -> Tensor:
        """I: the input of the first layer in every step, (B, T, 4d)."""
        return batch.inputs @ self.W.T + self.b[0]

    def write(self, features: Tensor, batch: Sequences) -> Tensor:
        """G: the hidden state of the last layer after every step, (B, T, d).

        A layer lags one step behind the one below it: so all of them hear at once, in one call for all layers.
        """
        layers, dim = self.U.shape[0], self.U.shape[2]
        state = self.first_state[:, None].expand(-1, len(features), -1)  # (layers, B, 2d)
        hidden = []
        for wave, x in enumerate(F.pad(features, (0, 0, 0, layers - 1)).unbind(1)):
            above = state[:-1, :, :dim] @ self.W_up.mT + self.b[1:, None]
            after = lstm(torch.cat([x[None], above]), state, self.U)
            begun = wave + 1  # layers; those above them have heard nothing yet
            state = after if begun >= layers else torch.cat([after[:begun], state[begun:]])
            hidden.append(state[-1, :, :dim])
        return torch.stack(hidden[layers - 1 :], dim=1)

    def read(self, memory: Tensor, features: Tensor, batch: Sequences) -> tuple[Tensor, None]:
        """O: the state; there are no heads."""
        return memory, None

    def respond(self, recall: Tensor) -> Tensor:
        return recall @ self.answers.T + self.b_answers

    def state_size(self, story_length: int) -> int:
        return 2 * self.U.shape[0] * self.U.shape[2]
