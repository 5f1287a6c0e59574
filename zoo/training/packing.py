"""Packs: trainings of several tasks in one program, their networks side by side in one ensemble."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.batch import NONE, PAD, Questions, Sizes
from tasks.corpus import Corpus
from zoo.interface import MemoryNetwork
from zoo.kinds import kind_of
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.ensemble import restart_axis

FILLER = "(none "  # the beginning of words that fill up a vocabulary, and of no word of a task


class PackedBatches:
    """The batches of several tasks as one, (tasks × restarts, ...): first the restarts of the first task.

    Tables are padded to the largest of a batch. A task that has no batch left gets one without questions, which changes
    nothing in validation; in training all tasks of a pack have equally many batches (see `pack`).
    """

    def __init__(
        self, tasks: Sequence[TrainingBatches[Questions] | EvaluationBatches[Questions]], restarts: int
    ) -> None:
        self.tasks, self.restarts = tasks, restarts

    @property
    def batch_size(self) -> int:
        """Questions or stories of a batch, the padding included."""
        return max(batches.batch_size for batches in self.tasks if isinstance(batches, TrainingBatches))

    def set_epoch(self, epoch: int) -> None:
        for batches in self.tasks:
            if isinstance(batches, TrainingBatches):
                batches.set_epoch(epoch)

    def __len__(self) -> int:
        return max(len(batches) for batches in self.tasks)

    def __iter__(self) -> Iterator[Questions]:
        for batches in zip_longest(*self.tasks):
            yield side_by_side(batches, self.restarts)


def side_by_side(batches: Sequence[Questions | None], restarts: int) -> Questions:
    """Join batches along the axis of restarts: those of the first batch, then those of the second, and so on.

    A batch with fewer questions than another repeats its first question without asking it, because some models make no
    number of an empty story. None stands for a batch without questions.
    """
    some = next(batch for batch in batches if batch is not None)
    nothing = some._replace(answer=torch.full_like(some.answer, PAD))
    batches = [batch or nothing for batch in batches]

    def joined(name: str) -> Tensor | None:
        tables = [getattr(batch, name) for batch in batches]
        if tables[0] is None:
            return None
        tables = [t if restart_axis(name, t) == 0 else t.expand(restarts, *t.shape) for t in tables]
        rows, *widths = (max(sizes) for sizes in zip(*(table.shape[1:] for table in tables), strict=True))
        return torch.cat([_filled(name, table, rows, widths) for table in tables])

    return Questions._make(joined(name) for name in Questions._fields)


def _filled(name: str, table: Tensor, rows: int, widths: list[int]) -> Tensor:
    """Enlarge a batch's table to (R, rows, *widths): copies of its first row below, PAD or NONE behind each row."""
    short = [size - now for size, now in zip(widths, table.shape[2:], strict=True)]
    if any(short):
        table = F.pad(
            table, [pad for size in reversed(short) for pad in (0, size)], value=NONE if name == "support" else PAD
        )
    if rows == table.shape[1]:
        return table
    first = torch.full_like(table[:, :1], PAD) if name == "answer" else table[:, :1]
    return torch.cat([table, first.expand(-1, rows - table.shape[1], *widths)], dim=1)


def pad_to_one_size(corpora: dict[str, Corpus]) -> tuple[Sizes, dict[str, Corpus]]:
    """Give tasks one size of vocabulary and of sentences, and return the sizes that hold all of them.

    Vocabularies are filled up with words that nobody says. So a network has some weights more than it has alone, and
    other first weights. Position encoding that counts in the words of the longest sentence takes the longest of all
    tasks.
    """
    sizes = Sizes(*map(max, zip(*(corpus.sizes for corpus in corpora.values()), strict=True)))

    def filled(corpus: Corpus) -> Corpus:
        words = [*corpus.words, *(f"{FILLER}{number})" for number in range(len(corpus.words), sizes.vocabulary))]
        short = sizes.sentence_length - corpus.sentences.shape[1]
        return dataclasses.replace(corpus, words=words, sentences=F.pad(corpus.sentences, (0, short), value=PAD))

    return sizes, {name: filled(corpus) for name, corpus in corpora.items()}


def spoken_words(words: Sequence[str]) -> list[str]:
    """List the words of a vocabulary without the empty one and without filling."""
    return [word for word in words if word and not word.startswith(FILLER)]


def pack(
    corpora: Mapping[str, Any],
    networks: Mapping[str, MemoryNetwork],
    batch_size: int,
    most: int,
    batched_by: str = "",
) -> list[list[str]]:
    """Group trainings into packs of at most `most`, in the order in which they are given.

    Two share a pack if their epochs have equally many steps and, for models whose answer depends on empty slots,
    equally many slots: so neither trains differently than alone.

    Args:
        corpora: by the names of the trainings.
        networks: of each training, with the sizes that it has alone.
        batch_size: of the recipe.
        most: `trainer.together`.
        batched_by: of the recipe.
    """
    open_packs: dict[tuple, list[str]] = {}
    packs: list[list[str]] = []
    for name, corpus in corpora.items():
        key = None if most == 1 else kind_of(corpus).pack_key(corpus, networks[name], batch_size, batched_by)
        if key is None:
            packs.append([name])
            continue
        if key not in open_packs or len(open_packs[key]) == most:
            open_packs[key] = []
            packs.append(open_packs[key])
        open_packs[key].append(name)
    return packs
