"""Dialog bAbI: right replies and right dialogs in percent, with and without match types."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from zoo.families.board import (
    FACTS,
    NO_FIGURE,
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
    best_of,
    by_table,
    fixed,
    number,
    only_of,
)
from zoo.records import Record

TASKS = range(1, 7)
SIMULATED = range(1, 6)  # papers give means of these; they have a test set of unknown words
FIGURES = {  # as csv files and published figures name them: name for people, name in records
    "response": ("replies", "test_errors"),
    "dialog": ("dialogs", "test_dialog_errors"),
    "response_oov": ("replies, unknown words", "oov_errors"),
    "dialog_oov": ("dialogs, unknown words", "oov_dialog_errors"),
}


class Dialog(QuestionFamily):
    name, title, place = "dialog", "Dialogs", 1
    reads = "dialogs"
    measure = Measure("right replies", "%", 1, less_is_better=False)
    csv_file, published_file = "leaderboard_dialog.csv", "published_dialog.csv"
    published_columns = (
        "key", "model", "match", "figure", *(f"task_{task}" for task in TASKS), "standing", "source",
    )  # fmt: skip
    published_words: ClassVar = {"match": ("yes", "no"), "figure": tuple(FIGURES)}
    conditions = ("task.match",)
    about = (
        "Accuracy in percent, higher is better: of replies, each chosen among all replies of the tasks, and in "
        "parentheses of dialogs without any wrong reply. *Unknown words* is the test set with restaurants, places and "
        "cuisines that no training dialog has. Means are of tasks 1 to 5. Validation selects epoch and restart. "
        + SIGNED
    )
    csv_columns = (
        "match", "world", "model", "experiment", "restarts", "task", "figure", "accuracy", "published", "parameters",
        "train_seconds", "record", "marks",
    )  # fmt: skip

    def taken_home(self, records: Sequence[Record]) -> list[Record]:
        """Choose one run on all tasks."""
        complete = [record for record in records if not record.world and len(record.tasks) == len(TASKS)]
        return best_of(complete, lambda record: self.name)

    def table_of(self, record: Record) -> Table:
        match, world = has_match(record), f" ({record.world})" if record.world else ""
        return Table(
            (match, record.world), f"Dialog bAbI, official data{world}, {'with' if match else 'without'} match types"
        )

    def marks(self, record: Record) -> list[str]:
        return only_of(record, map(str, TASKS))

    def published_of(self, record: Record, published: Sequence[Any]) -> list[Any]:
        match = "yes" if has_match(record) else "no"
        return [row for row in super().published_of(record, published) if row["match"] == match]

    # --- the figures

    def headline(self, row: Row) -> float | None:
        return mean_of(row, "response")

    def figure_of(self, record: Record) -> float:
        """The mean of the simulated tasks or, if none of them was run, of the others."""
        errors = {int(task): got.error for task, got in record.tasks.items()}
        return 100 - statistics.fmean([errors[task] for task in SIMULATED if task in errors] or errors.values())

    def comparison(self, row: Row) -> Comparison:
        return mean_comparison("", row, "response")

    def line(self, row: Row) -> Line:
        besides = (
            f"unknown words {number(mean_of(row, 'response_oov'), 1)} (published {published_mean(row, 'response_oov')})"
        )
        if self.headline(row) is None:
            of_tasks = {task: accuracy_of(row, "response", task) for task in TASKS}
            besides = "; ".join(
                f"task {task} {got:.1f} (published {published_of(row, 'response', task)})"
                for task, got in of_tasks.items()
                if got is not None
            )
        paper = published_of(row, "response", 6)
        further = (
            mean_comparison("unknown words", row, "response_oov"),
            Comparison("task 6", accuracy_of(row, "response", 6), paper.value, paper.sign),
        )
        return Line(row, "right replies in percent, mean of tasks 1 to 5", self.comparison(row), besides, further)

    # --- the tables

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        for task in TASKS:
            for figure in FIGURES:
                if (accuracy := accuracy_of(row, figure, task)) is not None:
                    paper = published_of(row, figure, task)
                    yield {
                        "match": "yes" if has_match(row.record) else "no",
                        "task": task,
                        "figure": figure,
                        "accuracy": fixed(accuracy, 2),
                        "published": str(paper) if paper.text else "",
                    }

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        means = ("replies", "published", "unknown words", "published", *FACTS, "memory")
        tests = [("", task) for task in TASKS] + [("_oov", task) for task in SIMULATED]
        columns = tuple(f"task {task}" + (", unknown words" if suffix else "") for suffix, task in tests)
        notes = dict.fromkeys(
            f"Published, {row.model}: "
            + "; ".join(
                f"{FIGURES[paper['figure']][0]}{Published('x', paper['standing']).sign}: {paper['source']}"
                for paper in row.published
            )
            + "."
            for row in rows
            if row.published
        )
        return [
            Grid("", means, [(row, [*_means(row), *row.facts, Cell(row.record.memory)]) for row in rows]),
            Grid(
                "task by task", columns, [(row, [_test(row, *test) for test in tests]) for row in rows], tuple(notes),
                is_wide=True,
            ),
        ]  # fmt: skip

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        columns = ("restarts", "replies", "published", "unknown words", "published", "task 6", "published")
        shown = [row for row in rows if self.headline(row) is not None and row.is_of_known_code]
        return [
            Grid(
                f"**{title}, right replies in %, mean of tasks 1 to 5**", columns,
                [(row, [row.facts[0], *_means(row), *_sixth(row)]) for row in here],
            )
            for title, here in by_table(shown)
        ]  # fmt: skip

    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        return {
            f"{task}{suffix}": self.part(f"Task {task}, replies{said}", got, errors)
            for task, got in record.tasks.items()
            for suffix, errors, said in (("", "test_errors", ""), ("_oov", "oov_errors", ", unknown words"))
            if getattr(got, errors) is not None
        }


def has_match(record: Record) -> bool:
    return bool(record.settings["task"]["match"])


def accuracy_of(row: Row, figure: str, task: int) -> float | None:
    got = row.record.tasks.get(str(task))
    error = None if got is None else got.chosen(FIGURES[figure][1])
    return None if error is None else 100 - error


def mean_of(row: Row, figure: str) -> float | None:
    """Mean over the simulated tasks, if all of them were run."""
    of_tasks = [accuracy_of(row, figure, task) for task in SIMULATED]
    known = [accuracy for accuracy in of_tasks if accuracy is not None]
    return statistics.fmean(known) if len(known) == len(of_tasks) else None


def published_of(row: Row, figure: str, task: int) -> Published:
    for paper in row.published:
        if paper["figure"] == figure:
            return Published(paper[f"task_{task}"], paper["standing"])
    return Published()


def published_mean(row: Row, figure: str) -> Published:
    """The published mean over the simulated tasks, if ours stands beside it."""
    papers = [published_of(row, figure, task) for task in SIMULATED]
    if mean_of(row, figure) is None or not all(paper.text for paper in papers):
        return Published()
    return Published(f"{statistics.fmean(float(paper.text) for paper in papers):.1f}", papers[0].standing)


def mean_comparison(name: str, row: Row, figure: str) -> Comparison:
    papers = [published_of(row, figure, task) for task in SIMULATED]
    ours = mean_of(row, figure)
    known = ours is not None and all(paper.text for paper in papers)
    published = statistics.fmean(float(paper.text) for paper in papers) if known else None
    return Comparison(name, ours, published, papers[0].sign)


def _means(row: Row) -> list[Cell]:
    cells = []
    for figure in ("response", "response_oov"):
        ours, paper = mean_of(row, figure), published_mean(row, figure)
        cells += [Cell(number(ours, 1), ours), Cell(str(paper), paper.value)]
    return cells


def _sixth(row: Row) -> list[Cell]:
    ours, paper = accuracy_of(row, "response", 6), published_of(row, "response", 6)
    return [Cell(number(ours, 1), ours), Cell(str(paper))]


def _test(row: Row, suffix: str, task: int) -> Cell:
    """Right replies of a test set, and in parentheses right dialogs."""
    replies, dialogs = (accuracy_of(row, f"{of}{suffix}", task) for of in ("response", "dialog"))
    if replies is None:
        return Cell(NO_FIGURE)
    papers = [str(published_of(row, f"{of}{suffix}", task)) for of in ("response", "dialog")]
    below = "" if papers[0] == NO_FIGURE else f"paper {_both(*papers)}"
    return Cell(_both(number(replies, 1), number(dialogs, 1)), replies, below, f"{task}{suffix}", 100 - replies)


def _both(of_replies: str, of_dialogs: str) -> str:
    return of_replies if of_dialogs == NO_FIGURE else f"{of_replies} ({of_dialogs})"


FAMILY = Dialog()
