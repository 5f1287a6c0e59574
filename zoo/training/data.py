"""The batches that an ensemble is trained on: each restart shuffles and draws its noise by itself."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from itertools import islice

import torch
from torch import Generator, Tensor

from tasks.algorithmic.task import Algorithm, Fixed
from tasks.batch import Batch, Questions
from tasks.corpus import Corpus, Split, only_used
from tasks.errors import UserError
from zoo.interface import MemoryNetwork

EVALUATED_AT_ONCE = 500  # questions, or places for them
SORTED_AT_ONCE = 16  # batches
DRAWN_AT_ONCE = 16  # batches of questions
SHARED = ("sentences", "candidates", "unseen")  # of a batch, by all restarts and batches


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

    def alike(self, orders: Tensor, lengths: Tensor) -> list[Tensor]:
        """Cuts what each restart has shuffled, (R, rows), into batches of like length, (R, B).

        Each restart sorts by length within every SORTED_AT_ONCE batches. The order of these batches is then shuffled,
        for all restarts alike, because the stories of a batch are padded to one length.
        """
        batches: list[Tensor] = []
        for some in orders.split(SORTED_AT_ONCE * self.batch_size, dim=1):
            sorted_ = some.gather(1, lengths[some].argsort(dim=1, stable=True))
            batches += sorted_.split(self.batch_size, dim=1)
        shuffled = torch.randperm(len(batches), generator=Generator().manual_seed(self.epoch))
        return [batches[number] for number in shuffled.tolist()]

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]: ...


def slots_needed(split: Split, network: MemoryNetwork) -> Tensor:
    """How many slots the story of each question takes, (N,)."""
    if network.counts_empty:
        return torch.full_like(split.told, network.window)
    return split.told.clamp(1, network.window)


class QuestionBatches(TrainingBatches):
    """Every question with a story of its own; a batch has as many slots as its longest story needs.

    Args:
        by_length: whether stories of like length share a batch. It saves time, but a batch is a poorer sample then.
    """

    def __init__(
        self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int, by_length: bool
    ) -> None:
        super().__init__(corpus, network, seeds, len(corpus.train), batch_size)
        self.slots = slots_needed(corpus.train, network).cpu()
        self.by_length = by_length

    def __iter__(self) -> Iterator[Questions]:
        generators = self.generators()
        order = torch.stack([torch.randperm(self.rows, generator=generator) for generator in generators])
        whole = self.rows - self.rows % self.batch_size
        if self.by_length and self.slots.min() < self.slots.max():
            order = torch.cat([*self.alike(order[:, :whole], self.slots), order[:, whole:]], dim=1)
        told = self.corpus.train.told.clamp(max=self.network.window)
        noises = [
            self.network.noise(told[mine.to(told.device)], generator)
            for mine, generator in zip(order, generators, strict=True)
        ]
        noise = None if noises[0] is None else torch.stack(noises)
        for begin in range(0, whole, DRAWN_AT_ONCE * self.batch_size):  # one gather for many batches
            here = slice(begin, min(begin + DRAWN_AT_ONCE * self.batch_size, whole))
            yield from self._batches(order[:, here], None if noise is None else noise[:, here], self.batch_size)
        if whole < self.rows:
            yield from self._batches(order[:, whole:], None if noise is None else noise[:, whole:], self.rows - whole)

    def _batches(self, order: Tensor, noise: Tensor | None, size: int) -> Iterator[Questions]:
        """Batches of `size` of the questions `order`, (R, batches size), with their noise."""
        longest = self.slots[order].unflatten(1, (-1, size)).amax((0, 2)).tolist()

        def apart(table: Tensor) -> Tensor:
            return table.unflatten(1, (-1, size)).transpose(0, 1).contiguous()  # (batches, R, size, ...)

        train = self.corpus.train
        together = self.corpus.by_question(train, apart(order.to(train.question.device)), max(longest))
        if noise is not None:
            together = together._replace(noise=apart(noise))
        own = {name: table for name, table in together._asdict().items() if name not in SHARED and table is not None}
        for number, slots in enumerate(longest):
            batch = together._replace(**{name: table[number] for name, table in own.items()})
            yield self.cut(batch._replace(stories=batch.stories[..., :slots].contiguous()))


class StoryBatches(TrainingBatches):
    """Every story once, with all its questions; a batch holds `batch_size` questions on average.

    Stories of like length share a batch, so that little is computed for padding.
    """

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int) -> None:
        stories = len(corpus.train.lengths)
        super().__init__(corpus, network, seeds, stories, max(1, round(batch_size * stories / len(corpus.train))))

    def __iter__(self) -> Iterator[Questions]:
        generators = self.generators()
        train = self.corpus.train
        orders = torch.stack([torch.randperm(self.rows, generator=generator) for generator in generators])
        for stories in self.alike(orders, train.lengths.cpu()):
            batch = self.corpus.by_story(train, stories.to(train.question.device))
            noises = [
                self.network.noise(told, generator) for told, generator in zip(batch.told, generators, strict=True)
            ]
            batch = self.cut(batch)
            yield batch if noises[0] is None else batch._replace(noise=torch.stack(noises))


class SequenceBatches(TrainingBatches):
    """Sequences that nobody has seen before; those of a step follow from the restart's seed and the step alone.

    Args:
        grow_epochs: over which they grow to their full length.
    """

    def __init__(
        self, corpus: Algorithm, network: MemoryNetwork, seeds: list[int], batch_size: int, grow_epochs: int
    ) -> None:
        super().__init__(corpus, network, seeds, len(corpus.train), batch_size)
        self.grow_steps = grow_epochs * len(self)

    def __iter__(self) -> Iterator[Batch]:
        first = self.epoch * len(self)
        for step in range(first, first + len(self)):
            grown = min(1.0, (step + 1) / max(1, self.grow_steps))
            yield self.corpus.train.draw(step, self.seeds, self.batch_size, grown)


def training_batches(
    corpus: Corpus | Algorithm,
    network: MemoryNetwork,
    seeds: list[int],
    batch_size: int,
    by_length: bool = False,
    grow_epochs: int = 0,
) -> TrainingBatches:
    if isinstance(corpus, Algorithm):
        return SequenceBatches(corpus, network, seeds, batch_size, grow_epochs)
    if grow_epochs:
        raise UserError(f"model.recipe.grow_epochs={grow_epochs}: expected 0; stories are as long as they are")
    if network.drawn_by == "story":
        return StoryBatches(corpus, network, seeds, batch_size)
    return QuestionBatches(corpus, network, seeds, batch_size, by_length)


def _with_own_table(batch: Questions) -> Questions:
    """A batch without an axis of restarts, its sentence table cut if most of the task's is not used."""
    cut = only_used(batch._replace(stories=batch.stories[None], question=batch.question[None]))
    if 2 * cut.sentences.shape[1] > len(batch.sentences):
        return batch
    return batch._replace(sentences=cut.sentences[0], stories=cut.stories[0], question=cut.question[0])


