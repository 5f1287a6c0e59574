"""Copy, repeat copy, associative recall, dynamic n-grams, priority sort (Graves, Wayne and Danihelka, 2014, section 4).

Every task draws a batch at once, on the device of its generator. All sequences of a batch have one form: one length
and, in repeat copy, one number of repeats. The input is blank while an answer is due.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from tasks.batch import Sequences, Widths

NUMBER = 4  # bytes


@dataclass(frozen=True)
class Task(ABC):
    """A task: it draws sequences of a form. The form is a tuple of whole numbers, a length for example."""

    form: ClassVar[tuple[str, ...]]  # names of the numbers

    @property
    def smallest(self) -> tuple[int, ...]:
        """The shortest form, with which growing sequences begin."""
        return (1,) * len(self.form)

    @property
    @abstractmethod
    def widths(self) -> Widths:
        """The widths of inputs and outputs."""

    @abstractmethod
    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Draw `count` sequences of one form."""

    def wrong(self, *form: int) -> str:
        """Say why a form whose numbers are all at least 1 cannot be drawn; empty if it can."""
        return ""

    def least_size(self, *form: int) -> int:
        """Bytes that a sequence of a form takes at least."""
        return NUMBER * max(form) * sum(self.widths)

    def blank(self, count: int, steps: int, generator: Generator) -> Sequences:
        """Make sequences that show nothing and ask for nothing."""
        device = generator.device
        return Sequences(
            torch.zeros(count, steps, self.widths.inputs, device=device),
            torch.zeros(count, steps, self.widths.outputs, device=device),
            torch.zeros(count, steps, dtype=torch.bool, device=device),
        )


@dataclass(frozen=True)
class Copy(Task):
    """Vectors of random bits, a delimiter, then the same vectors are asked for."""

    bits: int
    form = ("length",)

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 1, self.bits)

    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Show vectors, then ask for them."""
        (length,) = form
        drawn = self.blank(count, 2 * length + 1, generator)
        vectors = coins(generator, count, length, self.bits)
        drawn.inputs[:, :length, :-1] = vectors
        drawn.inputs[:, length, -1] = 1
        drawn.targets[:, length + 1 :] = vectors
        drawn.mask[:, length + 1 :] = True
        return drawn


@dataclass(frozen=True)
class RepeatCopy(Task):
    """Copy the vectors several times, then give an end marker; the number of times comes with the delimiter.

    The number is scaled to zero mean and unit variance over 1 to `most`, as in training.
    """

    bits: int
    most: int
    form = ("length", "repeats")

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 2, self.bits + 1)

    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Show vectors and a number, then ask for the vectors so many times."""
        length, repeats = form
        drawn = self.blank(count, length + 1 + length * repeats + 1, generator)
        vectors = coins(generator, count, length, self.bits)
        drawn.inputs[:, :length, :-2] = vectors
        drawn.inputs[:, length, -2] = 1
        drawn.inputs[:, length, -1] = self.scaled(repeats)
        drawn.targets[:, length + 1 : -1, :-1] = vectors.repeat(1, repeats, 1)
        drawn.targets[:, -1, -1] = 1
        drawn.mask[:, length + 1 :] = True
        return drawn

    def scaled(self, repeats: int) -> float:
        """The input that stands for a number of repeats."""
        deviation: float = ((self.most**2 - 1) / 12) ** 0.5  # of a uniform draw from 1 to most
        return (repeats - (self.most + 1) / 2) / max(deviation, 1e-9)


