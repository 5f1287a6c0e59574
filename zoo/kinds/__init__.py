"""Kinds of data: how data of one form are drawn, answered and scored.

There are two: questions about stories, and sequences of vectors. Each is a module with the names of `Kind`. Code
outside of this package never asks which kind it has; it calls the functions of the kind.
"""

from typing import Any, Protocol

from tasks.batch import Sizes, Widths
from tasks.corpus import Data
from zoo.interface import MemoryNetwork
from zoo.kinds import sequences, stories
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.ensemble import Ensemble


class Kind(Protocol):
    """Names in the module of a kind."""

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
        mixed: bool = False,
        batched_by: str = "",
    ) -> TrainingBatches:
        """Draw the batches of R restarts, epoch after epoch; the arguments from `batch_size` on are the recipe's."""

    def evaluation_batches(self, corpus: Any, split: Any, network: MemoryNetwork) -> EvaluationBatches:
        """Cut a split, such as `corpus.valid`, into batches that are the same for all restarts."""

    def with_validation(self, corpus: Any) -> Any:
        """Return the data with the questions of validation among those of training."""

    def figures(self, ensemble: Ensemble, corpus: Any, selected: int, judged: Ensemble | None = None) -> dict:
        """Test every restart, and take examples from the selected one; tensors and numbers only.

        Args:
            ensemble: is tested.
            corpus: has the questions.
            selected: of the restarts.
            judged: the networks that validation has seen, if the ensemble has learned its questions since.
        """

    def answers_alike(self, ensemble: Ensemble, corpus: Any, figures: dict) -> bool:
        """Tell whether a single network answers every test question as the selected restart did."""

    def errors(self, ensemble: Ensemble, corpus: Any) -> dict[str, float]:
        """Compute the test error of a single network on each part of the test, as weights keep it."""

    def selected_figure(self, figures: dict) -> float:
        """Compute one number for the progress display, of the restart that validation selected."""

    def work(self, corpus: Any, network: MemoryNetwork) -> float:
        """Estimate the time of an epoch, relative to other trainings of the run."""

    def check(self, data: Data, corpus: Any, network: MemoryNetwork) -> None:
        """Refuse options of a model that do not go with the data."""

    def shape_of_scores(self, corpus: Any, batch: Any) -> tuple[int, ...]:
        """Say which shape the scores that answer a batch have."""

    def pack_key(self, corpus: Any, network: MemoryNetwork, batch_size: int, batched_by: str = "") -> tuple | None:
        """Key that trainings have in common if they can share a program; None for a training that must be alone.

        The last two arguments are the recipe's.
        """


KINDS: tuple[Kind, ...] = (stories, sequences)


def kind_of(corpus: Any) -> Kind:
    """Find the kind of a training's data."""
    return next(kind for kind in KINDS if isinstance(corpus, kind.CORPUS))


def kind_of_data(data: Data) -> Kind:
    """Find the kind of a run's data, which all its trainings share."""
    (kind,) = {kind_of(corpus) for corpus in data.trainings.values()}
    return kind


def kind_of_model(model: type[MemoryNetwork]) -> Kind:
    """Find the kind that a model reads."""
    return next(kind for kind in KINDS if kind.BATCH is model.batch_type)
