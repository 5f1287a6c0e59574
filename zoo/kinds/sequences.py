"""Sequences of vectors, as of task=copy: drawn without end for training, scored in bits."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from tasks.algorithmic.task import FixedSequences, SequenceTask
from tasks.batch import Sequences, Sizes, Widths
from tasks.corpus import Data
from tasks.errors import UserError
from zoo.interface import MemoryNetwork, bits, wrong_bits
from zoo.training.batches import EvaluationBatches, TrainingBatches
from zoo.training.ensemble import Ensemble

BATCH: type = Sequences
CORPUS: type = SequenceTask
SMALLEST: Sizes | Widths = Widths(1, 1)
NAME, EXAMPLE = "sequences of vectors", "task=copy"
RECORDED = "sequences"  # its name in records


class SequenceBatches(TrainingBatches[Sequences]):
    """Sequences that occur once; each step's follow from the restart's seed and the number of the step alone.

    Args:
        grow_epochs: epochs over which sequences grow to their full length.
    """

    def __init__(
        self, corpus: SequenceTask, network: MemoryNetwork, seeds: list[int], batch_size: int, grow_epochs: int
    ) -> None:
        super().__init__(network, seeds, len(corpus.train), batch_size)
        self.corpus = corpus
        self.grow_steps = grow_epochs * len(self)

    def __iter__(self) -> Iterator[Sequences]:
        first = self.epoch * len(self)
        for step in range(first, first + len(self)):
            grown = min(1.0, (step + 1) / max(1, self.grow_steps))
            yield self.corpus.train.draw(step, self.seeds, self.batch_size, grown)


def training_batches(
    corpus: SequenceTask,
    network: MemoryNetwork,
    seeds: list[int],
    batch_size: int,
    by_length: bool = False,
    grow_epochs: int = 0,
    mixed: bool = False,
    batched_by: str = "",
) -> SequenceBatches:
    """Draw the batches of R restarts; how stories are batched changes nothing."""
    return SequenceBatches(corpus, network, seeds, batch_size, grow_epochs)


def evaluation_batches(
    corpus: SequenceTask, split: FixedSequences, network: MemoryNetwork
) -> EvaluationBatches[Sequences]:
    """Cut all sequences of a split into batches."""
    return EvaluationBatches(list(split))


def with_validation(corpus: SequenceTask) -> SequenceTask:
    """Refuse to: sequences of training are drawn without end."""
    raise UserError("model.recipe.refit=true: expected false; sequences of training are drawn without end")


@torch.inference_mode()
def figures(ensemble: Ensemble, corpus: SequenceTask, selected: int, judged: Ensemble | None = None) -> dict:
    """Compute bits and wrong bits per form, and the tape of the selected restart for one sequence of each form."""
    valid, test = corpus.valid, corpus.test
    forms = range(len(test.forms))
    return {
        "valid": _costs(ensemble, valid, range(len(valid.forms))),
        "test": {test.name(form): _costs(ensemble, test, [form]) for form in forms},
        "optimal": {test.name(form): test.optimal(form) for form in forms},
        "tapes": {test.name(form): _tape(ensemble, next(test.of_form(form)), selected) for form in forms},
        "state_size": ensemble.network.state_size(0),
    }


def _costs(ensemble: Ensemble, part: FixedSequences, forms: Iterable[int]) -> dict[str, Tensor]:
    """Average over the sequences of some forms, for every restart, (R,)."""
    costs, wrong = [], []
    for form in forms:
        for batch in part.of_form(form):
            answer = ensemble.answer(batch)
            costs.append(bits(answer.scores, batch))
            wrong.append(wrong_bits(answer.scores, batch))
    return {
        "bits": torch.cat(costs, dim=1).double().mean(1).cpu(),
        "wrong_bits": torch.cat(wrong, dim=1).double().mean(1).cpu(),
    }


def _tape(ensemble: Ensemble, batch: Sequences, restart: int) -> dict[str, Tensor]:
    """Collect inputs, targets, outputs and the work of the heads for the first sequence of a batch."""
    first = Sequences(*(table[:1] for table in batch))
    answer = ensemble.answer(first)
    shown = {"inputs": first.inputs[0], "targets": first.targets[0]}
    done = {"outputs": answer.scores.sigmoid()} | answer.trace._asdict()
    return {name: table.half().cpu() for name, table in (shown | {n: t[restart, 0] for n, t in done.items()}).items()}


def answers_alike(ensemble: Ensemble, corpus: SequenceTask, figures: dict) -> bool:
    """Return False: an answer is a table of probabilities, and any rounding changes it."""
    return False


@torch.inference_mode()
def errors(ensemble: Ensemble, corpus: SequenceTask) -> dict[str, float]:
    """Compute the bits of a single network, per form."""
    test = corpus.test
    return {test.name(form): float(_costs(ensemble, test, [form])["bits"][0]) for form in range(len(test.forms))}


def selected_figure(figures: dict) -> float:
    """Bits per sequence on validation."""
    return float(figures["valid"]["bits"][figures["selected"]])


def work(corpus: SequenceTask, network: MemoryNetwork) -> float:
    """Return 1: a run on sequences has one training."""
    return 1.0


def check(data: Data, corpus: SequenceTask, network: MemoryNetwork) -> None:
    """Refuse nothing: no option of these models goes against the data."""


def shape_of_scores(corpus: SequenceTask, batch: Sequences) -> tuple[int, ...]:
    """Log-odds of each bit of each step: (B, T, O)."""
    return tuple(batch.targets.shape)


def pack_key(corpus: SequenceTask, network: MemoryNetwork, batch_size: int, batched_by: str = "") -> None:
    """Return None: a run on sequences has one training."""
    return
