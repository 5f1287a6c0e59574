"""python -m zoo.repeat run=RECORD [task=2] [name=value ...]: makes a run again, or one task of it, and compares.

RECORD is a file in results/runs, the beginning of its name (run=memn2n-1k) or the experiment that it is of; of
several that have the task the newest is taken, and one of official data before others. What is run is the command
that the record holds; with task=2 it is for this task alone, unless all tasks share one training, and for those with
which it shared a program (trainer.together). What zoo.join has joined is made again run by run, and joined. Further
name=value are handed to run.py, data_dir=FOLDER for example. The new record goes to results/repeated. On the same
machine, with the same versions, every figure and every answer to a test question is the same.
"""

import os
import shlex
import sys
from pathlib import Path

import numpy as np

from tasks.errors import UserError
from zoo import records
from zoo.command import planned
from zoo.explain import HELP, titled, training_of
from zoo.join import join
from zoo.mistakes import explained
from zoo.runner import run

COMPARED = ("predictions", *records.CURVES)  # arrays, by the beginning of their names


def repeat(file: Path, task: str | None, results: Path, overrides: list[str]) -> list[str]:
    """Makes a run again in `results`/repeated, and says where its figures differ from those of the record `file`."""
    record = records.read(file)
    if "command" not in record:
        raise UserError(f"{file.name} does not hold its command; it was written by another version")
    if record.get("family") == "algorithmic" and task is not None:
        raise UserError(f"task={task}: {file.name} is a run on sequences, which is one training; leave task= out")
    made = [_made_again(record, part, task, results, overrides) for part in records.parts_of(record)]
    again = join(made) if len(made) > 1 else made[0]
    return _differences(file, again, task, training_of(record, task) if task else None)


def _made_again(record: dict, part: dict, task: str | None, results: Path, overrides: list[str]) -> Path:
    """The new record of one of the runs that a record is joined from; of most records there is one."""
    arguments = shlex.split(part["command"])[2:]  # after python run.py
    if record.get("family") != "algorithmic":
        arguments.append(f"task.source={record['source']}")  # not what auto would find here
    alone = task and training_of(record, task) == task
    arguments += _compiled(record, part, task if alone else None)
    arguments += [*overrides, f"results_dir={results / 'repeated'}", "rerun=true"]
    whole = planned(arguments)
    then = record["settings"] | {name: part[name] for name in ("restarts", "seed")}
    # but for compiling, which has just been said
    for name, was, now in records.changed(*({**of, "compile": None} for of in (then, whole.settings))):
        print(f"NOTE: {name} is {now} now, and was {was} in the run", file=sys.stderr)
    # beside others its network has other sizes
    beside = next((names for names in record["settings"].get("together", []) if task in names), [task])
    return run(planned([*arguments, f"task.ids=[{','.join(beside)}]"]) if alone else whole)


def _compiled(record: dict, part: dict, alone: str | None) -> list[str]:
    """Whether programs were compiled, which round otherwise; nothing where trainings of a run differ in it.

    Records without a word on it are older than `auto`, and compiled only what their settings say.
    """
    trainings = [part["trainings"][alone]] if alone else part["trainings"].values()
    was = {training.get("compiled", record["settings"].get("compile", False)) for training in trainings}
    return [f"trainer.compile={str(*was).lower()}"] if len(was) == 1 else []


def _differences(file: Path, again: Path, task: str | None, training: str | None) -> list[str]:
    """Of two runs of the same, what both have kept and is not the same; of one task, or of all."""
    then, now = records.read(file), records.read(again)
    found = []
    part = "tests" if "tests" in then else "tasks"  # of sequences, of stories
    for name in [task] if task else then[part]:
        before, after = then[part][name], now[part][name]
        found += [
            f"{name}: {figure} {before[figure]} then, {after[figure]} now"
            for figure in before
            if figure in after and figure != "training" and before[figure] != after[figure]
        ]
    with records.arrays(file) as old, records.arrays(again) as new:
        for name in old.files:
            of_training, _, array = name.rpartition("/")
            if name in new.files and array.startswith(COMPARED) and training in (None, of_training):
                same = np.array_equal(old[name], new[name], equal_nan=old[name].dtype.kind == "f")
                found += [] if same else [f"{name} differ"]
    return found


def _machine(environment: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return f"{versions}, on {environment['processor']}"


def main(arguments: list[str]) -> None:
    if HELP & set(arguments):
        print(__doc__.strip())
        return
    named = {"results_dir": "results"}
    overrides = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise UserError(f"'{argument}': expected run=, task= or an option of run.py\n\n{__doc__.strip()}")
        if name in ("run", "task", "results_dir"):
            named[name] = value
        else:
            overrides.append(argument)
    if "run" not in named:
        raise UserError(f"run= is missing\n\n{__doc__.strip()}")
    results = Path(named["results_dir"])
    file = records.find(named["run"], results, named.get("task"))
    print(f"again: {titled(file, records.read(file))}", file=sys.stderr)
    differences = repeat(file, named.get("task"), results, overrides)
    if differences:
        record = records.read(file)
        raise UserError(
            f"NOT the same as {file.name}:\n  " + "\n  ".join(differences) + f"\n  the record was made by commit "
            f"{record['commit']}, {_machine(record['environment'])}\n  this run by "
            f"{_machine(records.environment())}; another processor or version rounds otherwise"
        )
    print(f"the same as {file.name}, figure by figure and answer by answer")


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with explained(sys.argv[1:]):
        main(sys.argv[1:])
