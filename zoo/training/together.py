"""Several tasks in one program: their networks side by side in one ensemble, each with the batches of its task."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.algorithmic.task import Algorithm
from tasks.batch import NONE, PAD, Questions, Sizes
from tasks.corpus import Corpus
from zoo.interface import MemoryNetwork
from zoo.training.data import EvaluationBatches, TrainingBatches, training_batches
from zoo.training.ensemble import restart_axis

FILLER = "(none "  # how a word begins that fills up a vocabulary, and no word of a task


class Together:
    """The batches of several tasks as one, (tasks × restarts, ...): first the restarts of the first task.

    Tables are padded to the largest of a batch. Where a task has no batch left its networks get one without questions,
    which changes nothing in validation; of training, tasks must have equally many (see `programs`).
    """

    def __init__(self, tasks: Sequence[TrainingBatches | EvaluationBatches], restarts: int) -> None:
        self.tasks, self.restarts = tasks, restarts

    @property
    def batch_size(self) -> int:
        """Of questions or stories, the padding included."""
        return max(batches.batch_size for batches in self.tasks)

    def set_epoch(self, epoch: int) -> None:
        for batches in self.tasks:
            batches.set_epoch(epoch)

    def __len__(self) -> int:
        return max(len(batches) for batches in self.tasks)

    def __iter__(self) -> Iterator[Questions]:
        for batches in zip_longest(*self.tasks):
            yield side_by_side(batches, self.restarts)


def side_by_side(batches: Sequence[Questions | None], restarts: int) -> Questions:
    """One batch of several, with an axis of restarts: those of the first, those of the second and so on.

    Where one has fewer questions its first is repeated, and not asked: of an empty story some models make no number.
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

    return Questions(**{name: joined(name) for name in Questions._fields})


def _filled(name: str, table: Tensor, rows: int, widths: list[int]) -> Tensor:
    """A batch's table, (R, rows, *widths), with copies of its first row, and PAD or NONE in what rows are longer."""
    short = [size - now for size, now in zip(widths, table.shape[2:], strict=True)]
    if any(short):
        table = F.pad(
            table, [pad for size in reversed(short) for pad in (0, size)], value=NONE if name == "support" else PAD
        )
    if rows == table.shape[1]:
        return table
    first = torch.full_like(table[:, :1], PAD) if name == "answer" else table[:, :1]
    return torch.cat([table, first.expand(-1, rows - table.shape[1], *widths)], dim=1)


def of_one_size(corpora: dict[str, Corpus]) -> tuple[Sizes, dict[str, Corpus]]:
    """Tasks with one size of vocabulary and of sentences, filled up with words that nobody says, and what holds all.

    So a network has some weights more than it has alone, its first weights are others, and where position encoding
    counts in the words of the longest sentence, that is the longest of all.
    """
    sizes = Sizes(*map(max, zip(*(corpus.sizes for corpus in corpora.values()), strict=True)))

    def filled(corpus: Corpus) -> Corpus:
        words = [*corpus.words, *(f"{FILLER}{number})" for number in range(len(corpus.words), sizes.vocabulary))]
        short = sizes.sentence_length - corpus.sentences.shape[1]
        return dataclasses.replace(corpus, words=words, sentences=F.pad(corpus.sentences, (0, short), value=PAD))

    return sizes, {name: filled(corpus) for name, corpus in corpora.items()}


def spoken_words(words: Sequence[str]) -> list[str]:
    """The words of a vocabulary that somebody says: neither the empty one nor those that fill it up."""
    return [word for word in words if word and not word.startswith(FILLER)]


def programs(
    corpora: dict[str, Corpus | Algorithm], networks: dict[str, MemoryNetwork], batch_size: int, most: int
) -> list[list[str]]:
    """Which trainings are to share a program, at most so many; in each they stand in the order in which they are given.

    They share it if an epoch has equally many steps for each, and if their networks have memories of one size where
    that decides their answers: so each takes the steps, and has the slots, that it has alone. Replies to choose from
    are one table, the same for all restarts, so what has them is trained alone.

    Args:
        corpora: by the names of the trainings.
        networks: of each task, with the sizes that it has alone; of algorithms none.
        batch_size: of the recipe.
        most: `trainer.together`.
    """
    alike: dict[tuple, list[str]] = {}
    shared: list[list[str]] = []
    for name, corpus in corpora.items():
        if most == 1 or isinstance(corpus, Algorithm) or corpus.candidates is not None:
            shared.append([name])
            continue
        network = networks[name]
        steps = len(training_batches(corpus, network, [0], batch_size))
        slots = network.window if network.counts_empty else None
        kind = steps, slots, network.state_size(1)  # the last where each word of the task has a slot
        if kind not in alike or len(alike[kind]) == most:
            alike[kind] = []
            shared.append(alike[kind])
        alike[kind].append(name)
    return shared
