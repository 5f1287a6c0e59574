"""Batches for an ensemble: drawn anew in every epoch for training, always the same for evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from tasks.batch import Batch
from zoo.interface import MemoryNetwork

DRAWN_AT_ONCE = 16  # batches
B = TypeVar("B", bound=Batch)


class TrainingBatches(ABC, Generic[B]):
    """Batches of R restarts, (R, B, ...), one epoch after another.

    Everything random in epoch e of a restart follows from its seed and e alone. So a run that goes on from a checkpoint
    draws what it would have drawn, and restart k of an ensemble draws what the single run with its seed draws.
    """

    def __init__(self, network: MemoryNetwork, seeds: list[int], rows: int, batch_size: int) -> None:
        """
        Args:
            network: decides the form of the batches.
            seeds: one per restart.
            rows: questions, stories or sequences of an epoch.
            batch_size: rows of a batch.
        """
        self.network, self.seeds = network, seeds
        self.rows, self.batch_size = rows, batch_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    @abstractmethod
    def __iter__(self) -> Iterator[B]: ...


class EvaluationBatches(Generic[B]):
    """Batches of a split, the same for all restarts and in every epoch.

    Args:
        batches: tables without an axis of restarts.
        order: the number of each question in the order of the batches; None if that is the order of the split.
    """

    def __init__(self, batches: list[B], order: Tensor | None = None) -> None:
        self.batches, self.order = batches, order

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[B]:
        return iter(self.batches)


class Epochs(Protocol):
    """Batches that can be gone through again and again."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class Blocks:
    """Batches by the handful: Lightning's loop costs as much for one as for many."""

    def __init__(self, batches: Epochs) -> None:
        self.batches, self.sampler = batches, batches  # the second for Lightning's set_epoch

    def __len__(self) -> int:
        return -(-len(self.batches) // DRAWN_AT_ONCE)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = iter(self.batches)
        while block := list(islice(batches, DRAWN_AT_ONCE)):
            yield block
