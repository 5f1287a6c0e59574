"""zoo verify [results_dir=results] [cells=3] [seed=0] [name=value …]

Check every record, and end with status 1 if anything is wrong. Each record is compared with its schema and its
checksums, its identity with its settings, its errors with the stored predictions, the selected restart with validation,
and the leaderboard with the records. The test errors of the networks in results/weights are computed again, from the
weights and the data, where the data are here. Then `cells` trainings, drawn at random by `seed`, are made again and
compared: to the bit on a machine that rounds alike, elsewhere within 2 points, or bits, of the mean test error of all
restarts. A machine rounds alike if processor, versions and all of `rounding` in the record agree; a record that does
not say is held to 2 points. Only making a cell again finds a record whose predictions were forged with its errors.
cells=0 repeats none. Further name=value say where and how they are made, data_dir=FOLDER for example.

What was verified, and when, goes to results/verified.csv, which the page shows.
"""

import csv
import io
import random
import re
import statistics
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import records
from zoo.commands import Given, Grammar
from zoo.commands.repeat import repeat
from zoo.leaderboard.generate import check, write
from zoo.leaderboard.provenance import read_verified
from zoo.records import Record, weights
from zoo.records.record import Environment
from zoo.runs.again import free_names, plan_again
from zoo.runs.known import check_known

GRAMMAR = Grammar(names=("results_dir", "cells", "seed"), passes_on=True)
LEEWAY = 0.2  # points of a test error, or hundredths of many bits, that another rounding explains
VERDICTS = ("to the bit", "within 2 points", "no")  # of a cell that is made again, the best first
TOLERANCE = 2.0  # points of a restart's test error, where machines round differently


def main(given: Given) -> None:
    folder = given.results_dir
    cells, seed = (given.whole(name, usual) for name, usual in (("cells", 3), ("seed", 0)))
    free_names(given.passed_on)  # a wrong one would leave every file of weights unchecked
    faults: list[str] = []
    whole: list[Record] = []
    if not records.files(folder):
        raise UserError(f"results_dir={folder}: expected a folder with records in runs/")
    for file in records.files(folder):
        try:
            record = records.read(file)
            found = list(faults_of(record))
        except UserError as error:
            faults.append(str(error))
            continue
        faults += [f"{record.name}: {fault}" for fault in found]
        whole += [] if found else [record]
    stale = check(folder)
    faults += [
        f"{name} does not follow from the records; zoo leaderboard results_dir={folder} makes it" for name in stale
    ]
    print(f"{len(whole)} of {len(records.files(folder))} records agree with their predictions", file=sys.stderr)
    verified = []
    for record in whole:
        file = records.weights_of(record.file)
        try:
            found = list(weights_differ(record, file, given.passed_on)) if file.exists() else []
        except UserError as error:
            found = [str(error)]
        faults += [f"{file.name}: {fault}" for fault in found]
        verified += [] if found else [record.name]
    repeated: dict[str, str] = {}
    chosen = drawn(whole, cells, seed)
    for record, task in chosen:
        print(f"repeating {record.name}{f' task={task}' if task else ''}", file=sys.stderr)
        try:
            _, differences = repeat(record.file, task, folder, given.passed_on)
        except UserError as error:
            faults.append(f"{record.name} cannot be repeated: {error}")
            continue
        alike = rounds_alike(record)
        serious = [said for said in differences if alike or _is_serious(said)]
        why = " (on a machine that rounds alike)" if alike else f" (more than {TOLERANCE:g} points)"
        faults += [f"{record.name}: {said}{why}" for said in serious]
        verdict = "no" if serious else "within 2 points" if differences else "to the bit"
        repeated[record.name] = max(verdict, repeated.get(record.name, verdict), key=VERDICTS.index)
    _note(folder, verified, repeated)
    if not stale:
        write(folder)  # the page shows what was verified
    if faults:
        raise UserError("\n".join([f"{len(faults)} wrong:", *(f"  {fault}" for fault in faults)]))
    how = "".join(f"\n  {name}: {said}" for name, said in repeated.items())
    print(f"verified: {len(whole)} records, {len(chosen)} cells repeated{how}")


