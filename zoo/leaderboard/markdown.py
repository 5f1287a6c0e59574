"""Rows of a family → markdown: its part of leaderboard.md, and its tables between the markers of a document."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tasks.errors import UserError
from zoo.families import babi
from zoo.families.board import Cell, Family, Grid, Published, Row, by_table, escaped, labelled

BEGIN, END = "<!-- {}: made by zoo leaderboard -->\n\n", "\n\n<!-- end of {} -->"
HEAD = (
    "# Leaderboard\n\nMade by `zoo leaderboard` from the records in `results/runs/` and from the published figures in "
    "`results/published*.csv`; do not edit it."
)


def as_markdown(rows: Mapping[Family, Sequence[Row]], published: Sequence[Mapping[str, str]] = ()) -> str:
    """Write leaderboard.md: every table of every family.

    Args:
        rows: of every family, sorted.
        published: all published figures of bAbI; those of no model of ours have a table of their own.
    """
    parts = [HEAD]
    if not any(rows.values()):
        parts.append("No records yet: `python run.py model=gated_memn2n task=babi_all` makes the first.")
    for family, of_family in rows.items():
        parts += [f"# {family.title}", family.about] if of_family else []
        for title, here in by_table(of_family):
            parts.append(f"## {escaped(title)}")
            parts += [_of_grid(grid) for grid in family.grids(here)]
        if family is babi.FAMILY and of_family:
            parts.append(_not_built(published))
    return "\n\n".join(filter(None, parts)) + "\n"


def as_short_markdown(family: Family, rows: Sequence[Row]) -> str:
    """Write the family's tables for documents."""
    parts = []
    for grid in family.short(rows):
        lead = ("model", "setting") if grid.with_setting else ("model",)
        body = [((f"`{row.model}`", row.setting)[: len(lead)], cells) for row, cells in grid.rows]
        parts += [escaped(grid.title), table((*lead, *grid.columns), body)]
    notes = dict.fromkeys(note for grid in family.short(rows) for note in grid.notes)
    return "\n\n".join([*parts, *([bullets(notes)] if notes else [])])


def _not_built(published: Sequence[Mapping[str, str]]) -> str:
    """Draw the figures of models that are not built here, and of others' runs of models that are."""
    kept = [row for row in published if not row["model"]]
    if not kept:
        return ""
    about = "Models that are not built here, and others' runs of models that are. They stand beside no row of ours."
    header = ("model", "setting", "size", "training", "mean error", "failed", "conditions", "source")
    body = []
    for row in kept:
        of = (row["name"], row["setting"], row["size"], babi.TRAINED[row["protocol"]])
        mean = Published(row["mean_error"], row["mean_standing"])
        failed = Published(row["failed_tasks"], row["failed_standing"])
        body.append((of, [Cell(str(mean)), Cell(str(failed)), Cell(row["conditions"]), Cell(row["source"])]))
    return "\n\n".join(["## bAbI, published, not built here", about, table(header, body)])


def _of_grid(grid: Grid) -> str:
    if grid.is_wide:  # a row per column
        columns = [labelled(row) for row, _ in grid.rows]
        across = zip(*(cells for _, cells in grid.rows), strict=True)
        text = table(("", *columns), [((name,), cells) for name, cells in zip(grid.columns, across, strict=True)])
    else:
        body = [((row.model, row.setting), [*cells, Cell("; ".join(row.marks))]) for row, cells in grid.rows]
        text = table(("model", "setting", *grid.columns, "notes"), body)
    return "\n\n".join(filter(None, [text, bullets(grid.notes)]))


def table(header: Sequence[str], body: Sequence[tuple[Sequence[str], Sequence[Cell]]]) -> str:
    """Draw a table: texts that lead each row, then cells; columns of numbers are set to the right.

    Args:
        header: of every column.
        body: leading texts and cells of every row.
    """
    lead = len(body[0][0]) if body else len(header)
    columns = list(zip(*(cells for _, cells in body), strict=True))
    numeric = [all(re.match(r"[\d+*–-]", cell.text) for cell in column) for column in columns]
    rule = ["---"] * lead + ["--:" if is_number else "---" for is_number in numeric]
    lines = [[*map(escaped, header)], rule, *([*map(escaped, texts), *map(_text, cells)] for texts, cells in body)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _text(cell: Cell) -> str:
    return escaped(f"{cell.text}, {cell.below}" if cell.below else cell.text)


def bullets(notes: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(note)}" for note in notes)


def between_markers(document: str, name: str, text: str) -> str:
    """Put text between the markers of that name; a document without them stays as it is."""
    marks = BEGIN.format(name), END.format(name)
    before, begin, rest = document.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if begin and not end:
        raise UserError(f"a document has lost its marker {marks[1].strip()}; put it back")
    return before + begin + text + end + after if begin else document
