"""The leaderboard of WikiMovies: hits@1, a table for each source of the data; the same records give the same bytes."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from zoo import records
from zoo.leaderboard.sheet import Cell, Grid, Line, Part, Sheet
from zoo.leaderboard.tables import (
    SIGNED,
    made_by_known_code,
    marks_of,
    newest,
    published_of,
    read_published,
    setting_of,
    sign_of,
    table,
    unsigned,
)
from zoo.progress import clock

CSV = "leaderboard_wikimovies.csv"
COLUMNS = (
    "source", "world", "model", "experiment", "supervision", "restarts", "hits", "mean_hits", "valid_hits", "recall",
    "published", "parameters", "train_seconds", "record", "marks",
)  # fmt: skip
CONDITIONS = ("task.source", "task.generator.triples", "task.generator.seed")  # they choose the table
SOURCES = {
    "official": "official data",
    "partial": "a part of the official data, not comparable with published figures",
    "generated": "generated film world",
}


@dataclass(frozen=True)
class Row:
    """A model under one setting. Hits are in percent, of the restart that validation selected."""

    model: str
    experiment: str  # name of the experiment, or "default", and what was changed on the command line
    source: str
    world: str  # of generated data
    supervision: str
    restarts: int
    hits: float
    valid_hits: float
    mean_hits: float  # of all restarts
    recall: float  # percent of test questions of which some right answer was in reach
    published: str  # as printed, with the sign of its standing
    parameters: int
    train_seconds: float
    record: str
    marks: tuple[str, ...]

    @property
    def table(self) -> tuple[str, str]:
        return self.source, self.world

    @property
    def key(self) -> tuple:
        return self.model, self.experiment, self.table

    @property
    def tasks(self) -> list[str]:
        return ["1"]

    @property
    def order(self) -> tuple:
        return list(SOURCES).index(self.source), self.world, -self.hits, self.model, self.experiment

    @property
    def title(self) -> str:
        return f"WikiMovies, {SOURCES[self.source]}" + (f" ({self.world})" if self.world else "")


def rows_of(results_dir: Path) -> list[Row]:
    """One row a model, setting and table: of several records of the same the newest."""
    published = read_published(results_dir / "published_wikimovies.csv")
    return newest(results_dir, "wikimovies", lambda record, name: _row(record, name, published))


def _row(record: dict, name: str, published: list[dict[str, str]]) -> Row:
    (got,) = record["tasks"].values()
    (training,) = record["trainings"].values()
    # other data have other figures
    row = next(iter(published_of(record, published)), None) if record["source"] == "official" else None
    errors, k = got["test_errors"], got["selected"]
    return Row(
        record["model"],
        setting_of(record, CONDITIONS),
        record["source"],
        record["world"],
        record["supervision"],
        record["settings"]["restarts"],
        100 - errors[k],
        100 - got["valid_errors"][k],
        100 - sum(errors) / len(errors),
        record["recall"]["test"],
        row["hits_at_1"] + sign_of(row["standing"]) if row else "–",
        training["parameters"],
        record["train_seconds"],
        name,
        tuple(marks_of(record)),
    )


def as_csv(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        figures = {name: f"{getattr(row, name):.2f}" for name in ("hits", "mean_hits", "valid_hits", "recall")}
        rounded = {"train_seconds": f"{row.train_seconds:.1f}", "marks": "; ".join(row.marks)}
        writer.writerow({name: getattr(row, name) for name in COLUMNS} | figures | rounded)
    return stream.getvalue()


ABOUT = (
    "Hits@1 in percent, higher is better: questions whose best entity is one of the right answers. *In reach* is the "
    "share of test questions of which hashing found some triple with a right answer; no model can do better but by "
    "guessing. What *learns from* supporting facts is told in training which triples answer a question. Validation "
    "selects epoch and restart. " + SIGNED
)


def as_markdown(rows: list[Row]) -> str:
    """A section of the leaderboard; nothing where there are no records."""
    parts = []
    for title in dict.fromkeys(row.title for row in rows):
        parts += [f"## {title}", ABOUT, _table([row for row in rows if row.title == title])]
    return "\n\n".join(parts) + "\n" if parts else ""


FIGURES = ("hits@1", "published", "all restarts", "validation", "in reach", "restarts", "parameters", "training")
HEADER = ("learns from", *FIGURES)


def _table(rows: list[Row]) -> str:
    body = [(row.model, row.experiment, *(cell.text for cell in _cells(row)), "; ".join(row.marks)) for row in rows]
    return table(("model", "experiment", *HEADER, "notes"), body, set(FIGURES))


def _cells(row: Row) -> list[Cell]:
    figures = (Cell(f"{figure:.1f}", figure) for figure in (row.mean_hits, row.valid_hits, row.recall))
    return [
        Cell(row.supervision),
        Cell(f"{row.hits:.1f}", row.hits, part="questions", shade=100 - row.hits),
        Cell(row.published, _published(row)),
        *figures,
        Cell(str(row.restarts), row.restarts),
        Cell(f"{row.parameters:,}", row.parameters),
        Cell(clock(row.train_seconds), row.train_seconds),
    ]


def _published(row: Row) -> float | None:
    return None if row.published == "–" else float(unsigned(row.published)[0])


def as_short_markdown(rows: list[Row]) -> str:
    """In the README: rows made by committed code."""
    parts = []
    for title in dict.fromkeys(row.title for row in rows):
        body = [
            (
                f"`{row.model}`",
                row.experiment,
                row.supervision,
                str(row.restarts),
                f"{row.hits:.1f}",
                row.published,
                f"{row.recall:.1f}",
            )
            for row in rows
            if row.title == title and made_by_known_code(row.marks)
        ]
        if body:
            header = ("model", "setting", "learns from", "restarts", "hits@1", "published", "in reach")
            parts += [f"**{title}, hits@1 in %**", table(header, body, set(header[3:]))]
    return "\n\n".join(parts)


def lines_of(rows: list[Row]) -> list[Line]:
    """The runs, for results/README.md."""
    return [
        Line(
            row.title, "hits@1 in percent", row.model, row.experiment, row.record, row.hits, _published(row),
            unsigned(row.published)[1], f"in reach {row.recall:.1f}", row.marks, of_errors=False,
        )
        for row in rows
    ]  # fmt: skip


def sheet_of(rows: list[Row], results_dir: Path) -> Sheet:
    """The section on the page."""
    grids = [
        Grid(title, HEADER, [(row, _cells(row)) for row in rows if row.title == title])
        for title in dict.fromkeys(row.title for row in rows)
    ]
    parts = {row.record: _parts(records.read(results_dir / "runs" / f"{row.record}.json")) for row in rows}
    return Sheet("wikimovies", "WikiMovies", ABOUT.replace("*", ""), grids, parts)


def _parts(record: dict) -> dict[str, Part]:
    (got,) = record["tasks"].values()
    part = Part(
        "All questions", got["training"], got["test_errors"], got["valid_errors"], got["selected"], got["best_epochs"]
    )
    return {"questions": part}
