"""Copy, repeat copy, associative recall, dynamic n-grams, priority sort (Graves, Wayne and Danihelka, 2014, section 4).

Every task draws a batch at once, on the device of its generator, all sequences of one form: of one length, that is, and
one number of repeats. Nothing is shown while an answer is to be given.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from tasks.batch import Sequences, Widths


@dataclass(frozen=True)
class Task(ABC):
    """A task; what a sequence's form is made of are the arguments of `draw` after `generator`, named in `form`."""

    form: ClassVar[tuple[str, ...]]

    @property
    def smallest(self) -> tuple[int, ...]:
        """The numbers of the shortest form, with which growing sequences begin."""
        return (1,) * len(self.form)

    @property
    @abstractmethod
    def widths(self) -> Widths: ...

    @abstractmethod
    def draw(self, count: int, generator: Generator, *form: int) -> Sequences:
        """`count` sequences of one form."""

    def wrong(self, *form: int) -> str:
        """What is wrong with a form whose numbers are all at least 1; nothing if it can be drawn."""
        return ""

    def blank(self, count: int, steps: int, generator: Generator) -> Sequences:
        """Sequences that show nothing and ask for nothing."""
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

    def draw(self, count: int, generator: Generator, length: int) -> Sequences:
        drawn = self.blank(count, 2 * length + 1, generator)
        vectors = coins(generator, count, length, self.bits)
        drawn.inputs[:, :length, :-1] = vectors
        drawn.inputs[:, length, -1] = 1
        drawn.targets[:, length + 1 :] = vectors
        drawn.mask[:, length + 1 :] = True
        return drawn


@dataclass(frozen=True)
class RepeatCopy(Task):
    """As copy, but several times over, then an end marker; how many times is told together with the delimiter.

    The number is scaled to zero mean and unit variance over 1 to `most`, the numbers of training.
    """

    bits: int
    most: int
    form = ("length", "repeats")

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 2, self.bits + 1)

    def draw(self, count: int, generator: Generator, length: int, repeats: int) -> Sequences:
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
        deviation = ((self.most**2 - 1) / 12) ** 0.5  # of a uniform draw from 1 to most
        return (repeats - (self.most + 1) / 2) / max(deviation, 1e-9)


@dataclass(frozen=True)
class AssociativeRecall(Task):
    """Items of several vectors, each after a delimiter; then one of them between two marks: the item after it is asked
    for. The last item is never the one that is shown again.
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

    def wrong(self, items: int) -> str:
        return f"items={items}, expected at least 2: one is shown again, the next is asked for" if items < 2 else ""

    def draw(self, count: int, generator: Generator, items: int) -> Sequences:
        size = self.vectors + 1
        told = items * size  # steps
        drawn = self.blank(count, told + size + 1 + self.vectors, generator)
        drawn_items = coins(generator, count, items, self.vectors, self.bits)
        asked = torch.randint(items - 1, (count,), generator=generator, device=generator.device)
        each = torch.arange(count, device=generator.device)
        drawn.inputs[:, :told:size, -2] = 1
        drawn.inputs[:, :told].unflatten(1, (items, size))[:, :, 1:, :-2] = drawn_items
        drawn.inputs[:, [told, told + size], -1] = 1
        drawn.inputs[:, told + 1 : told + size, :-2] = drawn_items[each, asked]
        drawn.targets[:, told + size + 1 :] = drawn_items[each, asked + 1]
        drawn.mask[:, told + size + 1 :] = True
        return drawn


@dataclass(frozen=True)
class DynamicNGrams(Task):
    """Bits of which each depends on the ones before it, by a table drawn anew for every sequence from Beta(1/2, 1/2).

    The first bits, which have too few before them, are coins and not asked for; the bit to come is the target of the
    step that shows the bit before it.
    """

    context: int  # bits that the next depends on
    form = ("length",)

    @property
    def widths(self) -> Widths:
        return Widths(1, 1)

    @property
    def smallest(self) -> tuple[int, ...]:
        return (self.context + 1,)

    def wrong(self, length: int) -> str:
        return "" if length > self.context else f"length={length}, expected more than the {self.context} of the context"

    def draw(self, count: int, generator: Generator, length: int) -> Sequences:
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
    """Vectors of random bits, each with a priority between -1 and 1, and a delimiter; then the ones of highest priority
    are asked for, the highest first.
    """

    bits: int
    form = ("length", "kept")

    @property
    def widths(self) -> Widths:
        return Widths(self.bits + 2, self.bits)

    def wrong(self, length: int, kept: int) -> str:
        return f"kept={kept}, expected at most the length, {length}" if kept > length else ""

    def draw(self, count: int, generator: Generator, length: int, kept: int) -> Sequences:
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


TASKS = {
    "copy": Copy,
    "repeat_copy": RepeatCopy,
    "associative_recall": AssociativeRecall,
    "dynamic_ngrams": DynamicNGrams,
    "priority_sort": PrioritySort,
}


def coins(generator: Generator, *shape: int) -> Tensor:
    return torch.randint(2, shape, generator=generator, device=generator.device).float()


def arcsine(generator: Generator, *shape: int) -> Tensor:
    """Draws from Beta(1/2, 1/2), the arcsine distribution, by its inverse distribution function."""
    return torch.sin(torch.pi / 2 * torch.rand(*shape, generator=generator, device=generator.device)) ** 2


def contexts(bits: Tensor, size: int) -> Tensor:
    """The number that the `size` bits before each bit spell, the oldest first: (B, T - size + 1), the last of them
    before a bit that is still to come."""
    place = 2 ** torch.arange(size - 1, -1, -1, device=bits.device)
    return (bits.long().unfold(1, size, 1) * place).sum(-1)


def optimal_bits(sequences: Sequences, context: int) -> Tensor:
    """What the best possible predictor of dynamic n-grams pays for each sequence, in bits, (B,).

    It knows the law of the tables, not the table: after n_1 ones and n_0 zeros in a context, a one has the probability
    (n_1 + 1/2) / (n_1 + n_0 + 1).
    """
    bits = torch.cat([sequences.inputs[:, :1, 0], sequences.targets[..., 0]], dim=1)  # (B, length)
    before = torch.nn.functional.one_hot(contexts(bits, context)[:, :-1], 2**context).double()  # (B, T, contexts)
    bit = bits[:, context:, None]

    def seen(which: Tensor) -> Tensor:
        """How often, before each bit, its context was followed by a bit of this kind, (B, T)."""
        counts = (before * which).cumsum(1) - before * which
        return (counts * before).sum(-1)

    ones, zeros = seen(bit), seen(1 - bit)
    same = torch.where(bit[..., 0] == 1, ones, zeros)
    return -((same + 0.5) / (ones + zeros + 1)).log2().sum(1)
