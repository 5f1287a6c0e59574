"""Neural Turing machine.

Paper: Graves, Wayne and Danihelka, 2014, "Neural Turing Machines" (arXiv:1410.5401), section 3. Numbers of equations
are the paper's.
Symbols: M memory of N rows of width W, h controller output, k key, beta key strength, g interpolation gate, s shift
weights, gamma sharpening, w weighting of the rows, e erase and a add vector, r what is read.
Deviations:
- Key and add vectors pass through tanh, which keeps training stable (as others do).
- Heads read the rows as content addressing sees them, before the step writes; the paper leaves the order open.
- Memory begins at a small constant (Collier and Beel, 2018, found that best), heads at the first row, reads and the
  controller's state at learned values. Before it learns, a head would rather stay than shift: otherwise the read heads
  of most machines learn to walk through blank rows while they listen, away from the write head, until the two meet
  where the memory closes its circle, and copies longer than half the memory fail.
- Adam trains it, and the gradient is clipped as a whole; the paper has RMSProp with momentum and clips each component.
- On repeat copy, associative recall and priority sort, sequences grow to the paper's lengths over the first half of
  the training or more.
- The paper's tasks are algorithms, which `SequenceNTM` reads. `NTM` reads stories: it hears them sentence by sentence
  (a sum of word vectors with position encoding, as in MemN2N) or word by word, then the question, by a map of its own,
  in one step, and the answer is scored from the controller's output and the reads of that step.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import PAD, Questions, Sequences
from zoo.interface import Answer, MemoryNetwork, Paper, SequenceNetwork, Tape, Told, Trace, at_least, one_of
from zoo.parts.cells import lstm, rows
from zoo.parts.encoders import position_encoding
from zoo.parts.machines import Maps, State, run


class Machine(MemoryNetwork):
    """A controller that reads and writes the rows of a memory through heads, by what they hold and by where they are.

    The classes below say what it hears in a step, and what becomes of its output.

    Args:
        hears: width of the vectors that it hears.
        slots: N.
        width: W.
        dim: d of the controller.
        read_heads: number of heads that read.
        write_heads: number of heads that write.
        controller: `lstm` or `feedforward`.
        layers: of the LSTM, one above the other.
        forget_bias: of the LSTM's forget gates, before it learns.
    """

    paper = Paper("Graves, Wayne and Danihelka", 2014, "Neural Turing Machines", "https://arxiv.org/abs/1410.5401")
    memory = "dynamic"

    def __init__(
        self,
        hears: int,
        slots: int,
        width: int,
        dim: int,
        read_heads: int,
        write_heads: int,
        controller: str,
        layers: int,
        forget_bias: float,
    ) -> None:
        super().__init__()
        at_least(1, slots=slots, width=width, dim=dim, layers=layers)
        at_least(1, read_heads=read_heads, write_heads=write_heads)
        one_of(("lstm", "feedforward"), controller=controller)
        if controller == "feedforward" and layers > 1:
            raise ValueError(f"model.layers={layers}: expected 1 where model.controller=feedforward")
        if controller == "feedforward" and forget_bias:
            raise ValueError(f"model.forget_bias={forget_bias}: expected 0 where model.controller=feedforward")
        self.slots, self.width, self.dim = slots, width, dim
        self.read_heads, self.heads = read_heads, read_heads + write_heads
        recurrent = controller == "lstm"
        gates = 4 if recurrent else 1
        self.W_x = uniform(gates * dim, hears)
        self.W_r = uniform(gates * dim, read_heads * width)
        # of the input, forget and output gate and of the candidate, or of the feed-forward controller
        b = torch.zeros(gates, dim)
        b[1:2] = forget_bias
        self.b = nn.Parameter(b.flatten())
        self.U = uniform(layers, 4 * dim, dim) if recurrent else None
        self.W_up = uniform(layers - 1, 4 * dim, dim) if recurrent and layers > 1 else None
        self.b_up = nn.Parameter(b.flatten().repeat(layers - 1, 1)) if recurrent and layers > 1 else None
        self.first_state = nn.Parameter(torch.zeros(layers, 2 * dim)) if recurrent else None
        self.first_reads = nn.Parameter(torch.randn(read_heads, width) * 0.1)
        # k, beta, g, s and gamma of every head, e and a of those that write
        self.W_head, self.W_write = uniform(self.heads * (width + 6), dim), uniform(write_heads * 2 * width, dim)
        first = torch.zeros(self.heads, width + 6)
        first[:, width + 3] = 2.0  # of s: to stay
        self.b_head = nn.Parameter(first.flatten())
        self.b_write = nn.Parameter(torch.zeros(write_heads * 2 * width))

    def begin(self, count: int, slots: int | None = None) -> State:
        slots = slots or self.slots
        at_first = F.one_hot(torch.zeros(self.heads, dtype=torch.long, device=self.b.device), slots)
        return State(
            self.b.new_zeros(count, self.dim),
            self.b.new_zeros(count, 0) if self.first_state is None else self.first_state.expand(count, -1, -1),
            self.b.new_full((count, self.width, slots), 1e-6),
            at_first.to(self.b.dtype).expand(count, -1, -1),
            self.first_reads.expand(count, -1, -1),
        )

    def run(
        self, x: Tensor, heard: Tensor, state: State, asked: Tensor, gaps: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, State]:
        """Step after step: outputs, weightings and reads, (B, T, ...), and the states that are asked for."""
        U = self.U if self.U is None else self.U[0]
        maps = Maps(self.W_r, self.b, U, self.W_head, self.b_head, self.W_write, self.b_write)
        return run(self.step, x, heard, state, asked, gaps, maps if self.W_up is None else None)

    def step(self, x: Tensor, state: State) -> State:
        """Hear `x`, (B, gates d), address with every head, read, then write."""
        h, controller = self.control(x + state.reads.flatten(1) @ self.W_r.T + self.b, state.controller)
        weights = self.address(h, state)
        reads = weights[:, : self.read_heads] @ state.memory.transpose(1, 2)  # eq. 2: r = sum_i w(i) M(i)
        erase, add = self.erase_and_add(h)
        writing = weights[:, self.read_heads :]
        memory = state.memory
        for w, e in zip(writing.unbind(1), erase.unbind(1), strict=True):
            memory = memory * (1 - e[:, :, None] * w[:, None])  # eq. 3
        for w, a in zip(writing.unbind(1), add.unbind(1), strict=True):
            memory = memory + a[:, :, None] * w[:, None]  # eq. 4
        return State(h, controller, memory, weights, reads)

    def control(self, x: Tensor, controller: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the controller's output and its next state."""
        if self.U is None:
            return torch.tanh(x), controller
        states: list[Tensor] = []
        for layer, state in enumerate(controller.unbind(1)):
            if layer:
                assert self.W_up is not None and self.b_up is not None
                x = states[-1][:, : self.dim] @ self.W_up[layer - 1].T + self.b_up[layer - 1]
            states.append(lstm(x, state, self.U[layer]))
        return states[-1][:, : self.dim], torch.stack(states, dim=1)

    def erase_and_add(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Compute e and a of every write head, (..., heads, W) each, from outputs of the controller, (..., d)."""
        e, a = (h @ self.W_write.T + self.b_write).unflatten(-1, (-1, 2 * self.width)).chunk(2, dim=-1)
        return torch.sigmoid(e), torch.tanh(a)

    def address(self, h: Tensor, state: State) -> Tensor:
        """Compute the weighting of every head, (B, heads, N)."""
        k, beta, g, s, gamma = (
            (h @ self.W_head.T + self.b_head)
            .view(len(h), self.heads, self.width + 6)
            .split([self.width, 1, 1, 3, 1], dim=-1)
        )
        k = torch.tanh(k)
        lengths = ((state.memory * state.memory).sum(1) + 1e-16).sqrt()  # `norm` takes many times as long
        cosine = k @ state.memory / (k.norm(dim=-1)[:, :, None] * lengths[:, None] + 1e-8)  # eq. 6
        w = (F.softplus(beta) * cosine).softmax(dim=-1)  # eq. 5
        g = torch.sigmoid(g)
        w = g * w + (1 - g) * state.weights  # eq. 7
        back, stay, forth = s.softmax(dim=-1).split(1, dim=-1)
        around = torch.cat([w[..., -1:], w, w[..., :1]], dim=-1)
        w = back * around[..., 2:] + stay * w + forth * around[..., :-2]  # eq. 8
        return ((1 + F.softplus(gamma)) * w.clamp(min=1e-12).log()).softmax(dim=-1)  # eq. 9: w^gamma / sum w^gamma

    def state_size(self, story_length: int) -> int:
        """The rows of the memory; the controller and the heads come on top."""
        return self.slots * self.width


class SequenceNTM(Machine, SequenceNetwork):
    """The machine of the paper: a vector in, bits out, in every step.

    No weight has the number of rows for a size, so a machine may have more rows than it has learned with.

    Args:
        inputs: width of the vectors of the task.
        outputs: bits that it asks for.
        slots: N.
        training_slots: N in training; 0 is as many.
        width: W.
        dim: d of the controller.
        read_heads: number of heads that read.
        write_heads: number of heads that write.
        controller: `lstm` or `feedforward`.
        layers: of the LSTM, one above the other.
        forget_bias: of the LSTM's forget gates, before it learns.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        slots: int = 128,
        training_slots: int = 0,
        width: int = 20,
        dim: int = 100,
        read_heads: int = 1,
        write_heads: int = 1,
        controller: str = "lstm",
        layers: int = 1,
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__(inputs, slots, width, dim, read_heads, write_heads, controller, layers, forget_bias)
        at_least(0, training_slots=training_slots)
        self.training_slots = training_slots or slots
        self.answers = uniform(outputs, dim + read_heads * width)
        self.b_answers = nn.Parameter(torch.zeros(outputs))

    def encode(self, batch: Sequences) -> Tensor:
        """I: the controller's input in every step, (B, T, gates d)."""
        return batch.inputs @ self.W_x.T

    def write(self, features: Tensor, batch: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """G: output, reads and weightings of every step, (B, T, ...); the memory itself is not kept."""
        return self.listen(features, self.slots)

    def learn(self, batch: Sequences) -> dict[str, Tensor]:
        features = self.encode(batch)
        recall, tape = self.read(self.listen(features, self.training_slots), features, batch)
        return self.loss(Answer(self.respond(recall), tape), batch)

    def listen(self, features: Tensor, slots: int) -> tuple[Tensor, Tensor, Tensor]:
        count, steps = features.shape[:2]
        heard = torch.arange(count * steps, device=features.device).view(count, steps)
        outputs, weights, reads, _ = self.run(features.flatten(0, 1), heard, self.begin(count, slots), heard[:0, 0])
        return outputs, reads, weights

    def read(self, memory: tuple[Tensor, Tensor, Tensor], features: Tensor, batch: Sequences) -> tuple[Tensor, Tape]:
        """O: the controller's output and the vectors that were read, in every step."""
        outputs, reads, weights = memory
        adds = self.erase_and_add(outputs)[1].sum(-2)
        tape = Tape(weights[:, :, : self.read_heads], weights[:, :, self.read_heads :], reads.sum(2), adds)
        return torch.cat([outputs, reads.flatten(2)], dim=-1), tape

    def respond(self, recall: Tensor) -> Tensor:
        return recall @ self.answers.T + self.b_answers


class NTM(Machine):
    """A machine that hears a story, then a question.

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
        layers: of the LSTM, one above the other.
        hears: `sentences` or `words`, one in each step.
        forget_bias: of the LSTM's forget gates, before it learns.
    """

    batched_by = "story"
    traces = "writing"
    goes_on = True

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
        layers: int = 1,
        hears: str = "sentences",
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__(embedding, slots, width, dim, read_heads, write_heads, controller, layers, forget_bias)
        at_least(1, embedding=embedding)
        one_of(("sentences", "words"), hears=hears)
        self.window, self.hears = story_length, hears
        self.words = nn.Parameter(torch.randn(vocabulary, embedding) * 0.1)
        self.W_q = uniform(*self.W_x.shape)
        self.answers = uniform(vocabulary - 1, dim + read_heads * width)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: the controller's input for every distinct sentence, or every word, and for every distinct question."""
        sentences = position_encoding(batch.sentences, self.words)
        heard = sentences if self.hears == "sentences" else self.words
        return heard @ self.W_x.T, sentences @ self.W_q.T

    def write(self, features: tuple[Tensor, Tensor], batch: Questions, before: Told | None = None) -> Told:
        """G: all that the machine holds when each question is asked, and what each sentence wrote where, (B, T, N)."""
        count, length = batch.stories.shape
        heard = batch.stories
        if self.hears == "words":
            heard = rows(batch.sentences, heard).flatten(1)
        heard = torch.where(heard == PAD, -1, heard)
        each = heard.shape[1] // length  # steps of a sentence
        asked = batch.story * heard.shape[1] + batch.told.clamp(min=1) * each - 1
        first = self.begin(count) if before is None else before.state
        _, weights, _, state = self.run(features[0], heard, first, asked, self.hears == "words")
        writing = torch.where(heard[..., None] < 0, 0.0, weights[:, :, self.read_heads :].sum(2))
        return Told(state, writing.unflatten(1, (length, each)).sum(2))

    def read(self, memory: Told, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: one more step, with the question; the controller's output and what it reads."""
        state, written = memory
        assert written is not None
        length = written.shape[1]
        output, weights, reads, _ = self.run(features[1], batch.question[:, None], state, batch.question[:0])
        # what a sentence has written to the rows that are read
        wrote = rows(written.flatten(1), batch.story).view(-1, length, self.slots)
        trace = weights[:, 0, : self.read_heads] @ wrote.transpose(1, 2)
        heard = torch.arange(length, device=batch.told.device) < batch.told[:, None]
        trace = torch.where(heard[:, None], trace, 0.0)
        return torch.cat([output[:, 0], reads[:, 0].flatten(1)], dim=1), Trace(trace)

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))


def uniform(*shape: int) -> nn.Parameter:
    return nn.Parameter((torch.rand(*shape) * 2 - 1) * shape[-1] ** -0.5)
