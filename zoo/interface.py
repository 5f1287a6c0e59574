"""The contract between a memory network and everything around it: I, G, O, R (Weston et al., 2015, section 2)."""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions, Sequences
from tasks.errors import nearest
from zoo.parts.candidates import score_candidates


class Paper(NamedTuple):
    authors: str
    year: int
    title: str
    link: str


CAPABILITIES = {  # flags of a model that data may need: what a model without the flag does, and what the data have
    "ranks_candidates": ("answers with one word", "asks for one of many replies"),
    "unordered": ("reads stories in their order", "has a knowledge base that is searched"),
}


class Trace(NamedTuple):
    """Where a network looked: what the plots and pages draw, in one form for every model."""

    attention: Tensor  # (N, K, T) for each sentence of the story at each hop; MemoryNetwork.traces says what


class Tape(NamedTuple):
    """What the heads of a network did in every step of a sequence; all empty for one that has no heads."""

    reading: Tensor  # (B, T, read heads, N) weights of the memory's rows
    writing: Tensor  # (B, T, write heads, N)
    reads: Tensor  # (B, T, W) what was read, the sum over heads
    adds: Tensor  # (B, T, W) what was added, the sum over heads


class Answer(NamedTuple):
    # (N, V) unnormalised log-probability of each word as the answer; of each candidate, (N, C); of sequences (B, T, O),
    # the log-odds of each bit
    scores: Tensor
    trace: Trace | Tape


class MemoryNetwork(nn.Module, ABC):
    """A memory network is four functions.

    I  encode   sentences          -> features         what was said
    G  write    features           -> memory           what is kept
    O  read     question, memory   -> recall, trace    what is recalled
    R  respond  recall             -> answer scores    what is answered

    A model is written for one network. Restarts are trained by `torch.func.vmap` over its parameters and buffers, so it
    has no `.item()`, no shape that depends on values, no in-place change of a buffer, and no randomness but `noise`.
    A buffer named `linear`, a single truth value, tells the trainer that the model has a linear start.
    """

    paper: ClassVar[Paper]
    memory: ClassVar[str]  # "static": a slot a sentence; "dynamic": a fixed number of slots, rewritten
    supervision: ClassVar[str] = "answers"  # or "supporting facts"
    batch_type: ClassVar[type] = Questions
    batched_by: ClassVar[str] = "question"  # or "story", or "sequence": the rows that a batch is drawn of
    # one of TRACES: "weights" sum to one, "gates" need not; "writing" is of a model that attends to no sentences
    traces: ClassVar[str] = "weights"
    # what data may need, see CAPABILITIES
    unordered: ClassVar[bool] = False  # True if it can answer from memories in no order, as a search finds them
    ranks_candidates: ClassVar[bool] = False  # True if it has `answer_words`, to choose among replies of several words
    # methods called for every word or sentence: `trainer.compile` makes a program of each, not of the whole model
    compiled_methods: ClassVar[tuple[str, ...]] = ()
    worth_compiling: ClassVar[bool] = False  # True if the programs of `trainer.compile` repay a long training
    window: int  # how many of the last sentences it is shown; drawn by story, it is shown all
    # whether slots without a sentence change its answer: then a batch has all `window` slots, else, drawn by question,
    # as many as its longest story needs
    counts_empty: ClassVar[bool] = False

    def forward(self, batch: Questions) -> Answer:
        features = self.encode(batch)  # I
        memory = self.write(features, batch)  # G
        recall, trace = self.read(memory, features, batch)  # O
        scores = self.respond(recall) if batch.candidates is None else self.rank(recall, batch)  # R
        return Answer(scores, trace)

    @abstractmethod
    def encode(self, batch: Questions) -> Any:
        """I: features of the sentence table (of each distinct sentence once, not of each time it was told)."""

    @abstractmethod
    def write(self, features: Any, batch: Questions) -> Any:
        """G: the memory after the stories."""

    @abstractmethod
    def read(self, memory: Any, features: Any, batch: Questions) -> tuple[Tensor, Trace]:
        """O: what the memory holds on each question, (N, d), and where it was found."""

    @abstractmethod
    def respond(self, recall: Tensor) -> Tensor:
        """R: a score for each word as the answer, (N, V)."""

    def answer_words(self) -> Tensor:
        """(V, d) a vector for each word, zero for the empty one: the score of an answer is the product of the sum of
        its words' vectors and what was recalled. For models that rank."""
        raise NotImplementedError

    def rank(self, recall: Tensor, batch: Questions) -> Tensor:
        """R: a score for each candidate reply, (N, C)."""
        return score_candidates(recall, self.answer_words(), batch)

    @abstractmethod
    def state_size(self, story_length: int) -> int:
        """How many numbers the memory of a story of this many sentences holds."""

    def cost(self, answer: Answer, batch: Questions) -> Tensor:
        """What validation selects by, in percent, summed over the questions of the batch; restarts are kept apart."""
        wrong = ~batch.right(answer.scores.argmax(-1)) & (batch.answer != PAD)
        return 100 * wrong.sum(-1)

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        """Named terms, each summed (not averaged) over the questions of the batch; the trainer adds them up.

        Of several right answers each has an equal share, as if one were drawn in every step."""
        if batch.golds is not None:
            there = batch.golds != PAD
            of_each = torch.where(there, answer.scores.log_softmax(-1).gather(-1, batch.golds), 0.0).sum(-1)
            return {"answer": -(of_each / there.sum(-1).clamp(min=1)).sum()}
        return {"answer": F.cross_entropy(answer.scores, batch.answer, ignore_index=PAD, reduction="sum")}

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        """The terms of the loss alone, for a step of training; to be overridden where they need no answers."""
        return self.loss(self(batch), batch)

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """What is random about training on questions before which `told` (N,) sentences are shown, one row a question.

        The trainer hands it back as `batch.noise`, and hands out None when it evaluates. It is drawn here, outside of
        vmap, so that each restart has its own generator."""
        return None