@dataclass(frozen=True)
class AssociativeRecall(Task):
    """Items of several vectors, each after a delimiter; then one of them again, between two marks.

    The item after that one is asked for, so the last item is never shown again.
    """

    bits: int
    vectors: int  # of an item
    form = ("items",)

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 2, self.bits)

    @property
    def smallest(self) -> tuple[int, ...]:
        return (2,)

    def wrong(self, *form: int) -> str:
        """Refuse less than two items."""
        (items,) = form
        return f"items={items}, expected at least 2: one is shown again, the next is asked for" if items < 2 else ""

    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Show items, then one of them, and ask for the item after it."""
        (items,) = form
        size = self.vectors + 1
        shown = items * size  # steps
        drawn = self.blank(count, shown + size + 1 + self.vectors, generator)
        drawn_items = coins(generator, count, items, self.vectors, self.bits)
        chosen = torch.randint(items - 1, (count,), generator=generator, device=generator.device)
        each = torch.arange(count, device=generator.device)
        drawn.inputs[:, :shown:size, -2] = 1
        drawn.inputs[:, :shown].unflatten(1, (items, size))[:, :, 1:, :-2] = drawn_items
        drawn.inputs[:, [shown, shown + size], -1] = 1
        drawn.inputs[:, shown + 1 : shown + size, :-2] = drawn_items[each, chosen]
        drawn.targets[:, shown + size + 1 :] = drawn_items[each, chosen + 1]
        drawn.mask[:, shown + size + 1 :] = True
        return drawn


@dataclass(frozen=True)
class DynamicNGrams(Task):
    """Bits that depend on the bits before them, by a table drawn for every sequence from Beta(1/2, 1/2).

    The first bits, which have too few before them, are coins and not asked for. The target of a step is the next bit.
    """

    context: int  # number of bits that the next bit depends on
    form = ("length",)

    @property
    def widths(self) -> Widths:
        return Widths(1, 1)

    @property
    def smallest(self) -> tuple[int, ...]:
        return (self.context + 1,)

    def wrong(self, *form: int) -> str:
        """Refuse sequences that end within the first context."""
        (length,) = form
        return "" if length > self.context else f"length={length}, expected more than the {self.context} of the context"

    def least_size(self, *form: int) -> int:
        """Bytes that a sequence of a form takes at least, its table included."""
        return NUMBER * (int(2**self.context) + max(form) * sum(self.widths))

    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Draw a table for each sequence, then its bits by the table."""
        (length,) = form
        table = arcsine(generator, count, 2**self.context)
        chance = torch.rand(count, length, generator=generator, device=generator.device)
        bits = (chance < 0.5).float()
        context = contexts(bits, self.context)[:, 0]  # of the first bit that has one
        for place in range(self.context, length):
            bit = (chance[:, place : place + 1] < table.gather(1, context[:, None])).long()[:, 0]
            bits[:, place] = bit
            context = (2 * context + bit) % 2**self.context
        drawn = self.blank(count, length - 1, generator)
        drawn.inputs[:, :, 0] = bits[:, :-1]
        drawn.targets[:, :, 0] = bits[:, 1:]
        drawn.mask[:, self.context - 1 :] = True
        return drawn


@dataclass(frozen=True)
class PrioritySort(Task):
    """Vectors of random bits, each with a priority from -1 to 1; those of highest priority are asked for, in order."""

    bits: int
    form = ("length", "kept")

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 2, self.bits)

    def wrong(self, *form: int) -> str:
        """Refuse to ask for more vectors than are shown."""
        length, kept = form
        return f"kept={kept}, expected at most the length, {length}" if kept > length else ""

    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """Show vectors with priorities, then ask for the first of their order."""
        length, kept = form
        drawn = self.blank(count, length + 1 + kept, generator)
        vectors = coins(generator, count, length, self.bits)
        priorities = 2 * torch.rand(count, length, generator=generator, device=generator.device) - 1
        order = priorities.argsort(dim=1, descending=True)[:, :kept]
        drawn.inputs[:, :length, :-2] = vectors
        drawn.inputs[:, :length, -2] = priorities
        drawn.inputs[:, length, -1] = 1
        drawn.targets[:, length + 1 :] = vectors.gather(1, order[:, :, None].expand(-1, -1, self.bits))
        drawn.mask[:, length + 1 :] = True
        return drawn


TASKS: dict[str, type[Task]] = {
    "copy": Copy,
    "repeat_copy": RepeatCopy,
    "associative_recall": AssociativeRecall,
    "dynamic_ngrams": DynamicNGrams,
    "priority_sort": PrioritySort,
}


def coins(generator: Generator, *shape: int) -> Tensor:
    """Draw bits, 0 or 1 with equal chance."""
    return torch.randint(2, shape, generator=generator, device=generator.device).float()


def arcsine(generator: Generator, *shape: int) -> Tensor:
    """Draw from Beta(1/2, 1/2), the arcsine distribution, by its inverse distribution function."""
    return torch.sin(torch.pi / 2 * torch.rand(*shape, generator=generator, device=generator.device)) ** 2


def contexts(bits: Tensor, size: int) -> Tensor:
    """The numbers spelled by every `size` bits in a row, the oldest bit first: (B, T - size + 1)."""
    place = 2 ** torch.arange(size - 1, -1, -1, device=bits.device)
    return (bits.long().unfold(1, size, 1) * place).sum(-1)


def optimal_bits(sequences: Sequences, context: int) -> Tensor:
    """The cost of each sequence for the best possible predictor of dynamic n-grams, in bits, (B,).

    The predictor knows the distribution of the tables, not the table: after n_1 ones and n_0 zeros in a context, it
    gives a one the probability (n_1 + 1/2) / (n_1 + n_0 + 1).
    """
    bits = torch.cat([sequences.inputs[:, :1, 0], sequences.targets[..., 0]], dim=1)  # (B, length)
    before = torch.nn.functional.one_hot(contexts(bits, context)[:, :-1], 2**context).double()  # (B, T, contexts)
    bit = bits[:, context:, None]

    def seen(which: Tensor) -> Tensor:
        """Count, before each bit, how often a bit of this kind followed its context, (B, T)."""
        counts = (before * which).cumsum(1) - before * which
        return (counts * before).sum(-1)

    ones, zeros = seen(bit), seen(1 - bit)
    same = torch.where(bit[..., 0] == 1, ones, zeros)
    return -((same + 0.5) / (ones + zeros + 1)).log2().sum(1)