def faults_of(record: Record) -> Iterator[str]:
    """Say what does not agree in a record."""
    check_known(record)
    arrays = records.arrays(record)
    if records.identity_of(record.settings, record.kind) != record.identity:
        yield "its identity does not follow from its settings"
    if record.name.split("-")[-2] != record.identity:
        yield "its name has another identity"
    yield from records.KINDS[record.kind].faults_of(record, arrays)


def weights_differ(record: Record, file: Path, overrides: list[str], only: list[str] | None = None) -> list[str]:
    """Say which test errors do not follow from the weights of a record.

    Args:
        record: names the errors.
        file: the weights.
        overrides: of the run, `data_dir=` for example.
        only: trainings; None for all.
    """
    from zoo.kinds import kind_of
    from zoo.pretrained.load import model_of
    from zoo.training.ensemble import Ensemble

    about, networks = weights.load(file, only)
    ids = [int(training) for training in networks] if record.protocol == "per_task" else None
    try:
        corpora = plan_again(record, record.parts[0], overrides, ids, {}).data.trainings
    except UserError as error:
        print(f"{file.name} was not checked: {error}", file=sys.stderr)
        return []
    said = [] if about.record == record.name else [f"they are of {about.record}"]
    for training, trained in networks.items():
        corpus = corpora[training]
        expected = records.KINDS[record.kind].errors_of(record.model_dump(), training)["test"]
        found = kind_of(corpus).errors(Ensemble([model_of(about, trained)]), corpus)
        said += [
            f"{part}: {expected[part]:.2f} in the record, {now:.2f} by the weights"
            for part, now in found.items()
            if abs(now - expected[part]) > LEEWAY * max(1.0, expected[part] / 10)
        ]
    return said


def drawn(whole: list[Record], cells: int, seed: int) -> list[tuple[Record, str | None]]:
    """Draw cells: a task that was trained alone, or a whole run where trainings are shared."""
    known = [
        (record, task if got.training == task else None) for record in whole for task, got in record.tasks.items()
    ] + [(record, None) for record in whole if not record.tasks]
    known = list({(record.name, task): (record, task) for record, task in known}.values())
    return random.Random(seed).sample(known, min(cells, len(known)))


def rounds_alike(record: Record) -> bool:
    """Tell whether this machine agrees with that of a record in all that decides rounding."""
    now = Environment.model_validate(records.environment())
    return all(
        part.environment.rounding
        and (part.environment.rounding, part.environment.versions, part.environment.processor, part.environment.gpu)
        == (now.rounding, now.versions, now.processor, now.gpu)
        for part in record.parts
    )


def _is_serious(difference: str) -> bool:
    """Tell whether a difference is more than another rounding explains."""
    found = re.search(r"(?:test_errors|bits) (\[.*)", difference)
    if found is None:
        return False
    said = found[1]
    then, _, now = said.partition(" then, ")
    before, after = ([float(figure) for figure in re.findall(r"[\d.]+", text)] for text in (then, now))
    return abs(statistics.fmean(before) - statistics.fmean(after)) > TOLERANCE


def _note(folder: Path, verified: list[str], repeated: dict[str, str]) -> None:
    """Write down which records were verified today, and the verdict on those of which cells were made again."""
    rows = read_verified(folder)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    for name in {*verified, *repeated}:
        row = rows.setdefault(name, {"verified": "", "repeated": "", "repeated_on": ""})
        row |= {"verified": today} if name in verified else {}
        row |= {"repeated": repeated[name], "repeated_on": today} if name in repeated else {}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ("record", "verified", "repeated", "repeated_on"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] | {"record": name} for name in sorted(rows))
    write_atomically(folder / "verified.csv", lambda out: out.write(stream.getvalue().encode()))
