"""Differentiable neural computer.

Paper: Graves et al., 2016, "Hybrid computing using a neural network with dynamic external memory" (Nature 538,
nature20101), with the authors' code, and, for bAbI, Franke, Niehues and Waibel, 2018, "Robust and Scalable
Differentiable Neural Computer for Question Answering" (arXiv:1807.02658), with theirs. Equations bear no numbers there.
Symbols: M memory of N rows of width W, u usage of the rows, w^w weighting of the write head, w^r of a read head, p
precedence (how lately a row was written), L links (L_ij: row i was written next after row j), h controller output, a
allocation, c look-up by content, psi what is retained, f free gates, g^a and g^w gates of allocation and of writing, pi
modes of reading, e erase and v write vector, r what is read.
What the authors' code does and the equations do not say is done: no gradient flows from usage into the weighting that
was written with; usage is 1e-6 at least where rows are allocated; 1e-6 is added to squared lengths and to their product
in the look-up; all of the state begins at zero, and the forget gate open.
Of Franke et al. are `links=false` (rows are found by content only), `normalise` (layer norm of what the controller says
to the memory, of its gates and of its cell) and `dropout` (of the controller's output on its way around the memory: to
the answer and back to the controller). Their controller that also hears the story backwards is not, because a question
would hear what was told after it.
Deviations:
- The controller is one layer, and nothing is clipped but the gradient, as a whole; Adam trains it, not RMSProp.
- `DNC` hears stories sentence by sentence (a sum of word vectors with position encoding, as in MemN2N), and a question,
  by a map of its own, in one step; the paper hears words. An answer is one word or one list, scored from the
  controller's output and the reads of that step. Questions leave nothing in the memory that later questions see.
- The mask of `dropout` is drawn once for a story, not for each step.
- `SequenceDNC` reads the algorithmic tasks of the NTM's paper, for which the paper gives no settings.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions, Sequences
from zoo.interface import Answer, MemoryNetwork, Paper, SequenceNetwork, Tape, Told, Trace, at_least
from zoo.parts.cells import rows
from zoo.parts.computers import Maps, State, Steps, run
from zoo.parts.encoders import position_encoding
from zoo.parts.layers import normalise
from zoo.parts.linked import Rows, heard, sizes, turn


class Machine(MemoryNetwork):
    """An LSTM that writes to rows found by content or not in use, and reads rows by content or in order of writing.

    The classes below say what it hears in a step, and what becomes of its output.

    Args:
        hears: width of the vectors that it hears.
        slots: N.
        width: W.
        dim: d of the controller.
        read_heads: R.
        links: whether it remembers in which order rows were written.
        normalise: whether layer norm stands where Franke et al. have it.
    """

    paper = Paper(
        "Graves et al.",
        2016,
        "Hybrid computing using a neural network with dynamic external memory",
        "https://www.nature.com/articles/nature20101",
    )
    memory = "dynamic"

    def __init__(
        self, hears: int, slots: int, width: int, dim: int, read_heads: int, links: bool, normalise: bool
    ) -> None:
        super().__init__()
        at_least(1, slots=slots, width=width, dim=dim, read_heads=read_heads)
        self.slots, self.width, self.dim, self.read_heads, self.links = slots, width, dim, read_heads, links
        said = sum(sizes(read_heads, width, links))
        self.W_x, self.W_r = uniform(4 * dim, hears), uniform(4 * dim, read_heads * width)
        self.U = uniform(4 * dim, dim)
        self.b = nn.Parameter(torch.cat([torch.zeros(dim), torch.ones(dim), torch.zeros(2 * dim)]))
        self.W_said, self.b_said = uniform(said, dim), nn.Parameter(torch.zeros(said))
        self.gate_gain = nn.Parameter(torch.ones(4 * dim)) if normalise else None
        self.cell_gain = nn.Parameter(torch.ones(dim)) if normalise else None
        self.cell_shift = nn.Parameter(torch.zeros(dim)) if normalise else None
        self.said_gain = nn.Parameter(torch.ones(said)) if normalise else None
        self.said_shift = nn.Parameter(torch.zeros(said)) if normalise else None

    def begin(self, count: int, slots: int) -> State:
        N, W, R, linked = slots, self.width, self.read_heads, slots if self.links else 0
        shapes = (W, N), (N,), (N,), (linked,), (linked, linked), (R, N), (R, W)
        nothing = Rows(*(self.b.new_zeros(count, *shape) for shape in shapes))
        return State(self.b.new_zeros(count, self.dim), self.b.new_zeros(count, self.dim), nothing)

    def step(self, x: Tensor, kept: Tensor | None, state: State) -> State:
        """Hear `x`, (B, 4d), write, then read.

        Args:
            x: the controller's input, without what comes from the state.
            kept: (B, d) what dropout makes of the controller's output; None: it stays as it is.
            state: after the step before.
        """
        h, c = self.control(x, state)
        return State(h if kept is None else h * kept, c, turn(self.say(h), state.rows))

    def control(self, x: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Compute the output of the LSTM and its cell."""
        x = x + state.rows.reads.flatten(1) @ self.W_r.T + state.h @ self.U.T
        x = x + self.b if self.gate_gain is None else normalise(x, self.gate_gain, self.b)
        i, f, o, candidate = x.chunk(4, dim=-1)
        c = torch.sigmoid(f) * state.c + torch.sigmoid(i) * torch.tanh(candidate)
        shown = c
        if self.cell_gain is not None and self.cell_shift is not None:
            shown = normalise(c, self.cell_gain, self.cell_shift)
        return torch.sigmoid(o) * torch.tanh(shown), c

    def say(self, h: Tensor) -> Tensor:
        """Compute xi, all that the controller says to the memory, (..., P), of its output."""
        xi = h @ self.W_said.T + self.b_said
        if self.said_gain is None or self.said_shift is None:
            return xi
        return normalise(xi, self.said_gain, self.said_shift)

    def run(self, x: Tensor, heard: Tensor, kept: Tensor | None, state: State, asked: Tensor) -> tuple[Steps, State]:
        """Take step after step; see `zoo.parts.computers.run`."""
        maps = Maps(
            self.W_r, self.U, self.b, self.W_said, self.b_said, self.gate_gain, self.cell_gain, self.cell_shift,
            self.said_gain, self.said_shift,
        )  # fmt: skip
        return run(self.step, x, heard, kept, state, asked, maps)

    def state_size(self, story_length: int) -> int:
        """The rows of the memory, and their links; the controller and the weightings come on top."""
        return self.slots * (self.width + (self.slots if self.links else 0))


