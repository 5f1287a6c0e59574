"""zoo repeat run=RECORD [task=2] [name=value …] [results_dir=results]

Make a run again, or one task of it, and compare. RECORD is a file in results/runs, the beginning of its name
(run=memn2n-1k) or its experiment. Of several records that have the task, those on official data are preferred, then
those without exchanged names, then those that were not trained once more with the questions of validation, then the
newest. With task=2 only this task is made again. Tasks that share one training, or one program (trainer.together), are
made again together. A joined record is made again run by run, and joined.

The run follows from the settings of the record, not from its command. Further name=value say where and how it is made,
data_dir=FOLDER for example. The new record goes to results/repeated. On the same machine, with the same versions, every
figure and every answer to a test question is the same.
"""

import sys
from pathlib import Path

import numpy as np

from tasks.errors import UserError
from zoo import records
from zoo.commands import Given, Grammar
from zoo.commands.join import join
from zoo.families.board import titled
from zoo.records import Part, Record, Training
from zoo.runs.again import plan_again
from zoo.runs.run import run

GRAMMAR = Grammar(names=("run", "task", "results_dir"), required=("run",), bare="run", passes_on=True)
COMPARED = ("predictions", *records.CURVES)  # arrays, by the beginning of their names


def main(given: Given) -> None:
    file = records.find(given["run"], given.results_dir, given.get("task"))
    record = records.read(file)
    print(f"again: {titled(record)}", file=sys.stderr)
    _, differences = repeat(file, given.get("task"), given.results_dir, given.passed_on)
    if differences:
        raise UserError(
            f"NOT the same as {file.name}:\n  " + "\n  ".join(differences) + f"\n  the record was made by commit "
            f"{record.commit}, {_machine(record.environment.model_dump())}\n  this run by "
            f"{_machine(records.environment())}; another processor or version rounds otherwise"
        )
    print(f"the same as {file.name}, figure by figure and answer by answer")


def repeat(file: Path, task: str | None, results: Path, overrides: list[str]) -> tuple[Path, list[str]]:
    """Make a run again in `results`/repeated.

    Returns:
        The new record, and a list of the figures that differ from those of the record `file`.
    """
    record = records.read(file)
    training = records.KINDS[record.kind].training_of(record, task) if task else None
    made = [_made_again(record, part, task, training, results, overrides) for part in record.parts]
    again = join(made) if len(made) > 1 else made[0]
    return again, _differences(record, records.read(again), task, training)


def _made_again(
    record: Record, part: Part, task: str | None, training: str | None, results: Path, overrides: list[str]
) -> Path:
    """Make one of the runs that a record holds, and return the new record; most records hold one."""
    alone = task is not None and training == task
    # beside others its network has other sizes
    beside = next((names for names in record.settings.get("together", []) if task in names), [task])
    again = plan_again(
        record,
        part,
        [*overrides, f"results_dir={results / 'repeated'}", "rerun=true"],
        [int(name) for name in beside if name] if alone else None,
        _kernels([part.trainings[task]] if alone and task else list(part.trainings.values())),
    )
    then = record.settings | {"restarts": part.restarts, "seed": part.seed}
    # but for kernels, which are as they were, for compiling, which no longer is, and for tasks, which are chosen
    kept = {"compile": None, "kernels": None}
    then, now = ({**of, **kept, "task": {**of["task"], "ids": None}} for of in (then, again.settings))
    for name, was, is_ in records.changed(then, now):
        if not (alone and name == "data_sha256"):
            print(f"NOTE: {name} is {is_} now, and was {was} in the run", file=sys.stderr)
    return run(again)


def _kernels(trainings: list[Training]) -> dict[str, bool]:
    """Say whether kernels ran, which round otherwise; nothing where trainings differ in it."""
    was = {training.kernels for training in trainings}
    return {"kernels": was.pop()} if len(was) == 1 else {}


def _differences(then: Record, now: Record, task: str | None, training: str | None) -> list[str]:
    """List what both records hold and is not the same, of one task or of all."""
    found = []
    before, after = (records.KINDS[record.kind].parts_of(record) for record in (then, now))
    for name in [task] if task else before:
        was, is_ = (of[name].model_dump(exclude={"training"}, exclude_none=True) for of in (before, after))
        found += [
            f"{name}: {figure} {was[figure]} then, {is_[figure]} now"
            for figure in was
            if figure in is_ and was[figure] != is_[figure]
        ]
    old, new = (records.arrays(record) for record in (then, now))
    for name in old:
        of_training, _, array = name.rpartition("/")
        if name in new and array.startswith(COMPARED) and training in (None, of_training):
            same = np.array_equal(old[name], new[name], equal_nan=old[name].dtype.kind == "f")
            found += [] if same else [f"{name} differ"]
    return found


def _machine(environment: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return f"{versions}, on {environment['processor']}"
