"""results/README.md: what was run, on what, how long it took, and what fell short. Numbers are of records alone.

What nobody can compute, the likely reason of a difference, stands in results/remarks.csv.
"""

import csv
from pathlib import Path

from tasks.errors import UserError, nearest
from zoo import records
from zoo.leaderboard import history
from zoo.leaderboard.sheet import Line
from zoo.leaderboard.tables import table
from zoo.progress import by_the_clock, clock

REMARKED = 1.0  # points; a larger difference from the published figure asks for a remark
MISSING = "**no remark yet**"
TITLE = "# Results\n\nMade by `python -m zoo.leaderboard`"
ABOUT = f"""{TITLE} from the records in `runs/` and from `remarks.csv`; do not edit it. \
The figures task by task are in [leaderboard.md](leaderboard.md), every restart in [leaderboard.html](leaderboard.html).

| | |
| --- | --- |
| `runs/` | records: settings, every restart, times, versions, commit; beside each its curves and predictions |
| `published*.csv` | figures of papers, with conditions; `verified` in them, `quoted` elsewhere (‡), `recalled` (†) |
| `remarks.csv` | why a run differs from its paper, as far as we know: table, model, setting, remark |
| `commits.csv` | whether the code of each record is in the history |
| `leaderboard*` | made from all these |

`python -m zoo.repeat run=RECORD task=2` makes a cell again, by the command that its record holds, and compares.

*Difference* is ours less the published figure. *Training* is the time of all trainings and restarts, one after \
another; *by the clock* is what the run took, unless it was interrupted. A difference of more than one point, either \
way, asks for a remark, and so do other figures that are behind the published ones: two failed tasks more, or, of \
dialogs, replies with unknown words or of task 6."""


def as_report(lines: list[Line], results_dir: Path, commits: dict[str, str]) -> str:
    own = results_dir / "README.md"
    if own.exists() and not own.read_text().startswith(TITLE):
        raise UserError(f"{own} would be overwritten, and was not made by the leaderboard; move it away")
    written = _read_remarks(results_dir / "remarks.csv")
    remarks = {line.key: _remark(line, written) for line in lines}
    found = {line.record: records.read(results_dir / "runs" / f"{line.record}.json") for line in lines}
    machines = list(dict.fromkeys(machine for line in lines for machine in _machines(found[line.record])))
    parts = [ABOUT]
    if lines:
        spent = clock(sum(record["train_seconds"] for record in found.values()))
        parts += [f"{len(lines)} run{'s' if len(lines) > 1 else ''} on the leaderboard, {spent} of training together."]
    else:
        parts.append("No records yet.")
    short = [
        f"- {line.table}: `{line.model}`, {line.setting}: {'; '.join(behind)}. {remarks[line.key]}"
        for line in lines
        if (behind := _behind(line))
    ]
    parts += ["## What fell short", "\n".join(short)] if short else []
    for title, measure in dict.fromkeys((line.table, line.measure) for line in lines):
        here = [line for line in lines if (line.table, line.measure) == (title, measure)]
        header = (
            "model", "setting", "ours", "published", "difference", "besides", "restarts", "training", "by the clock",
            "finished", "machine", "commit", "remark",
        )  # fmt: skip
        body = [_cells(line, found[line.record], machines, commits, remarks[line.key]) for line in here]
        parts += [f"## {title}", f"{measure[0].upper()}{measure[1:]}.", table(header, body, NUMBERS)]
    known = sorted(" / ".join(key) for key in remarks)
    # not an error, which would end a campaign after its first run
    astray = [f"- {said}{nearest(said, known)}" for said in map(" / ".join, written) if said not in known]
    parts += ["## Remarks of no run", "\n".join(astray)] if astray else []
    if machines:
        parts += ["## Machines", "\n".join(f"- {_letter(place)}: {said}" for place, said in enumerate(machines))]
    return "\n\n".join(parts) + "\n"


NUMBERS = {"ours", "published", "difference", "restarts", "training", "by the clock"}


def _cells(line: Line, record: dict, machines: list[str], commits: dict[str, str], remark: str) -> tuple[str, ...]:
    made_by = dict.fromkeys(f"`{commit[:10]}`" for commit in records.commits_of(record))
    marks = [*line.marks, *history.marks(record, commits)]
    return (
        line.model,
        line.setting,
        "–" if line.ours is None else f"{line.ours:.2f}",
        "–" if line.published is None else f"{line.published:g}{line.sign}",
        "–" if line.mean.difference is None else f"{line.mean.difference:+.2f}",
        line.besides,
        str(record["settings"]["restarts"]),
        clock(record["train_seconds"]),
        by_the_clock(record),
        record["environment"]["finished"][:10],
        ", ".join(_letter(machines.index(machine)) for machine in _machines(record)),
        (", ".join(made_by) or "–") + "".join(f"; {mark}" for mark in marks),
        remark,
    )


def _behind(line: Line) -> list[str]:
    """The figures that are behind the published ones by more than a point, or a task."""
    worse = 1 if line.of_errors else -1
    return [
        f"{figure.name} {round(figure.ours, 2):g} against {figure.published:g}{figure.sign}".lstrip()
        for figure in (line.mean, *line.further)
        if figure.difference is not None and worse * figure.difference > REMARKED
    ]


def _remark(line: Line, remarks: dict[tuple[str, str, str], str]) -> str:
    wanted = abs(line.mean.difference or 0) > REMARKED or _behind(line)
    return remarks.get(line.key, MISSING if wanted else "")


def _read_remarks(file: Path) -> dict[tuple[str, str, str], str]:
    """By table, model and setting."""
    rows = csv.DictReader(file.read_text().splitlines()) if file.exists() else ()
    return {(row["table"], row["model"], row["setting"]): row["remark"] for row in rows}


def _machines(record: dict) -> list[str]:
    """On which it was made; several where it was joined from runs."""
    return list(dict.fromkeys(_machine(part["environment"]) for part in records.parts_of(record)))


def _machine(environment: dict) -> str:
    cores = environment["cores"]
    said = [environment["processor"], f"{cores} core{'s' if cores > 1 else ''}", environment["gpu"] or "no GPU"]
    versions = (f"{name} {version}" for name, version in environment["versions"].items() if name != "memory-zoo")
    return ", ".join([*said, environment["system"], *versions])


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else str(place + 1)