class SequenceNetwork(MemoryNetwork):
    """A memory network that reads sequences of vectors and produces bits: the same four functions, step by step.

    I  encode   inputs    -> features   what is shown in every step
    G  write    features  -> memory     all that it did, step after step
    O  read     memory    -> recall     what it had at hand in every step, (B, T, d), and the trace of its heads
    R  respond  recall    -> log-odds of every bit of every step
    """

    batch_type = Sequences
    batched_by = "sequence"

    def forward(self, batch: Sequences) -> Answer:
        features = self.encode(batch)  # I
        memory = self.write(features, batch)  # G
        recall, tape = self.read(memory, features, batch)  # O
        return Answer(self.respond(recall), tape)  # R

    def loss(self, answer: Answer, batch: Sequences) -> dict[str, Tensor]:
        """Cross-entropy of the bits that are asked for, in bits, summed over the batch."""
        return {"bits": bits(answer.scores, batch).sum()}

    def cost(self, answer: Answer, batch: Sequences) -> Tensor:
        return bits(answer.scores, batch).sum(-1)


def bits(scores: Tensor, batch: Sequences) -> Tensor:
    """What each sequence costs, (..., B), in bits."""
    scores, targets = torch.broadcast_tensors(scores, batch.targets)
    nats = F.binary_cross_entropy_with_logits(scores, targets, reduction="none").sum(-1)
    return (nats * batch.mask).sum(-1) / math.log(2)


def wrong_bits(scores: Tensor, batch: Sequences) -> Tensor:
    """How many bits of each sequence are wrong, (..., B), where each is taken for the likelier of the two."""
    wrong = (scores > 0) != (batch.targets > 0.5)
    return (wrong.sum(-1) * batch.mask).sum(-1)


def at_least(least: float, **given: float) -> None:
    """Refuses constructor arguments that are too small, by their names."""
    for name, value in given.items():
        if value < least:
            raise ValueError(f"model.{name}={value}: expected at least {least}")


def one_of(known: tuple[str, ...], **given: str) -> None:
    """Refuses constructor arguments that are none of the words they may be, by their names."""
    for name, value in given.items():
        if value not in known:
            raise ValueError(f"model.{name}={value}: expected {' or '.join(known)}{nearest(str(value), list(known))}")
