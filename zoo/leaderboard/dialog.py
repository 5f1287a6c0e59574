"""The leaderboard of the dialog tasks: accuracies of replies and of whole dialogs, with and without match types."""

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path

from zoo.leaderboard.tables import marks_of, newest, setting_of, table
from zoo.progress import clock

TASKS = range(1, 7)
SIMULATED = range(1, 6)  # of these the papers give means; they have a test set of unknown words
FIGURES = ("response", "dialog", "response_oov", "dialog_oov")
_KEYS = ("test_errors", "test_dialog_errors", "oov_errors", "oov_dialog_errors")  # of a record, in the order of FIGURES


@dataclass(frozen=True)
class Row:
    """A model under one setting. Accuracies are in percent, of the restart that validation selected."""

    model: str
    experiment: str
    match: bool
    restarts: int
    accuracy: dict[tuple[str, int], float]  # by figure and task
    published: dict[tuple[str, int], str]  # as printed, those that are known from memory only with a mark
    parameters: int
    train_seconds: float
    memory: str
    marks: tuple[str, ...]

    @property
    def key(self) -> tuple:
        return self.model, self.experiment, self.match

    @property
    def tasks(self) -> list[int]:
        return [task for task in TASKS if ("response", task) in self.accuracy]

    def mean(self, figure: str) -> float | None:
        """Over the five simulated tasks, where all of them were run."""
        got = [self.accuracy.get((figure, task)) for task in SIMULATED]
        return None if None in got else statistics.fmean(got)

    def published_mean(self, figure: str) -> float | None:
        got = [self.published.get((figure, task), "").rstrip("†") for task in SIMULATED]
        return statistics.fmean(map(float, got)) if all(got) else None

    @property
    def order(self) -> tuple:
        mean = self.mean("response")
        return self.match, mean is None, -(mean or 0.0), self.model, self.experiment


def rows_of(results_dir: Path) -> list[Row]:
    """One row a model, setting and table: of several records of the same, the one with most tasks, then the newest."""
    published = _read_published(results_dir / "published_dialog.csv")
    return newest(results_dir, "dialog", lambda record, _: _row(record, published))


def _read_published(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []


def _row(record: dict, published: list[dict[str, str]]) -> Row:
    settings, tasks = record["settings"], record["tasks"]
    match = settings["task"]["match"]
    accuracy = {
        (figure, int(task)): 100 - got[key][got["selected"]]
        for task, got in tasks.items()
        for figure, key in zip(FIGURES, _KEYS, strict=True)
        if key in got
    }
    printed = {}
    for row in published:
        if row["key"] == record["published"] and row["match"] == ("yes" if match else "no"):
            mark = "" if row["standing"] == "verified" else "†"
            printed |= {(row["figure"], task): row[f"task_{task}"] + mark for task in TASKS if row[f"task_{task}"]}
    marks = marks_of(record)
    if len(tasks) < len(TASKS):
        marks.append(f"task{'s' if len(tasks) > 1 else ''} {', '.join(tasks)} only")
    return Row(
        record["model"],
        setting_of(record, ("task.match",)),
        match,
        settings["restarts"],
        accuracy,
        printed,
        max(training["parameters"] for training in record["trainings"].values()),
        record["train_seconds"],
        record["memory"],
        tuple(marks),
    )


def as_markdown(rows: list[Row]) -> str:
    parts = []
    for match in (False, True):
        here = [row for row in rows if row.match == match]
        if here:
            parts += [f"## {_title(match)}", ABOUT, _summary(here), _per_task(here)]
    return "\n\n".join(parts) + "\n" if parts else ""


ABOUT = (
    "Accuracy in percent, higher is better: of replies, each chosen among all replies of the tasks, and in parentheses"
    " of dialogs without any wrong reply. *Unknown words* is the test set with restaurants, places and cuisines that no"
    " training dialog has. Means are of tasks 1 to 5. Validation selects epoch and restart. What is marked † is known "
    "from memory of the paper only."
)


def as_short_markdown(rows: list[Row]) -> str:
    """The first screen of the README: rows of tasks 1 to 5, made by committed code."""
    header = (
        "model",
        "setting",
        "restarts",
        "replies",
        "published",
        "unknown words",
        "published",
        "task 6",
        "published",
    )
    parts = []
    for match in (False, True):
        here = [
            row for row in rows if row.match == match and row.mean("response") and "code" not in " ".join(row.marks)
        ]
        body = [
            (
                f"`{row.model}`",
                row.experiment,
                str(row.restarts),
                *(_number(mean(figure)) for figure in ("response", "response_oov") for mean in _means(row)),
                _number(row.accuracy.get(("response", 6))),
                row.published.get(("response", 6), "–"),
            )
            for row in here
        ]
        if body:
            parts += [f"**{_title(match)}, right replies in %, mean of tasks 1 to 5**", table(header, body)]
    return "\n\n".join(parts)


def _means(row: Row) -> tuple:
    return row.mean, row.published_mean


def _title(match: bool) -> str:
    return f"Dialog bAbI, official data, {'with' if match else 'without'} match types"


def _summary(rows: list[Row]) -> str:
    header = (
        "model", "experiment", "memory", "replies", "published", "unknown words", "published", "restarts", "parameters",
        "training", "notes",
    )  # fmt: skip
    body = [
        (
            row.model,
            row.experiment,
            row.memory,
            *(_number(mean(figure)) for figure in ("response", "response_oov") for mean in _means(row)),
            str(row.restarts),
            f"{row.parameters:,}",
            clock(row.train_seconds),
            "; ".join(row.marks),
        )
        for row in rows
    ]
    return table(header, body)


def _per_task(rows: list[Row]) -> str:
    """A row a test set; beside each figure of ours the published one."""
    header = ["test set"]
    for row in rows:
        header += [row.model if row.experiment == "default" else f"{row.model}: {row.experiment}", "published"]
    body = []
    for suffix, name, tasks in (("", "task {}", TASKS), ("_oov", "task {}, unknown words", SIMULATED)):
        for task in tasks:
            cells = [name.format(task)]
            for row in rows:
                figures = [(f"{of}{suffix}", task) for of in ("response", "dialog")]
                cells.append(_both(*(_number(row.accuracy.get(figure)) for figure in figures)))
                cells.append(_both(*(row.published.get(figure, "–") for figure in figures)))
            body.append(tuple(cells))
    return table(tuple(header), body)


def _both(of_replies: str, of_dialogs: str) -> str:
    return of_replies if of_dialogs == "–" else f"{of_replies} ({of_dialogs})"


def _number(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.1f}"
