"""The batches that an ensemble is trained on: each restart shuffles and draws its noise by itself."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from tasks.batch import Questions
from tasks.corpus import Corpus, Split, only_used
from zoo.interface import MemoryNetwork

EVALUATED_AT_ONCE = 500  # questions


class TrainingBatches:
    """One epoch after another of batches for R restarts, (R, B, ...).

    What is random in epoch e of a restart follows from its seed and e alone. So a run that goes on from a checkpoint
    draws what it would have drawn, and restart k of an ensemble what the single run with its seed draws.
    """

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int) -> None:
        self.corpus, self.network, self.seeds, self.batch_size = corpus, network, seeds, batch_size
        self.epoch = 0
        self.sampler = self  # where Lightning looks for set_epoch
        # a table much larger than the sentences of a batch is cut to those in use
        self.cuts = len(corpus.sentences) > 2 * batch_size * (network.window + 1)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.corpus.train) // self.batch_size)

    def __iter__(self) -> Iterator[Questions]:
        orders, noises = zip(*(self._draw(seed) for seed in self.seeds), strict=True)
        order = torch.stack(orders)
        noise = None if noises[0] is None else torch.stack(noises)
        for begin in range(0, order.shape[1], self.batch_size):
            step = slice(begin, begin + self.batch_size)
            batch = self.corpus.by_question(self.corpus.train, order[:, step], self.network.window)
            if self.cuts:
                batch = only_used(batch)
            yield batch if noise is None else batch._replace(noise=noise[:, step])

    def _draw(self, seed: int) -> tuple[Tensor, Tensor | None]:
        """The order of the questions, and the noise for each of them in that order."""
        train = self.corpus.train
        generator = Generator().manual_seed(seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(train), generator=generator).to(train.question.device)
        return order, self.network.noise(self.corpus.by_question(train, order, self.network.window), generator)


class EvaluationBatches:
    """All questions of a split, in order, the same for all restarts."""

    def __init__(self, corpus: Corpus, split: Split, window: int) -> None:
        numbers = torch.arange(len(split), device=split.question.device)
        self.batches = [corpus.by_question(split, some, window) for some in numbers.split(EVALUATED_AT_ONCE)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Questions]:
        return iter(self.batches)
