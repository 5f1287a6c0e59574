"""Figures of a run on sequences: bits per form, and the tape of one sequence of each form."""

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.errors import UserError
from zoo.records.record import FormFigures, Record
from zoo.records.stories import chain, rounded


def figures_of(trainings: dict[str, dict], arrays: dict[str, np.ndarray]) -> dict:
    """Arrange figures for the record; readings and writings of the heads go to `arrays`, as `FORM/reading`."""
    (got,) = trainings.values()
    for form, tape in got["tapes"].items():
        arrays |= {f"{form}/{name}": table.numpy() for name, table in tape.items()}
    return {
        "validation": {name: rounded(of_all) for name, of_all in got["valid"].items()}
        | {"selected": got["selected"], "best_epochs": got["best_epoch"].tolist()},
        "tests": {
            form: {name: rounded(of_all) for name, of_all in costs.items()} | {"optimal_bits": got["optimal"][form]}
            for form, costs in got["test"].items()
        },
    }


def join(records: Sequence[Record], chosen: dict[str, int]) -> dict:
    """Put the figures of several runs one behind another; see `zoo.records.stories.join`."""
    (selected,) = chosen.values()
    return {
        "tests": {form: chain([record.tests[form] for record in records]) for form in records[0].tests},
        "validation": chain([record.validation for record in records]) | {"selected": selected},
    }


def validation_of(record: Record, training: str, curve: np.ndarray) -> tuple[int, int, float]:
    """Find the selected restart, its best epoch and its validation bits; see `zoo.records.stories.validation_of`."""
    validation = record.validated
    k = validation.selected
    return k, validation.best_epochs[k], validation.bits[k]


def errors_of(record: dict, training: str) -> dict[str, dict[str, float]]:
    """Get the bits of the selected restart, on validation and per form; see `zoo.records.stories.errors_of`."""
    k = record["validation"]["selected"]
    tests = {form: of["bits"][k] for form, of in record["tests"].items()}
    return {"valid": {"bits": record["validation"]["bits"][k]}, "test": tests}


def training_of(record: Record, task: str) -> str:
    raise UserError(
        f"task={task}: {record.name} is a run on sequences, which is one training; leave task= out "
        f"(zoo draw run={record.name} shows what it did)"
    )


def parts_of(record: Record) -> dict[str, FormFigures]:
    """Get the figures of every part of the test, by the names that people use."""
    return record.tests


def faults_of(record: Record, arrays: dict[str, np.ndarray]) -> Iterator[str]:
    """Say what does not follow from the curves of a run."""
    validation = record.validated
    if validation.bits[validation.selected] > min(validation.bits):
        yield f"restart {validation.selected} was selected, and is not the best on validation"
    for training in record.trainings:
        curve = arrays[f"{training}/valid_error"].astype(np.float64)
        best = [curve[epoch, k] for k, epoch in enumerate(validation.best_epochs)]
        if not np.allclose(best, validation.bits, rtol=2e-3, atol=0.01):
            yield f"validation bits {validation.bits} are not those of its best epochs, {best}"
