"""WikiMovies: hits@1 in percent, a table for each source of the data."""

from collections.abc import Iterator, Sequence
from typing import Any

from zoo.families.board import (
    FACTS,
    SIGNED,
    Cell,
    Comparison,
    Grid,
    Line,
    Measure,
    PartOfRecord,
    Published,
    QuestionFamily,
    Row,
    Table,
    by_table,
    bytes_of,
    fixed,
)
from zoo.records import Record, TaskFigures

SOURCES = {
    "official": "official data",
    "partial": "a part of the official data, not comparable with published figures",
    "generated": "generated film world",
}


class WikiMovies(QuestionFamily):
    name, title, place = "wikimovies", "WikiMovies", 2
    reads, hub_dataset = "films", "facebook/wiki_movies"
    measure = Measure("hits@1", "%", 1, less_is_better=False)
    csv_file, published_file = "leaderboard_wikimovies.csv", "published_wikimovies.csv"
    published_columns = ("key", "model", "hits_at_1", "standing", "source")
    conditions = ("task.source", "task.generator.triples", "task.generator.seed")
    about = (
        "Hits@1 in percent, higher is better: questions whose best entity is one of the right answers. *In reach* is "
        "the share of test questions for which hashing found some triple with a right answer; a model does better only "
        "by guessing. A model that *learns from* supporting facts is told in training which triples answer a question. "
        "Validation selects epoch and restart. " + SIGNED
    )
    csv_columns = (
        "source", "world", "model", "experiment", "supervision", "restarts", "hits", "mean_hits", "valid_hits",
        "recall", "published", "parameters", "train_seconds", "record", "marks",
    )  # fmt: skip

    def taken_home(self, records: Sequence[Record]) -> list[Record]:
        """Choose one run on generated films, whose networks take the least room."""
        return sorted((record for record in records if record.source == "generated"), key=bytes_of)[:1]

    def table_of(self, record: Record) -> Table:
        world = f" ({record.world})" if record.world else ""
        place = list(SOURCES).index(record.source) if record.source in SOURCES else len(SOURCES)
        return Table((place, record.world), f"WikiMovies, {SOURCES.get(record.source, record.source)}{world}")

    def headline(self, row: Row) -> float:
        return self.figure_of(row.record)

    def comparison(self, row: Row) -> Comparison:
        paper = published_of(row)
        return Comparison("", self.headline(row), paper.value, paper.sign)

    def line(self, row: Row) -> Line:
        return Line(row, "hits@1 in percent", self.comparison(row), f"in reach {row.record.recall['test']:.1f}")

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        hits, mean, valid = figures(row.record)
        yield {
            "hits": fixed(hits, 2),
            "mean_hits": fixed(mean, 2),
            "valid_hits": fixed(valid, 2),
            "recall": fixed(row.record.recall["test"], 2),
            "published": str(published_of(row)),
        }

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        columns = ("learns from", "hits@1", "published", "all restarts", "validation", "in reach", *FACTS)
        body = []
        for row in rows:
            hits, mean, valid = figures(row.record)
            paper, recall = published_of(row), row.record.recall["test"]
            cells = [
                Cell(row.record.supervision),
                Cell(f"{hits:.1f}", hits, part="questions", shade=100 - hits),
                Cell(str(paper), paper.value),
                *(Cell(f"{figure:.1f}", figure) for figure in (mean, valid, recall)),
                *row.facts,
            ]
            body.append((row, cells))
        return [Grid("", columns, body)]

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        columns = ("learns from", "restarts", "hits@1", "published", "in reach")
        return [
            Grid(
                f"**{title}, hits@1 in %**", columns,
                [(row, self._short(row)) for row in here],
            )
            for title, here in by_table([row for row in rows if row.is_of_known_code])
        ]  # fmt: skip

    def _short(self, row: Row) -> list[Cell]:
        hits, recall = self.headline(row), row.record.recall["test"]
        return [
            Cell(row.record.supervision),
            row.facts[0],
            Cell(f"{hits:.1f}", hits),
            Cell(str(published_of(row))),
            Cell(f"{recall:.1f}", recall),
        ]

    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        return {"questions": self.part("All questions", of_questions(record))}


def of_questions(record: Record) -> TaskFigures:
    (got,) = record.tasks.values()
    return got


def figures(record: Record) -> tuple[float, float, float]:
    """Hits of the selected restart, mean of all restarts, and hits of the selected restart on validation."""
    got = of_questions(record)
    return 100 - got.error, 100 - sum(got.test_errors) / record.restarts, 100 - got.valid_errors[got.selected]


def published_of(row: Row) -> Published:
    return Published(row.paper.get("hits_at_1", ""), row.paper.get("standing", ""))


FAMILY = WikiMovies()
