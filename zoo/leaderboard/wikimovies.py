"""The leaderboard of WikiMovies: hits@1, a table for each source of the data; the same records give the same bytes."""

from dataclasses import dataclass
from pathlib import Path

from zoo.leaderboard.tables import marks_of, newest, read_published, setting_of, table
from zoo.progress import clock

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
    restarts: int
    hits: float
    valid_hits: float
    mean_hits: float  # of all restarts
    recall: float  # percent of test questions of which some right answer was in reach
    published: str  # as printed, a figure that is known from memory only with a mark
    parameters: int
    train_seconds: float
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
    published = {row["key"]: row for row in read_published(results_dir / "published_wikimovies.csv")}
    return newest(results_dir, "wikimovies", lambda record, _: _row(record, published))


def _row(record: dict, published: dict[str, dict[str, str]]) -> Row:
    (got,) = record["tasks"].values()
    (training,) = record["trainings"].values()
    # other data have other figures
    row = published.get(record["published"] or "", {}) if record["source"] == "official" else {}
    errors, k = got["test_errors"], got["selected"]
    return Row(
        record["model"],
        setting_of(record, CONDITIONS),
        record["source"],
        record["world"],
        record["settings"]["restarts"],
        100 - errors[k],
        100 - got["valid_errors"][k],
        100 - sum(errors) / len(errors),
        record["recall"]["test"],
        row.get("hits_at_1", "–") + ("†" if row and row["standing"] != "verified" else ""),
        training["parameters"],
        record["train_seconds"],
        tuple(marks_of(record)),
    )


ABOUT = (
    "Hits@1 in percent, higher is better: questions whose best entity is one of the right answers. *In reach* is the "
    "share of test questions of which hashing found some triple with a right answer; no model can do better but by "
    "guessing. Validation selects epoch and restart."
)


def as_markdown(rows: list[Row]) -> str:
    """A section of the leaderboard; nothing where there are no records."""
    parts = []
    for title in dict.fromkeys(row.title for row in rows):
        parts += [f"## {title}", ABOUT, _table([row for row in rows if row.title == title])]
    return "\n\n".join(parts) + "\n" if parts else ""


def _table(rows: list[Row]) -> str:
    header = (
        "model", "experiment", "hits@1", "published", "all restarts", "validation", "in reach", "restarts",
        "parameters", "training", "notes",
    )  # fmt: skip
    body = [
        (
            row.model,
            row.experiment,
            f"{row.hits:.1f}",
            row.published,
            f"{row.mean_hits:.1f}",
            f"{row.valid_hits:.1f}",
            f"{row.recall:.1f}",
            str(row.restarts),
            f"{row.parameters:,}",
            clock(row.train_seconds),
            "; ".join(row.marks),
        )
        for row in rows
    ]
    return table(header, body, set(header) - {"model", "experiment", "notes"})


def as_short_markdown(rows: list[Row]) -> str:
    """The first screen of the README: rows made by committed code."""
    parts = []
    for title in dict.fromkeys(row.title for row in rows):
        body = [
            (f"`{row.model}`", row.experiment, str(row.restarts), f"{row.hits:.1f}", row.published, f"{row.recall:.1f}")
            for row in rows
            if row.title == title and "code" not in " ".join(row.marks)
        ]
        if body:
            header = ("model", "setting", "restarts", "hits@1", "published", "in reach")
            parts += [f"**{title}, hits@1 in %**", table(header, body, set(header[2:]))]
    return "\n\n".join(parts)
