"""Rows of bAbI → findings in sentences: which idea helps where, each with links to the cells that it is made from."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from tasks.babi import TASKS as NAMES
from zoo.families import babi
from zoo.families.board import Row, escaped, number, plural

LEADS = {
    "answers": "Learned from answers alone, ",
    "supporting facts": "Told in training which sentences matter, ",
}
PAIRS = 2  # of a recipe with names as they are and with names exchanged; fewer are no finding


class Link(NamedTuple):
    """A text that leads to a record, or to a cell of it."""

    text: str
    record: str
    task: str | None = None


Finding = list[str | Link]


def findings(rows: Iterable[Row]) -> list[Finding]:
    """Say what the rows of one source and protocol show; of each model the setting that validation selects.

    Args:
        rows: of all sizes, with names as they are and with names exchanged in training.
    """
    # variants of the release, and rows that know more than others, stand alone
    rows = [row for row in rows if babi.is_complete(row) and not row.marks and babi.size_of(row.record) in babi.SIZES]
    kept = [row for row in rows if not row.record.renamed]
    by_size = {size: best for size in babi.SIZES if (best := _best(kept, size))}
    found = [_leaders(by_size), _facts(by_size), _more(by_size), _luck(by_size), _names(rows)]
    return [finding for finding in found if finding]


def of_all(rows: Sequence[Row]) -> dict[tuple, list[Finding]]:
    """Find what each source and protocol shows, by `group_of`."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(group_of(row), []).append(row)
    return {group: findings(of) for group, of in groups.items()}


def group_of(row: Row) -> tuple:
    return row.record.source, row.record.world, row.record.protocol


def as_markdown(rows: Sequence[Row]) -> str:
    """List what official data and one training per task show, with links to the cells on the page."""
    here = of_all(rows).get(("official", "", "per_task"), [])
    return "\n".join(f"- {''.join(map(_written, finding))}" for finding in here)


def _written(part: str | Link) -> str:
    if isinstance(part, str):
        return escaped(part)
    place = {"record": part.record} | ({"cell": part.task} if part.task else {})
    return f"[{escaped(part.text)}](results/leaderboard.html#{urlencode(place)})"


def _best(rows: Iterable[Row], size: str) -> list[Row]:
    best: dict[str, Row] = {}
    for row in rows:
        if babi.size_of(row.record) == size:
            other = best.get(row.model)
            if other is None or babi.mean_valid(row) < babi.mean_valid(other):
                best[row.model] = row
    return list(best.values())


def _mean(row: Row) -> float:
    return babi.FAMILY.headline(row) or 0.0


def _told(rows: Iterable[Row], supervision: str) -> list[Row]:
    return [row for row in rows if row.record.supervision == supervision]


def _link(row: Row, text: str, task: int | None = None) -> Link:
    return Link(text, row.record.name, None if task is None else str(task))


def _percent(row: Row, task: int) -> Link:
    star = "*" if str(task) in row.record.filled else ""
    return _link(row, f"{number(row.errors[task], 1)} %{star}", task)


def _said(row: Row) -> str:
    """Its mean error, marked where training questions of a task are generated."""
    return f"{number(_mean(row), 1)} %{'*' if row.record.filled else ''}"


def _leaders(by_size: dict[str, list[Row]]) -> Finding:
    """Name the model of least error at the largest size, and where even the best of all err."""
    if not by_size:
        return []
    size, rows = list(by_size.items())[-1]
    parts: Finding = []
    for supervision, lead in LEADS.items():
        if some := _told(rows, supervision):
            row = min(some, key=_mean)
            failed = babi.FAMILY.failed_of(row)
            figures = f" errs least at {size}: {_said(row)} on average, {plural(failed or 0, 'task')} failed. "
            parts += [
                lead,
                _link(row, row.model),
                figures,
            ]
    worst = max(babi.TASKS, key=lambda task: min(row.errors[task] for row in rows))
    row = min(rows, key=lambda row: row.errors[worst])
    if row.errors[worst]:
        parts += [f"Hardest is task {worst}, {NAMES[worst]}: the best there, ", _link(row, row.model, worst)]
        parts += [f", errs on {number(row.errors[worst], 1)} %."]
    return parts


