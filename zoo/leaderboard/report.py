"""results/README.md: runs, their data, their durations, and figures that fell short. Figures come from records alone.

The likely reason of a difference, which nobody can compute, stands in results/remarks.csv.
"""

from collections.abc import Sequence
from pathlib import Path

from tasks.errors import UserError, nearest
from zoo import sheets
from zoo.clock import by_the_clock, clock
from zoo.families.board import Cell, Line, escaped
from zoo.leaderboard import provenance
from zoo.leaderboard.markdown import bullets, table
from zoo.records import Part, Record

REMARKED = 1.0  # points; a larger difference from the published figure asks for a remark
MISSING = "**no remark yet**"
TITLE = "# Results\n\nMade by `zoo leaderboard`"
ABOUT = f"""{TITLE} from the records in `runs/` and from `remarks.csv`; do not edit it. \
The figures task by task are in [leaderboard.md](leaderboard.md), every restart in [leaderboard.html](leaderboard.html).

| | |
| --- | --- |
| `runs/` | records: settings, every restart, times, versions, commit; beside each its curves and predictions |
| `published*.csv` | figures of papers, with conditions; `verified` in them, `quoted` elsewhere (‡), `recalled` (†) |
| `remarks.csv` | why a run differs from its paper, as far as we know: table, model, setting, remark |
| `commits.csv` | whether the code of each record is in the history |
| `leaderboard*` | made from all these |

`zoo repeat run=RECORD task=2` makes a cell again from the settings of its record, and compares.

*Difference* is ours less the published figure. *Training* is the time of all trainings and restarts, one after \
another; *by the clock* is what the run took, unless it was interrupted. A difference of more than one point, either \
way, asks for a remark. So does any other figure that is behind the published one: two more failed tasks or, for \
dialogs, replies with unknown words or of task 6."""


def as_report(lines: Sequence[Line], left_out: Sequence[str], results_dir: Path, commits: dict[str, str]) -> str:
    """Write results/README.md.

    Args:
        lines: all rows of the leaderboard.
        left_out: sentences about damaged records.
        results_dir: holds remarks.
        commits: the state of each commit that the records name.
    """
    own = results_dir / "README.md"
    if own.exists() and not own.read_text().startswith("# Results\n\nMade by `"):
        raise UserError(f"{own} would be overwritten, and was not made by the leaderboard; move it away")
    written = _read_remarks(results_dir / "remarks.csv")
    remarks = {line.key: _remark(line, written) for line in lines}
    machines = list(dict.fromkeys(machine for line in lines for machine in _machines(line.row.record)))
    parts = [ABOUT]
    if lines:
        spent = clock(sum(line.row.record.train_seconds for line in lines))
        parts += [f"{len(lines)} run{'s' if len(lines) > 1 else ''} on the leaderboard, {spent} of training together."]
    else:
        parts.append("No records yet.")
    short = [
        f"{line.row.table.title}: `{line.row.model}`, {line.row.setting}: {'; '.join(behind)}. {remarks[line.key]}"
        for line in lines
        if (behind := behind_of(line))
    ]
    parts += ["## What fell short", bullets(short)] if short else []
    for title, measure in dict.fromkeys((line.row.table.title, line.measure) for line in lines):
        here = [line for line in lines if (line.row.table.title, line.measure) == (title, measure)]
        header = (
            "model", "setting", "ours", "published", "difference", "besides", "restarts", "training", "by the clock",
            "finished", "machine", "commit", "remark",
        )  # fmt: skip
        body = [
            ((line.row.model, line.row.setting), _cells(line, machines, commits, remarks[line.key])) for line in here
        ]
        parts += [f"## {escaped(title)}", f"{escaped(measure[0].upper() + measure[1:])}.", table(header, body)]
    known = sorted(" / ".join(key) for key in remarks)
    # not an error, which would end a campaign after its first run
    astray = [f"{said}{nearest(said, known)}" for said in map(" / ".join, written) if said not in known]
    parts += ["## Remarks of no run", bullets(astray)] if astray else []
    parts += ["## Records left out", bullets(left_out)] if left_out else []
    if machines:
        parts += ["## Machines", bullets(f"{_letter(place)}: {said}" for place, said in enumerate(machines))]
    return "\n\n".join(parts) + "\n"


def _cells(line: Line, machines: list[str], commits: dict[str, str], remark: str) -> list[Cell]:
    record, headline = line.row.record, line.headline
    made_by = dict.fromkeys(f"`{commit[:10]}`" for commit in record.commits)
    marks = [*line.row.marks, *provenance.marks(record, commits)]
    letters = ", ".join(_letter(machines.index(machine)) for machine in _machines(record))
    code = (", ".join(made_by) or "–") + "".join(f"; {mark}" for mark in marks)
    return [
        Cell("–" if headline.ours is None else f"{headline.ours:.2f}"),
        Cell("–" if headline.published is None else f"{headline.published:g}{headline.sign}"),
        Cell("–" if headline.difference is None else f"{headline.difference:+.2f}"),
        Cell(line.besides),
        Cell(str(record.restarts)),
        Cell(clock(record.train_seconds)),
        Cell(by_the_clock(record)),
        *map(Cell, (record.environment.finished[:10], letters, code, remark)),
    ]


def behind_of(line: Line) -> list[str]:
    """Name the figures that are behind the published ones by more than a point, or a task."""
    worse = 1 if line.row.measure.less_is_better else -1
    return [
        f"{figure.name} {round(figure.ours, 2):g} against {figure.published:g}{figure.sign}".lstrip()
        for figure in (line.headline, *line.further)
        if figure.ours is not None and figure.difference is not None and worse * figure.difference > REMARKED
    ]


def _remark(line: Line, remarks: dict[tuple[str, str, str], str]) -> str:
    wanted = abs(line.headline.difference or 0) > REMARKED or behind_of(line)
    return remarks.get(line.key, MISSING if wanted else "")


def _read_remarks(file: Path) -> dict[tuple[str, str, str], str]:
    """By table, model and setting."""
    rows = sheets.read(file, ("table", "model", "setting", "remark"))
    return {(row["table"], row["model"], row["setting"]): row["remark"] for row in rows}


def _machines(record: Record) -> list[str]:
    """Describe the machines that made a record; several where it was joined from runs."""
    return list(dict.fromkeys(_machine(part) for part in record.parts))


def _machine(part: Part) -> str:
    environment = part.environment
    cores = f"{environment.cores} core{'s' if environment.cores > 1 else ''}"
    said = [environment.processor, cores, environment.gpu or "no GPU", environment.system]
    versions = (f"{name} {version}" for name, version in environment.versions.items() if name != "memory-zoo")
    return ", ".join([*said, *versions])


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else str(place + 1)