class Blocks:
    """Batches by the handful: Lightning's loop costs as much for one as for many."""

    def __init__(self, batches: Collection[Batch]) -> None:
        self.batches, self.sampler = batches, batches  # the second for Lightning's set_epoch

    def __len__(self) -> int:
        return -(-len(self.batches) // DRAWN_AT_ONCE)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = iter(self.batches)
        while block := list(islice(batches, DRAWN_AT_ONCE)):
            yield block


class EvaluationBatches:
    """All questions of a split, the same for all restarts; places without a question have the answer PAD.

    They come in the order of their stories' lengths, for the sake of speed; `order` has their numbers.
    Or all sequences of a part of an algorithmic task.
    """

    def __init__(self, corpus: Corpus | Algorithm, split: Split | Fixed, network: MemoryNetwork) -> None:
        if isinstance(split, Fixed):
            self.batches = list(split)
            return
        if network.drawn_by == "story":
            stories = split.lengths.argsort(stable=True)
            self.order = stories.argsort()[split.story].argsort(stable=True)
            most = int(torch.bincount(split.story).max())
            self.batches = [corpus.by_story(split, some) for some in stories.split(max(1, EVALUATED_AT_ONCE // most))]
        else:
            slots = slots_needed(split, network)
            self.order = slots.argsort(stable=True)
            self.batches = [
                corpus.by_question(split, some, int(slots[some].max())) for some in self.order.split(EVALUATED_AT_ONCE)
            ]
        self.batches = [_with_own_table(batch) for batch in self.batches]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)