def _facts(by_size: dict[str, list[Row]]) -> Finding:
    """Say on which task it helps most to be told which sentences matter, at the smallest size that shows it."""
    for size, rows in by_size.items():
        answers, told = _told(rows, "answers"), _told(rows, "supporting facts")
        if not answers or not told:
            continue
        one, other = min(told, key=_mean), min(answers, key=_mean)
        task = max(babi.TASKS, key=lambda task: other.errors[task] - one.errors[task])
        if other.errors[task] > one.errors[task]:
            lead = f"Being told which sentences matter helps most on task {task}, {NAMES[task]}, at {size}: "
            return [lead, one.model, " errs on ", _percent(one, task), ", where ", other.model,
                    ", the best from answers alone, errs on ", _percent(other, task), "."]  # fmt: skip
    return []


def _more(by_size: dict[str, list[Row]]) -> Finding:
    """Say whose errors fall most with more questions."""
    if len(by_size) < 2:
        return []
    (few, before), (many, after) = by_size.items()
    pairs = [(one, other) for one in before for other in after if one.model == other.model]
    one, other = _widest(pairs, lambda pair: _mean(pair[0]) - _mean(pair[1]))
    if one is None or other is None:
        return []
    lead = f"From {few} to {many} questions per task, the errors of {one.model} fall most: from "
    return [lead, _link(one, _said(one)), " to ", _link(other, _said(other)), "."]


def _luck(by_size: dict[str, list[Row]]) -> Finding:
    """Say how far restarts of one setting differ."""
    if not by_size:
        return []
    size, rows = list(by_size.items())[-1]
    cells = [(row, task, row.record.tasks[str(task)].test_errors) for row in rows for task in babi.TASKS]
    row, task, errors = max(cells, key=lambda cell: max(cell[2]) - min(cell[2]))
    if max(errors) == min(errors):
        return []
    said = f" at {size}: restarts that differ in their seeds alone err on {number(min(errors), 1)} to "
    return [
        "Luck goes furthest with ",
        _link(row, f"{row.model}, task {task}", task),
        f"{said}{number(max(errors), 1)} %.",
    ]


def _names(rows: Sequence[Row]) -> Finding:
    """Say which memory gains most by names exchanged in training, where enough recipes stand with and without."""
    for size in babi.SIZES:
        renamed = _best(
            (row for row in rows if row.record.renamed and row.beside and babi.is_complete(row.beside)), size
        )
        pairs = [(row.beside, row) for row in renamed if row.beside]
        if len(pairs) < PAIRS:
            continue
        gains = [_mean(one) - _mean(other) for one, other in pairs]
        fewer = f"{sum(gain > 0 for gain in gains)} of {len(pairs)} models err less"
        said = f"With names exchanged in training, {fewer} at {size}, the same recipe with and without. "
        parts: Finding = [said]
        for lead, sign in (("Most is gained by ", 1), ("least by " if min(gains) > 0 else "most is lost by ", -1)):
            one, other = max(pairs, key=lambda pair: sign * (_mean(pair[0]) - _mean(pair[1])))
            parts += [f"{lead}{one.model}, from ", _link(one, _said(one)), " to "]
            parts += [_link(other, _said(other)), "; " if sign > 0 else ". "]
        cells = [(one, other, task) for one, other in pairs for task in babi.TASKS]
        one, other, task = max(cells, key=lambda cell: cell[0].errors[cell[2]] - cell[1].errors[cell[2]])
        lead = f"It helps most on task {task}, {NAMES[task]}: {one.model} from "
        parts += [lead, _percent(one, task), " to ", _percent(other, task), "."]
        return [*parts, *_least_renamed(rows)]
    return []


def _least_renamed(rows: Sequence[Row]) -> Finding:
    """Name the model of least error with names exchanged, at each size."""
    parts: Finding = []
    for size in babi.SIZES:
        if some := _best((row for row in rows if row.record.renamed), size):
            row = min(some, key=_mean)
            parts += [", and " if parts else " So trained, "]
            parts += [_link(row, row.model), f" errs least at {size}: {_said(row)}, "]
            parts += [f"{plural(babi.FAMILY.failed_of(row) or 0, 'task')} failed"]
    return [*parts, "."]


def _widest(pairs: list, gain: Callable) -> tuple[Row | None, Row | None]:
    widest = max(pairs, key=gain, default=None)
    return widest if widest and gain(widest) > 0 else (None, None)