class SequenceDNC(Machine, SequenceNetwork):
    """The machine of the paper: a vector in, bits out, in every step.

    No weight has the number of rows for a size, so training can do with as many as its sequences need.

    Args:
        inputs: width of the vectors of the task.
        outputs: bits that it asks for.
        slots: N.
        training_slots: N in training.
        width: W.
        dim: d of the controller.
        read_heads: R.
        links: whether it remembers in which order rows were written.
        normalise: whether layer norm stands where Franke et al. have it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        slots: int = 128,
        training_slots: int = 32,
        width: int = 20,
        dim: int = 100,
        read_heads: int = 1,
        links: bool = True,
        normalise: bool = False,
    ) -> None:
        super().__init__(inputs, slots, width, dim, read_heads, links, normalise)
        at_least(1, training_slots=training_slots)
        self.training_slots = training_slots
        self.answers = uniform(outputs, dim + read_heads * width)
        self.b_answers = nn.Parameter(torch.zeros(outputs))

    def encode(self, batch: Sequences) -> Tensor:
        """I: the controller's input in every step, (B, T, 4d)."""
        return batch.inputs @ self.W_x.T

    def write(self, features: Tensor, batch: Sequences) -> Steps:
        """G: output, weightings and reads of every step, (B, T, ...); the memory itself is not kept."""
        return self.listen(features, self.slots)

    def learn(self, batch: Sequences) -> dict[str, Tensor]:
        features = self.encode(batch)
        recall, tape = self.read(self.listen(features, self.training_slots), features, batch)
        return self.loss(Answer(self.respond(recall), tape), batch)

    def listen(self, features: Tensor, slots: int) -> Steps:
        count, steps = features.shape[:2]
        heard = torch.arange(count * steps, device=features.device).view(count, steps)
        return self.run(features.flatten(0, 1), heard, None, self.begin(count, slots), heard[:0, 0])[0]

    def read(self, memory: Steps, features: Tensor, batch: Sequences) -> tuple[Tensor, Tape]:
        """O: the controller's output and the vectors that were read, in every step."""
        h, reading, writing, reads = memory
        return torch.cat([h, reads.flatten(2)], dim=-1), Tape(
            reading, writing[:, :, None], reads.sum(2), heard(self.say(h), self.read_heads, self.width).add
        )

    def respond(self, recall: Tensor) -> Tensor:
        """R: W_y h + W_r [r^1; ...; r^R], as one map."""
        return recall @ self.answers.T + self.b_answers


