"""The kinds of data, each a module: what data look like to a network, and all that follows for training and testing.

Two kinds are known: questions about stories, and sequences of vectors. A kind is a module that has the names of `Kind`.
Nothing outside of this package asks which kind it has before it; it asks the kind.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from tasks.batch import Sizes, Widths
from tasks.corpus import Data
from zoo.interface import MemoryNetwork
from zoo.kinds import sequences, stories
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.ensemble import Ensemble


class Kind(Protocol):
    """The names that the module of a kind has."""

    BATCH: type  # the `batch_type` of the models that read it
    CORPUS: type  # the data of one training
    SMALLEST: Sizes | Widths  # sizes of the smallest network
    NAME: str  # in messages
    EXAMPLE: str  # an option that chooses a task of this kind
    RECORDED: str  # name of the kind in records

    def training_batches(
        self,
        corpus: Any,
        network: MemoryNetwork,
        seeds: list[int],
        batch_size: int,
        by_length: bool = False,
        grow_epochs: int = 0,
    ) -> TrainingBatches:
        """The batches of R restarts, epoch after epoch; the last four arguments are those of the recipe."""

    def evaluation_batches(self, corpus: Any, split: Any, network: MemoryNetwork) -> EvaluationBatches:
        """All of a split, such as `corpus.valid`, in batches that are the same for all restarts."""

    def figures(self, ensemble: Ensemble, corpus: Any, selected: int) -> dict:
        """Test figures of every restart, and examples of the selected one; tensors and numbers only."""

    def selected_figure(self, figures: dict) -> float:
        """Compute one number for the progress display, of the restart that validation selected."""

    def work(self, corpus: Any, network: MemoryNetwork) -> float:
        """The time of an epoch relative to other trainings of the run."""

    def check(self, data: Data, corpus: Any, network: MemoryNetwork) -> None:
        """Refuses options of a model that do not go with the data."""

    def pack_key(self, corpus: Any, network: MemoryNetwork, batch_size: int) -> tuple | None:
        """A key that trainings have in common if they can share a program; None for one that must be alone."""

    def repays_compiling(self, network: MemoryNetwork, corpora: Mapping[str, Any], steps: int) -> bool:
        """True if a training is long enough, and its batches are uniform enough, to repay compiling a model."""


KINDS: tuple[Kind, ...] = (stories, sequences)


def kind_of(corpus: Any) -> Kind:
    """The kind of the data of a training."""
    return next(kind for kind in KINDS if isinstance(corpus, kind.CORPUS))


def kind_of_data(data: Data) -> Kind:
    """The kind of all the trainings of a run, which have one in common."""
    (kind,) = {kind_of(corpus) for corpus in data.trainings.values()}
    return kind


def kind_of_model(model: type[MemoryNetwork]) -> Kind:
    """The kind that a model reads."""
    return next(kind for kind in KINDS if kind.BATCH is model.batch_type)
