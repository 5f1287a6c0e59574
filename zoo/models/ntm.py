"""Neural Turing machine.

Paper: Graves, Wayne and Danihelka, 2014, "Neural Turing Machines" (arXiv:1410.5401), section 3. Numbers of equations
are the paper's.
Symbols: M memory of N rows of width W, h controller output, k key, beta key strength, g interpolation gate, s shift
weights, gamma sharpening, w weighting of the rows, e erase and a add vector, r what is read.
Deviations:
- The paper's tasks are algorithms. Here a story is heard sentence by sentence (a sum of word vectors with position
  encoding, as in MemN2N) or word by word, then the question, by a map of its own, in one step, and the answer is scored
  from the controller's output and the reads of that step.
- Key and add vectors pass through tanh, which keeps training stable (as others do).
- Memory begins at a small constant, heads at the first row, reads and the controller's state at learned values.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import lstm, rows
from zoo.parts.encoders import position_encoding


class State(NamedTuple):
    controller: Tensor  # (B, 2d) hidden state and cell of an LSTM; of a feed-forward controller nothing
    memory: Tensor  # (B, N, W)
    weights: Tensor  # (B, heads, N) of the read heads, then of the write heads
    reads: Tensor  # (B, read heads, W)


class NTM(MemoryNetwork):
    """A controller that reads and writes the rows of a memory through heads, by what they hold and by where they are.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        slots: N.
        width: W.
        dim: d of the controller.
        embedding: width of word vectors.
        read_heads: number of heads that read.
        write_heads: number of heads that write.
        controller: `lstm` or `feedforward`.
        hears: `sentences` or `words`, one in each step.
    """

    paper = Paper("Graves, Wayne and Danihelka", 2014, "Neural Turing Machines", "https://arxiv.org/abs/1410.5401")
    memory = "dynamic"
    drawn_by = "story"
    traces = "writing"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        slots: int = 20,
        width: int = 20,
        dim: int = 64,
        embedding: int = 32,
        read_heads: int = 2,
        write_heads: int = 1,
        controller: str = "lstm",
        hears: str = "sentences",
    ) -> None:
        super().__init__()
        at_least(1, slots=slots, width=width, dim=dim, embedding=embedding)
        at_least(1, read_heads=read_heads, write_heads=write_heads)
        one_of(("lstm", "feedforward"), controller=controller)
        one_of(("sentences", "words"), hears=hears)
        self.window = story_length
        self.slots, self.width, self.dim, self.hears = slots, width, dim, hears
        self.read_heads, self.heads = read_heads, read_heads + write_heads

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(*shape) * 2 - 1) * shape[-1] ** -0.5)

        self.words = nn.Parameter(torch.randn(vocabulary, embedding) * 0.1)
        gates = 4 if controller == "lstm" else 1
        self.W_x, self.W_q = uniform(gates * dim, embedding), uniform(gates * dim, embedding)
        self.W_r, self.b = uniform(gates * dim, read_heads * width), nn.Parameter(torch.zeros(gates * dim))
        self.U = uniform(4 * dim, dim) if controller == "lstm" else None
        self.first_state = nn.Parameter(torch.zeros(2 * dim)) if controller == "lstm" else None
        self.first_reads = nn.Parameter(torch.randn(read_heads, width) * 0.1)
        # k, beta, g, s and gamma of every head, e and a of those that write
        self.W_head, self.W_write = uniform(self.heads * (width + 6), dim), uniform(write_heads * 2 * width, dim)
        self.b_head = nn.Parameter(torch.zeros(self.heads * (width + 6)))
        self.b_write = nn.Parameter(torch.zeros(write_heads * 2 * width))
        self.answers = uniform(vocabulary - 1, dim + read_heads * width)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: what the controller hears of every distinct sentence, or of every word, and of every distinct question."""
        sentences = position_encoding(batch.sentences, self.words)
        heard = sentences if self.hears == "sentences" else self.words
        return heard @ self.W_x.T, sentences @ self.W_q.T

    def write(self, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Tensor]:
        """G: all that the machine holds after each sentence, (B, T, ...), and what each wrote where, (B, T, N)."""
        state = self.begin(len(batch.stories))
        states, written = [], []
        for sentence in batch.stories.unbind(1):
            here = torch.zeros_like(state.memory[..., 0])
            if self.hears == "sentences":
                state = self.step(rows(features[0], sentence), state)
                here = state.weights[:, self.read_heads :].sum(1)
            else:
                for word in rows(batch.sentences, sentence).unbind(1):
                    after = self.step(rows(features[0], word), state)
                    spoken = (word != PAD)[:, None]
                    here = here + torch.where(spoken, after.weights[:, self.read_heads :].sum(1), 0.0)
                    state = State(
                        *(
                            torch.where(spoken.view(-1, *[1] * (new.dim() - 1)), new, old)
                            for new, old in zip(after, state, strict=True)
                        )
                    )
            states.append(torch.cat([part.flatten(1) for part in state], dim=1))
            written.append(here)
        return torch.stack(states, dim=1), torch.stack(written, dim=1)

    def begin(self, count: int) -> State:
        at_first = F.one_hot(torch.zeros(self.heads, dtype=torch.long, device=self.words.device), self.slots)
        nothing = self.words.new_zeros(count, 0)
        return State(
            nothing if self.first_state is None else self.first_state.expand(count, -1),
            self.words.new_full((count, self.slots, self.width), 1e-6),
            at_first.to(self.words.dtype).expand(count, -1, -1),
            self.first_reads.expand(count, -1, -1),
        )

    def step(self, x: Tensor, state: State) -> State:
        """Hears, addresses with every head, reads, then writes."""
        x = x + state.reads.flatten(1) @ self.W_r.T + self.b
        if self.U is None:
            controller, h = state.controller, torch.tanh(x)
        else:
            controller = lstm(x, state.controller, self.U)
            h = controller[:, : self.dim]
        weights = self.address(h, state)
        reads = weights[:, : self.read_heads] @ state.memory  # eq. 2: r = sum_i w(i) M(i)
        e, a = (h @ self.W_write.T + self.b_write).view(len(x), -1, 2 * self.width).chunk(2, dim=-1)
        memory = state.memory
        writing = weights[:, self.read_heads :]
        for w, erase in zip(writing.unbind(1), torch.sigmoid(e).unbind(1), strict=True):
            memory = memory * (1 - w[:, :, None] * erase[:, None])  # eq. 3
        memory = memory + writing.transpose(1, 2) @ torch.tanh(a)  # eq. 4
        return State(controller, memory, weights, reads)

    def address(self, h: Tensor, state: State) -> Tensor:
        """The weighting of every head, (B, heads, N)."""
        k, beta, g, s, gamma = (
            (h @ self.W_head.T + self.b_head)
            .view(len(h), self.heads, self.width + 6)
            .split([self.width, 1, 1, 3, 1], dim=-1)
        )
        k = torch.tanh(k)
        norms = k.norm(dim=-1)[:, :, None] * state.memory.norm(dim=-1)[:, None]
        cosine = k @ state.memory.transpose(1, 2) / (norms + 1e-8)  # eq. 6
        w = (F.softplus(beta) * cosine).softmax(dim=-1)  # eq. 5
        g = torch.sigmoid(g)
        w = g * w + (1 - g) * state.weights  # eq. 7
        back, stay, forth = s.softmax(dim=-1).split(1, dim=-1)
        w = back * w.roll(-1, -1) + stay * w + forth * w.roll(1, -1)  # eq. 8
        w = w.clamp(min=1e-12) ** (1 + F.softplus(gamma))
        return w / w.sum(-1, keepdim=True)  # eq. 9

    def read(
        self, memory: tuple[Tensor, Tensor], features: tuple[Tensor, Tensor], batch: Questions
    ) -> tuple[Tensor, Trace]:
        """O: one more step, with the question; the controller's output and what it reads."""
        states, written = memory
        length = states.shape[1]
        flat = rows(states.flatten(0, 1), batch.story * length + (batch.told - 1).clamp(min=0))
        shapes = [part.shape[1:] for part in self.begin(1)]
        parts = flat.split([shape.numel() for shape in shapes], dim=1)
        state = State(*(part.view(len(part), *shape) for part, shape in zip(parts, shapes, strict=True)))
        x = rows(features[1], batch.question)
        after = self.step(x, state)
        if self.U is None:
            h = torch.tanh(x + state.reads.flatten(1) @ self.W_r.T + self.b)
        else:
            h = after.controller[:, : self.dim]
        # what a sentence has written to the rows that are read
        wrote = rows(written.flatten(1), batch.story).view(-1, length, self.slots)
        trace = after.weights[:, : self.read_heads] @ wrote.transpose(1, 2)
        heard = torch.arange(length, device=batch.told.device) < batch.told[:, None]
        trace = torch.where(heard[:, None], trace, 0.0)
        return torch.cat([h, after.reads.flatten(1)], dim=1), Trace(trace)

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))

    def state_size(self, story_length: int) -> int:
        """The rows of the memory; the controller and the heads come on top."""
        return self.slots * self.width