class DNC(Machine):
    """A machine that hears a story, then a question.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        slots: N.
        width: W.
        dim: d of the controller.
        embedding: width of word vectors.
        read_heads: R.
        links: whether it remembers in which order rows were written.
        normalise: whether layer norm stands where Franke et al. have it.
        dropout: share of the controller's output that is left out on its way around the memory in training.
    """

    batched_by = "story"
    traces = "writing"
    goes_on = True

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        slots: int = 64,
        width: int = 32,
        dim: int = 128,
        embedding: int = 64,
        read_heads: int = 4,
        links: bool = False,
        normalise: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(embedding, slots, width, dim, read_heads, links, normalise)
        at_least(1, embedding=embedding)
        at_least(0, dropout=dropout)
        if dropout >= 1:
            raise ValueError(f"model.dropout={dropout}: expected less than 1")
        self.window, self.dropout = story_length, dropout
        self.words = nn.Parameter(torch.randn(vocabulary, embedding) * 0.1)
        self.W_q = uniform(*self.W_x.shape)
        self.answers = uniform(vocabulary - 1, dim + read_heads * width)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: the controller's input for every distinct sentence and for every distinct question."""
        sentences = position_encoding(batch.sentences, self.words)
        return sentences @ self.W_x.T, sentences @ self.W_q.T

    def write(self, features: tuple[Tensor, Tensor], batch: Questions, before: Told | None = None) -> Told:
        """G: all that the machine holds when each question is asked, with the mask of each story, (B, d), and where
        each sentence was written, (B, T, N)."""
        count, length = batch.stories.shape
        kept = None
        if batch.noise is not None:  # a story has the mask of its first question
            first = (batch.story == torch.arange(count, device=batch.story.device)[:, None]).int().argmax(1)
            kept = rows(batch.noise, first)
        asked = batch.story * length + batch.told.clamp(min=1) - 1
        told = torch.where(batch.stories == PAD, -1, batch.stories)
        first_state = self.begin(count, self.slots) if before is None else before.state[0]
        steps, state = self.run(features[0], told, kept, first_state, asked)
        return Told((state, kept), steps.writing)

    def read(self, memory: Told, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: one more step, with the question; the controller's output and what it reads."""
        (state, kept), writing = memory
        assert writing is not None
        own = None if kept is None else rows(kept, batch.story)
        after, _ = self.run(features[1], batch.question[:, None], own, state, batch.question[:0])
        # what a sentence has written to the rows that are read
        wrote = rows(writing.flatten(1), batch.story).view(-1, *writing.shape[1:])
        told = torch.arange(writing.shape[1], device=batch.told.device) < batch.told[:, None]
        trace = torch.where(told[:, None], after.reading[:, 0] @ wrote.mT, 0.0)
        return torch.cat([after.h[:, 0], after.reads[:, 0].flatten(1)], dim=1), Trace(trace)

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Draw what dropout multiplies the controller's output with, (N, d)."""
        if not self.dropout:
            return None
        draws = torch.rand(len(told), self.dim, generator=generator, device=generator.device)
        return ((draws >= self.dropout) / (1 - self.dropout)).to(told.device)


def uniform(*shape: int) -> nn.Parameter:
    return nn.Parameter((torch.rand(*shape) * 2 - 1) * shape[-1] ** -0.5)
