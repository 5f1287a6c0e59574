"""zoo weights [RECORD] [task=2] [results_dir=results] [name=value …]

List the records whose trained networks are worth keeping, with the size of each, and whether it is here. Of bAbI these
are the settings of each model with the least validation error, per task and joint.

zoo weights RECORD makes the networks of a record, by making its run again, or with task=2 one of them, and writes them
to results/weights. RECORD is a file in results/runs, the beginning of its name, or its experiment. The networks are
those of the record only if they answer every test question as the record says; otherwise nothing is written. Further
name=value say where and how the run is made, data_dir=FOLDER for example.
"""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tasks.errors import UserError
from zoo import records
from zoo.clock import clock
from zoo.commands import Given, Grammar
from zoo.commands.repeat import repeat
from zoo.families import FAMILIES
from zoo.families.board import bytes_of
from zoo.records import Record, weights

GRAMMAR = Grammar(names=("run", "task", "results_dir"), bare="run", passes_on=True)
BOUND = 60_000_000  # bytes of all weights that come with the zoo


def main(given: Given) -> None:
    if given.get("run") is None:
        show(given.results_dir)
        return
    record = records.read(records.find(given["run"], given.results_dir, given.get("task")))
    print(f"written: {make(record, given.get('task'), given.results_dir, given.passed_on)}")


def wanted(results_dir: Path) -> list[Record]:
    """List the records whose networks come with the zoo."""
    known = list(records.readable(results_dir).values())
    return [
        record
        for family in FAMILIES.values()
        for record in family.taken_home([one for one in known if one.family == family.name])
    ]


def show(results_dir: Path) -> None:
    """Print a table of the records, and of what is missing."""
    table = Table()
    table.add_column("record", overflow="fold")
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("here", justify="right", no_wrap=True)
    total = 0
    for record in wanted(results_dir):
        file = records.weights_of(record.file)
        size = file.stat().st_size if file.exists() else bytes_of(record)
        total += size
        try:
            here = len(weights.about(file).trainings) if file.exists() else 0
            said = f"{here} of {len(record.trainings)}" if here else f"{clock(record.train_seconds)} to make"
        except UserError:
            said = "damaged"
        table.add_row(record.name, f"{size / 1e6:.2f}", said)
    console = Console()
    console.print(table)
    console.print(f"{total / 1e6:.1f} MB of at most {BOUND / 1e6:.0f} MB, where what is missing is in half precision")


def make(record: Record, task: str | None, results_dir: Path, overrides: list[str]) -> Path:
    """Make the networks of a record, or of one of its trainings, and return the file that holds them."""
    file = records.weights_of(record.file)
    here = weights.load(file)[1] if file.exists() else {}  # other trainings of the run
    again, _ = repeat(record.file, task, results_dir, overrides)
    other = records.read(again)
    about, networks = weights.load(records.weights_of(again))
    differing = [said for training in networks for said in answers_otherwise(record, other, training)]
    if differing:
        raise UserError(
            f"the networks that were made again are not those of {record.name}:\n  "
            + "\n  ".join(differing)
            + "\n  another processor or version rounds otherwise; to have weights here, make the run anew: rerun=true"
        )
    networks = here | networks
    ordered = {training: networks[training] for training in record.trainings if training in networks}
    raw = record.model_dump(by_alias=True, exclude_unset=True)
    weights.save(file, records.about_of(record.file, record.title, raw, ordered, about.licence), ordered)
    print(f"every answer is that of {record.name}", file=sys.stderr)
    return file


def answers_otherwise(record: Record, other: Record, training: str) -> list[str]:
    """Say how the selected network of another record answers otherwise; nothing if it does not."""
    if record.validation is not None and other.validation is not None:
        of_both = [
            [of.bits[one.validated.selected] for of in one.tests.values()] for one in (record, other)
        ]  # fmt: skip
        return [] if of_both[0] == of_both[1] else [f"bits {of_both[0]} then, {of_both[1]} now"]
    said = []
    for one in (record, other):
        selected = next(of.selected for of in one.tasks.values() if of.training == training)
        said.append(records.arrays(one)[f"{training}/predictions"][selected])
    if said[0].shape != said[1].shape:
        return [f"{training}: {len(said[0]):,} test questions then, {len(said[1]):,} now"]
    differ = int(np.count_nonzero(said[0] != said[1]))
    return [f"{training}: {differ:,} of {len(said[0]):,} answers differ"] if differ else []
