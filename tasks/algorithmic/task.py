"""The function that `task=copy` and the like name: endless sequences for training, fixed ones to validate and test."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product

import torch
from torch import Generator

from tasks.algorithmic.generators import TASKS, DynamicNGrams, Task, optimal_bits
from tasks.batch import Sequences, Widths
from tasks.corpus import Data
from tasks.errors import UserError, check_names, check_whole, nearest, shown
from tasks.machine import check_memory

VALIDATION_FORMS = 40  # drawn from the same ranges as in training
STEPS_AT_ONCE = 8000  # of a batch in evaluation, all its sequences together

Form = tuple[int, ...]  # the arguments of Task.draw, a length for example


@dataclass(frozen=True)
class FreshSequences:
    """Endless sequences: every training step has a form of its own, and every restart draws its own sequences."""

    task: Task
    ranges: list[tuple[int, int]]  # of each number of the form, both ends included
    size: int  # sequences of an epoch
    device: torch.device

    def __len__(self) -> int:
        return self.size

    def form(self, purpose: str, number: int, grown: float = 1.0) -> Form:
        """Draw the form of a batch. It is the same for all restarts, so a batch has no padding.

        Args:
            purpose: "training" or "validation".
            number: of the batch.
            grown: share of the way, up to 1, that the upper ends of the ranges have come from the smallest form.
        """
        generator = Generator().manual_seed(_seed(purpose, number))
        tops = (s + math.ceil(grown * (high - s)) for s, (_, high) in zip(self.task.smallest, self.ranges, strict=True))
        ranges = ((min(low, top), top) for top, (low, _) in zip(tops, self.ranges, strict=True))
        return tuple(int(torch.randint(low, top + 1, (), generator=generator)) for low, top in ranges)

    def draw(self, step: int, seeds: list[int], count: int, grown: float = 1.0) -> Sequences:
        """Draw `count` sequences for each restart, (R, B, ...); they depend on its seed and the step alone."""
        form = self.form("training", step, grown)
        generators = (Generator(self.device).manual_seed(_seed("training", step, seed)) for seed in seeds)
        drawn = [self.task.draw(count, generator, *form) for generator in generators]
        return Sequences(*(torch.stack(tables) for tables in zip(*drawn, strict=True)))


@dataclass(frozen=True)
class FixedSequences:
    """Sequences for evaluation: `each` of every form, the same for all restarts, in all epochs, on all devices."""

    task: Task
    forms: list[Form]
    each: int
    seed: tuple[str, int]
    device: torch.device

    def __len__(self) -> int:
        return len(self.forms) * self.each

    def of_form(self, number: int) -> Iterator[Sequences]:
        """Yield the sequences of a form, in batches."""
        generator = Generator().manual_seed(_seed(*self.seed, number))  # another device would draw other ones
        drawn = self.task.draw(self.each, generator, *self.forms[number])
        at_once = max(1, STEPS_AT_ONCE // drawn.mask.shape[1])
        parts = (table.to(self.device).split(at_once) for table in drawn)
        yield from (Sequences(*some) for some in zip(*parts, strict=True))

    def __iter__(self) -> Iterator[Sequences]:
        for number in range(len(self.forms)):
            yield from self.of_form(number)

    def name(self, number: int) -> str:
        """Spell a form, as in `length=10 repeats=20`."""
        return " ".join(f"{name}={value}" for name, value in zip(self.task.form, self.forms[number], strict=True))

    def optimal(self, number: int) -> float | None:
        """The least possible mean cost of a form, in bits per sequence; None if it is zero."""
        if not isinstance(self.task, DynamicNGrams):
            return None
        return float(torch.cat([optimal_bits(some, self.task.context) for some in self.of_form(number)]).mean())


@dataclass(frozen=True)
class SequenceTask:
    """The data of a training on sequences, as `tasks.corpus.Corpus` is of stories."""

    train: FreshSequences
    valid: FixedSequences
    test: FixedSequences

    @property
    def sizes(self) -> Widths:
        """The widths that a network for these sequences needs."""
        return self.train.task.widths

    def to(self, device: torch.device | str) -> "SequenceTask":
        """Return a copy whose sequences are drawn for a device."""
        return SequenceTask(*(replace(part, device=torch.device(device)) for part in vars(self).values()))


def load(
    name: str,
    options: dict[str, int],
    train: dict[str, list[int]],
    test: list[dict[str, int]],
    epoch: int,
    valid_size: int,
    test_size: int,
    seed: int,
    protocol: str,
) -> Data:
    """Load a task with its forms; see conf/task/copy.yaml."""
    if protocol != "fresh":
        raise UserError(f"protocol={shown(protocol)}: {name} has one training, on endless sequences; leave it out")
    if name not in TASKS:
        raise UserError(f"task.name={shown(name)} is not known{nearest(str(name), list(TASKS))} ({', '.join(TASKS)})")
    kind = TASKS[name]
    _names("task.options", options, tuple(field.name for field in fields(kind)))
    _names("task.train", train, kind.form)
    for option, value in options.items():
        check_whole(f"task.options.{option}", value, 1)
    check_whole("task.epoch", epoch, 1)
    check_whole("task.valid_size", valid_size, VALIDATION_FORMS)
    check_whole("task.test_size", test_size, 1)
    check_whole("task.seed", seed, 0)
    task = kind(**options)
    ranges = [_range(f"task.train.{number}", train[number]) for number in kind.form]
    if not isinstance(test, list) or not test:
        example = ",".join(f"{number}:{value[1]}" for number, value in train.items())
        raise UserError(f"task.test={test}: expected a list of forms, as in task.test=[{{{example}}}]")
    forms = []
    for number, given in enumerate(test):
        _names(f"task.test.{number}", given, kind.form)
        for part, value in given.items():
            check_whole(f"task.test.{number}.{part}", value, 1)
        forms.append(tuple(given[part] for part in kind.form))
    extremes = [("task.train", form) for form in product(*ranges)]
    for option, form in extremes + [("task.test", form) for form in forms]:
        wrong = task.wrong(*form)
        if wrong:
            raise UserError(f"{option}: {wrong}")
    longest = tuple(high for _, high in ranges)
    for option, count, form in (
        (f"task.valid_size={valid_size}", valid_size // VALIDATION_FORMS, longest),
        *((f"task.test_size={test_size}", test_size, form) for form in forms),
    ):
        spelled = " ".join(f"{part}={value}" for part, value in zip(kind.form, form, strict=True))
        check_memory(f"{option}, {count:,} of {spelled}", count * task.least_size(*form), "type smaller numbers")
    device = torch.device("cpu")
    fresh = FreshSequences(task, ranges, epoch, device)
    chosen_by = [fresh.form("validation", number) for number in range(VALIDATION_FORMS)]
    valid = FixedSequences(task, chosen_by, valid_size // VALIDATION_FORMS, ("validation", seed), device)
    algorithm = SequenceTask(fresh, valid, FixedSequences(task, forms, test_size, ("test", seed), device))
    return Data({name: algorithm}, "generated", fingerprint(algorithm), family="algorithmic", label=name, title=name)


def fingerprint(task: SequenceTask) -> str:
    """The digest of the sequences of validation and test, and of the first training sequences of a restart."""
    digest = hashlib.sha256()
    for batch in (task.train.draw(0, [0], 4), *task.valid, *task.test):
        for table in batch:
            digest.update(table.numpy().tobytes())
    return digest.hexdigest()


def _seed(*names: str | int) -> int:
    return int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:7], "big")


def _names(option: str, given: dict, known: tuple[str, ...]) -> None:
    """Refuse a mapping that lacks a name or has an unknown one."""
    check_names(option, given, known)
    for name in known:
        if name not in given:
            raise UserError(f"{option} lacks {name}: expected {', '.join(known)}")


def _range(option: str, given: object) -> tuple[int, int]:
    """Return both ends of a range; refuse anything else."""
    if not isinstance(given, list) or len(given) != 2:
        raise UserError(f"{option}={given}: expected the least and the greatest, as in {option}=[1,20]")
    for value in given:
        check_whole(option, value, 1)
    if given[0] > given[1]:
        raise UserError(f"{option}={given}: expected the least first, as in {option}=[{given[1]},{given[0]}]")
    return given[0], given[1]
