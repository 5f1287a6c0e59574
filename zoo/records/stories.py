"""Figures of a run on questions about stories: errors per task, and the predictions behind them."""

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tasks.errors import UserError
from zoo.records.record import Record, TaskFigures


def figures_of(trainings: dict[str, dict], arrays: dict[str, np.ndarray]) -> dict:
    """Arrange figures for the record; predictions go to `arrays`.

    Args:
        trainings: figures of every training, as `zoo.training.train.train` returns them.
        arrays: gets one array per training and name.
    """
    tasks = {}
    for training, got in trainings.items():
        for part, predicted in got["predictions"].items():
            arrays[f"{training}/predictions" + ("" if part == "test" else f"_{part}")] = predicted.numpy()
        arrays[f"{training}/words"] = np.array(got["words"])
        for part, of_question in got["questions"].items():
            arrays[f"{training}/{part}"] = of_question.numpy()
        arrays[f"{training}/looks"] = np.array(json.dumps(got["looks"]))
        for task in got["errors"]["test"]:
            found = got["facts_found"][task]
            tasks[str(task)] = {
                **{f"{part}_errors": rounded(errors[task]) for part, errors in got["errors"].items()},
                **{f"{part}_dialog_errors": rounded(errors[task]) for part, errors in got["dialog_errors"].items()},
                "facts_found": None if found is None else rounded(found),
                "selected": got["selected"],
                "best_epochs": got["best_epoch"].tolist(),
                "training": training,
            }
    long = [{**one, "task": str(one["task"])} for got in trainings.values() for one in got.get("long", ())]
    figures: dict = {"tasks": {task: tasks[task] for task in sorted(tasks, key=int)}}
    return figures | ({"long": long} if long else {})


def join(records: Sequence[Record], chosen: dict[str, int]) -> dict:
    """Put the figures of several runs one behind another.

    Args:
        records: the runs, in the order of their seeds.
        chosen: the selected restart of every training, among all restarts.
    """
    tasks = {}
    for task, first in records[0].tasks.items():
        tasks[task] = chain([record.tasks[task] for record in records]) | {"selected": chosen[first.training]}
    long = []
    for training, selected in chosen.items():
        for record in records:  # the one that has the selected restart
            if 0 <= selected < record.restarts:
                long += [one.model_dump() for one in record.long if record.tasks[one.task].training == training]
            selected -= record.restarts
    return {"tasks": tasks} | ({"long": long} if long else {})


def validation_of(record: Record, training: str, curve: np.ndarray) -> tuple[int, int, float]:
    """Find the selected restart of a training, its best epoch and its validation error.

    Args:
        curve: (E, R) the validation errors of the training.
    """
    learned = [of_task for of_task in record.tasks.values() if of_task.training == training]
    first, k = learned[0], learned[0].selected
    epoch = first.best_epochs[k]
    # of several tasks the curve has the error over all questions, with three digits
    return k, epoch, first.valid_errors[k] if len(learned) == 1 else float(curve[epoch, k])


def errors_of(record: dict, training: str) -> dict[str, dict[str, float]]:
    """Get the validation and test errors of a training's selected restart, per task, of a record as it is written."""
    mine = {task: of for task, of in record["tasks"].items() if of["training"] == training}
    return {
        part: {task: of[f"{part}_errors"][of["selected"]] for task, of in mine.items()} for part in ("valid", "test")
    }


def training_of(record: Record, task: str) -> str:
    """Find the training that a task was learned in."""
    if task not in record.tasks:
        raise UserError(f"task={task}: this run has the tasks {', '.join(record.tasks)}")
    return record.tasks[task].training


def parts_of(record: Record) -> dict[str, TaskFigures]:
    """Get the figures of every part of the test, by the names that people use."""
    return record.tasks


def chain(figures: Sequence) -> dict:
    """Put the figures of every restart one behind another; all else is equal in the parts, and taken from the first."""
    first = figures[0].model_dump(exclude_none=False, exclude_unset=True)
    return {
        name: [figure for of in figures for figure in getattr(of, name)] if isinstance(value, list) else value
        for name, value in first.items()
    }


def rounded(figures: Sequence[float]) -> list[float]:
    return [round(float(figure), 4) for figure in figures]


def faults_of(record: Record, arrays: dict[str, np.ndarray]) -> Iterator[str]:
    """Say what does not follow from the predictions and curves of a run."""
    for task, got in record.tasks.items():
        training = got.training
        if f"{training}/predictions" in arrays and f"{training}/answer" in arrays:
            wrong = arrays[f"{training}/predictions"] != arrays[f"{training}/answer"]
            if f"{training}/task" in arrays:
                wrong = wrong[:, arrays[f"{training}/task"] == int(task)]
            errors = rounded(100 * wrong.mean(1))
            # of several right answers a record keeps one, so there its predictions give no more than a bound
            agree: Callable = np.less_equal if record.recall else np.isclose
            if not agree(got.test_errors, errors, **({} if record.recall else {"rtol": 0, "atol": 2e-4})).all():
                yield f"task {task}: the recorded errors {got.test_errors} do not follow from its predictions, {errors}"
        curve = arrays[f"{training}/valid_error"].astype(np.float64)
        alone = sum(of.training == training for of in record.tasks.values()) == 1
        best = [curve[epoch, k] for k, epoch in enumerate(got.best_epochs)]
        if alone and not np.allclose(best, got.valid_errors, rtol=1e-3, atol=0.06):
            yield f"task {task}: validation errors {got.valid_errors} are not those of its best epochs, {best}"
        if alone and got.valid_errors[got.selected] > min(got.valid_errors):
            yield f"task {task}: restart {got.selected} was selected, and is not the best on validation"
        elif alone and record.sha256:  # of equals the one of lowest loss in the last epoch, as far as it is kept
            equals = [k for k, error in enumerate(got.valid_errors) if error == min(got.valid_errors)]
            loss = arrays[f"{training}/valid_loss"].astype(np.float64)
            last = {k: known[-1] if len(known := loss[~np.isnan(loss[:, k]), k]) else np.inf for k in equals}
            if last[got.selected] > min(last.values()) * 1.01 + 1e-3:
                yield f"task {task}: restart {got.selected} was selected, and of equals another has a lower loss"
