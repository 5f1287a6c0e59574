"""The interface of a memory network: the four functions I, G, O, R of Weston et al. (2015), section 2."""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions, Sequences
from tasks.errors import UserError, nearest
from zoo.parts.candidates import score_candidates


class Paper(NamedTuple):
    """A publication: authors, year, title, link."""

    authors: str
    year: int
    title: str
    link: str


CAPABILITIES = {  # flags of a model that data may need: what a model without the flag does, and what the data have
    "ranks_candidates": ("answers with one word", "asks for one of many replies"),
    "unordered": ("reads stories in their order", "has a knowledge base that is searched"),
}


class Trace(NamedTuple):
    """The attention that led to answers, in one form for every model; plots and pages draw it."""

    attention: Tensor  # (N, K, T) for each sentence of the story at each hop; MemoryNetwork.traces has its meaning

    @classmethod
    def none(cls, batch: Questions) -> "Trace":
        """The trace of a model that looks nowhere: no hops, K = 0."""
        return cls(torch.zeros(len(batch.told), 0, batch.stories.shape[-1], device=batch.told.device))


class Tape(NamedTuple):
    """Readings and writings of a network's heads in every step of a sequence."""

    reading: Tensor  # (B, T, read heads, N) weights of the memory's rows
    writing: Tensor  # (B, T, write heads, N)
    reads: Tensor  # (B, T, W) what was read, the sum over heads
    adds: Tensor  # (B, T, W) what was added, the sum over heads

    @classmethod
    def none(cls, batch: Sequences) -> "Tape":
        """The tape of a network without heads: all tables are empty."""
        nothing = batch.inputs.new_zeros(*batch.inputs.shape[:2], 0)
        return cls(nothing[..., None], nothing[..., None], nothing, nothing)


class Told(NamedTuple):
    """The memory of a model that can be told more of a story later; see `MemoryNetwork.goes_on`."""

    state: Any  # rewritten by every sentence, as each question finds it: a tensor or a tuple of tensors, (N, ...)
    each: Tensor | None  # (B, T, ...) kept of each sentence; None if nothing is


AnyBatch = Any  # of the model's `batch_type`: Questions, or Sequences for a SequenceNetwork


class Answer(NamedTuple):
    """Scores, and the trace behind them."""

    # (N, V) unnormalised log-probability of each word as the answer; of each candidate, (N, C); of sequences (B, T, O),
    # the log-odds of each bit
    scores: Tensor
    trace: Trace | Tape


