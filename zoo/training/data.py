"""The batches that an ensemble is trained on: each restart shuffles and draws its noise by itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Generator, Tensor

from tasks.algorithmic.task import Algorithm, Fixed
from tasks.batch import Batch, Questions
from tasks.corpus import Corpus, Split, only_used
from zoo.interface import MemoryNetwork

EVALUATED_AT_ONCE = 500  # questions, or places for them
SORTED_AT_ONCE = 16  # batches of stories
DRAWN_AT_ONCE = 16  # batches of questions
SHARED = ("sentences", "candidates")  # of a batch, by all restarts and batches


class TrainingBatches(ABC):
    """One epoch after another of batches for R restarts, (R, B, ...).

    What is random in epoch e of a restart follows from its seed and e alone. So a run that goes on from a checkpoint
    draws what it would have drawn, and restart k of an ensemble what the single run with its seed draws.
    """

    def __init__(
        self, corpus: Corpus | Algorithm, network: MemoryNetwork, seeds: list[int], rows: int, batch_size: int
    ) -> None:
        self.corpus, self.network, self.seeds = corpus, network, seeds
        self.rows, self.batch_size = rows, batch_size  # what is drawn, of how much, how much at once
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def generators(self) -> list[Generator]:
        return [Generator().manual_seed(seed * 1_000_003 + self.epoch) for seed in self.seeds]

    def cut(self, batch: Questions) -> Questions:
        """The batch with a sentence table of its own, if the task's is much larger than what the batch uses."""
        used = batch.stories[0].numel() + batch.question[0].numel()
        return only_used(batch) if len(self.corpus.sentences) > 2 * used else batch

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]: ...


class QuestionBatches(TrainingBatches):
    """Every question with a story of its own."""

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int) -> None:
        super().__init__(corpus, network, seeds, len(corpus.train), batch_size)

    def __iter__(self) -> Iterator[Questions]:
        orders, noises = zip(*map(self._draw, self.generators()), strict=True)
        order = torch.stack(orders)
        noise = None if noises[0] is None else torch.stack(noises)
        whole = self.rows - self.rows % self.batch_size
        for begin in range(0, whole, DRAWN_AT_ONCE * self.batch_size):  # one gather for many batches
            here = slice(begin, min(begin + DRAWN_AT_ONCE * self.batch_size, whole))
            yield from self._batches(order[:, here], None if noise is None else noise[:, here], self.batch_size)
        if whole < self.rows:
            yield from self._batches(order[:, whole:], None if noise is None else noise[:, whole:], self.rows - whole)

    def _batches(self, order: Tensor, noise: Tensor | None, size: int) -> Iterator[Questions]:
        """Batches of `size` of the questions `order`, (R, batches size), with their noise."""

        def apart(table: Tensor) -> Tensor:
            return table.unflatten(1, (-1, size)).transpose(0, 1).contiguous()  # (batches, R, size, ...)

        together = self.corpus.by_question(self.corpus.train, apart(order), self.network.window)
        if noise is not None:
            together = together._replace(noise=apart(noise))
        own = {name: table for name, table in together._asdict().items() if name not in SHARED and table is not None}
        for number in range(len(together.answer)):
            yield self.cut(together._replace(**{name: table[number] for name, table in own.items()}))

    def _draw(self, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """The order of the questions, and the noise for each of them in that order."""
        train = self.corpus.train
        order = torch.randperm(self.rows, generator=generator).to(train.question.device)
        return order, self.network.noise(train.told[order].clamp(max=self.network.window), generator)


class StoryBatches(TrainingBatches):
    """Every story once, with all its questions; a batch has as many stories as hold `batch_size` questions on average.

    Stories of like length share a batch, so that little is computed for padding: each restart shuffles its stories and
    sorts them by length within every SORTED_AT_ONCE batches; the order of these batches is then shuffled, for all
    restarts alike, because the stories of a batch are padded to one length.
    """

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int) -> None:
        stories = len(corpus.train.lengths)
        super().__init__(corpus, network, seeds, stories, max(1, round(batch_size * stories / len(corpus.train))))

    def __iter__(self) -> Iterator[Questions]:
        generators = self.generators()
        train = self.corpus.train
        orders = torch.stack([torch.randperm(self.rows, generator=generator) for generator in generators])
        lengths = train.lengths.cpu()
        batches: list[Tensor] = []
        for some in orders.split(SORTED_AT_ONCE * self.batch_size, dim=1):
            alike = some.gather(1, lengths[some].argsort(dim=1, stable=True))
            batches += alike.split(self.batch_size, dim=1)
        for number in torch.randperm(len(batches), generator=Generator().manual_seed(self.epoch)).tolist():
            batch = self.corpus.by_story(train, batches[number].to(train.question.device))
            noises = [
                self.network.noise(told, generator) for told, generator in zip(batch.told, generators, strict=True)
            ]
            batch = self.cut(batch)
            yield batch if noises[0] is None else batch._replace(noise=torch.stack(noises))


class SequenceBatches(TrainingBatches):
    """Sequences that nobody has seen before; those of a step follow from the restart's seed and the step alone."""

    def __init__(self, corpus: Algorithm, network: MemoryNetwork, seeds: list[int], batch_size: int) -> None:
        super().__init__(corpus, network, seeds, len(corpus.train), batch_size)

    def __iter__(self) -> Iterator[Batch]:
        first = self.epoch * len(self)
        for step in range(first, first + len(self)):
            yield self.corpus.train.draw(step, self.seeds, self.batch_size)


def training_batches(
    corpus: Corpus | Algorithm, network: MemoryNetwork, seeds: list[int], batch_size: int
) -> TrainingBatches:
    if isinstance(corpus, Algorithm):
        return SequenceBatches(corpus, network, seeds, batch_size)
    kind = StoryBatches if network.drawn_by == "story" else QuestionBatches
    return kind(corpus, network, seeds, batch_size)


def _with_own_table(batch: Questions) -> Questions:
    """A batch without an axis of restarts, its sentence table cut if most of the task's is not used."""
    cut = only_used(batch._replace(stories=batch.stories[None], question=batch.question[None]))
    if 2 * cut.sentences.shape[1] > len(batch.sentences):
        return batch
    return batch._replace(sentences=cut.sentences[0], stories=cut.stories[0], question=cut.question[0])


class Blocks:
    """Batches by the handful: Lightning's loop costs as much for one as for many."""

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches, self.sampler = batches, batches  # the second for Lightning's set_epoch

    def __len__(self) -> int:
        return -(-len(self.batches) // DRAWN_AT_ONCE)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = iter(self.batches)
        while block := list(islice(batches, DRAWN_AT_ONCE)):
            yield block


class EvaluationBatches:
    """All questions of a split, in order, the same for all restarts; places without a question have the answer PAD.

    Or all sequences of a part of an algorithmic task.
    """

    def __init__(self, corpus: Corpus | Algorithm, split: Split | Fixed, network: MemoryNetwork) -> None:
        if isinstance(split, Fixed):
            self.batches = list(split)
            return
        device = split.question.device
        if network.drawn_by == "story":
            stories = len(split.lengths)
            most = int(torch.bincount(split.story).max())
            numbers = torch.arange(stories, device=device).split(max(1, EVALUATED_AT_ONCE // most))
            self.batches = [corpus.by_story(split, some) for some in numbers]
        else:
            numbers = torch.arange(len(split), device=device).split(EVALUATED_AT_ONCE)
            self.batches = [corpus.by_question(split, some, network.window) for some in numbers]
        self.batches = [_with_own_table(batch) for batch in self.batches]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)