class MemoryNetwork(nn.Module, ABC):
    """Four functions, which a model writes for one network.

    I  encode   sentences          -> features         what was said
    G  write    features           -> memory           what is kept
    O  read     question, memory   -> recall, trace    what is recalled
    R  respond  recall             -> answer scores    what is answered

    Restarts are trained by `torch.func.vmap` over parameters and buffers. So a model has no `.item()`, no shape that
    depends on values, no in-place change of a buffer, and no randomness but `noise`. A buffer named `linear`, a single
    truth value, tells the trainer that the model has a linear start.
    """

    paper: ClassVar[Paper]
    memory: ClassVar[str]  # "static": a slot per sentence; "dynamic": a fixed number of slots, rewritten
    supervision: str = "answers"  # or "supporting facts"
    batch_type: ClassVar[type] = Questions
    batched_by: ClassVar[str] = "question"  # or "story", or "sequence": the rows that a batch is drawn of
    # a key of zoo.traces.TRACES: "weights" sum to one, "gates" need not, "writing" is for models that attend to no
    # sentences
    traces: ClassVar[str] = "weights"
    # what data may need, see CAPABILITIES
    unordered: ClassVar[bool] = False  # True if it can answer from memories in no order, as a search finds them
    ranks_candidates: ClassVar[bool] = False  # True if it has `answer_words`, to choose among replies of several words
    # True if `write` returns `Told`, and can go on with it: write(features, batch, before) reads the next sentences of
    # the story in the batch, of which `before.state` is the state so far. It returns the state after them, and `each`
    # of the new sentences alone. So a sentence costs the same however long the story is
    goes_on: ClassVar[bool] = False
    # True if nothing of the network is made for a number of sentences, so that a story may be longer than in training
    unbounded: ClassVar[bool] = False
    # the number of last sentences that a question sees, set by __init__; the longest story where __init__ sets none.
    # Batches drawn by story show all sentences
    window: int
    # True if empty slots affect the answer. Batches then always have `window` slots instead of the longest story's
    counts_empty: ClassVar[bool] = False

    def forward(self, batch: AnyBatch) -> Answer:
        features = self.encode(batch)  # I
        memory = self.write(features, batch)  # G
        recall, trace = self.read(memory, features, batch)  # O
        scores = self.respond(recall) if batch.candidates is None else self.rank(recall, batch)  # R
        return Answer(scores, self.traced(trace, batch))

    @abstractmethod
    def encode(self, batch: AnyBatch) -> Any:
        """I: features of the sentence table, each distinct sentence once."""

    @abstractmethod
    def write(self, features: Any, batch: AnyBatch) -> Any:
        """G: the memory after the stories."""

    def first_memory(self) -> "Told | None":
        """The memory before the first sentence of a story that is told bit by bit; None if `write` needs none."""
        return None

    @abstractmethod
    def read(self, memory: Any, features: Any, batch: AnyBatch) -> tuple[Tensor, Trace | Tape | None]:
        """O: the memory's content on each question, (N, d), and where it was found; None if the model looks nowhere."""

    def traced(self, trace: Any, batch: AnyBatch) -> Trace | Tape:
        """Take what `read` returns beside its recall; refuse what no plot could draw."""
        if trace is None:
            return Trace.none(batch)
        if not isinstance(trace, Trace):
            raise UserError(f"read: its second value is a {type(trace).__name__}; expected a Trace, or None")
        shape, (questions, slots) = tuple(trace.attention.shape), (len(batch.told), batch.stories.shape[-1])
        if len(shape) != 3 or shape[0] != questions or shape[2] != slots:
            raise UserError(
                f"read: its trace has the shape {shape}; expected (N, K, T), with N = {questions} questions and "
                f"T = {slots} sentences here"
            )
        return trace

    @abstractmethod
    def respond(self, recall: Tensor) -> Tensor:
        """R: a score for each word as the answer, (N, V)."""

    def answer_words(self) -> Tensor:
        """A vector for each word, (V, d), zero for the empty one; for models that rank candidates.

        The score of an answer is the product of its words' vectors, added up, with the recall."""
        raise NotImplementedError

    def rank(self, recall: Tensor, batch: Questions) -> Tensor:
        """R: a score for each candidate reply, (N, C)."""
        return score_candidates(recall, self.answer_words(), batch)

    def room_for(self, words: int) -> "MemoryNetwork | None":
        """Copy a trained network, with numbers for so many words that nobody has met, behind those of its vocabulary.

        None if the model cannot read a word that it has not learned."""
        return None

    @abstractmethod
    def state_size(self, story_length: int) -> int:
        """Numbers held in the memory of a story of `story_length` sentences."""

    def cost(self, answer: Answer, batch: AnyBatch) -> Tensor:
        """Error in percent, summed over the questions of the batch; validation selects the lowest."""
        wrong: Tensor = ~batch.right(answer.scores.argmax(-1)) & (batch.answer != PAD)
        return 100 * wrong.sum(-1)

    def loss(self, answer: Answer, batch: AnyBatch) -> dict[str, Tensor]:
        """Named terms, each summed (not averaged) over the questions of the batch; the trainer adds them up.

        Several right answers have equal shares, as if one of them were drawn in every step."""
        if batch.golds is not None:
            there = batch.golds != PAD
            of_each = torch.where(there, answer.scores.log_softmax(-1).gather(-1, batch.golds), 0.0).sum(-1)
            return {"answer": -(of_each / there.sum(-1).clamp(min=1)).sum()}
        return {"answer": F.cross_entropy(answer.scores, batch.answer, ignore_index=PAD, reduction="sum")}

    def learn(self, batch: AnyBatch) -> dict[str, Tensor]:
        """The terms of the loss alone, for a step of training; overridden by models whose loss needs no answers."""
        return self.loss(self(batch), batch)

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Draw this step's random inputs, one row per question; `told` (N,) is the number of sentences each one sees.

        The trainer hands them back as `batch.noise`, which is None in evaluation. They are drawn here, outside of vmap,
        so that each restart has its own generator."""
        return None


class SequenceNetwork(MemoryNetwork):
    """The same four functions, step by step, for sequences of vectors; answers are bits.

    I  encode   inputs    -> features        inputs of every step
    G  write    features  -> memory          states and readings, step after step
    O  read     memory    -> recall, tape    input of the answer in every step, (B, T, d), and the work of the heads
    R  respond  recall    -> log-odds of every bit of every step
    """

    batch_type = Sequences
    batched_by = "sequence"

    def forward(self, batch: Sequences) -> Answer:
        features = self.encode(batch)  # I
        memory = self.write(features, batch)  # G
        recall, tape = self.read(memory, features, batch)  # O
        return Answer(self.respond(recall), self.traced(tape, batch))  # R

    def traced(self, trace: Any, batch: Sequences) -> Tape:
        return Tape.none(batch) if trace is None else trace

    def loss(self, answer: Answer, batch: Sequences) -> dict[str, Tensor]:
        """Cross-entropy of the bits that are asked for, in bits, summed over the batch."""
        return {"bits": bits(answer.scores, batch).sum()}

    def cost(self, answer: Answer, batch: Sequences) -> Tensor:
        """Bits, summed over the sequences of the batch; validation selects the lowest."""
        return bits(answer.scores, batch).sum(-1)


def bits(scores: Tensor, batch: Sequences) -> Tensor:
    """Compute the cross-entropy of each sequence, (..., B), in bits."""
    scores, targets = torch.broadcast_tensors(scores, batch.targets)
    nats = F.binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(-1)
    return (nats * batch.mask).sum(-1) / math.log(2)


def wrong_bits(scores: Tensor, batch: Sequences) -> Tensor:
    """Count the wrong bits of each sequence, (..., B); a bit is taken for the likelier of its two values."""
    wrong = (scores > 0) != (batch.targets > 0.5)
    return (wrong.sum(-1) * batch.mask).sum(-1)


def at_least(least: float, **given: float) -> None:
    """Refuse constructor arguments that are less than `least`."""
    for name, value in given.items():
        if value < least:
            raise ValueError(f"model.{name}={value}: expected at least {least}")


def one_of(known: tuple[str, ...], **given: str) -> None:
    """Refuse constructor arguments that are not among the known words."""
    for name, value in given.items():
        if value not in known:
            raise ValueError(f"model.{name}={value}: expected {' or '.join(known)}{nearest(str(value), list(known))}")
