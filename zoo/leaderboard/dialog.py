"""The leaderboard of the dialog tasks: accuracies of replies and of whole dialogs, with and without match types."""

import csv
import io
import statistics
from dataclasses import dataclass
from pathlib import Path

from zoo import records
from zoo.leaderboard.sheet import Cell, Figure, Grid, Line, Part, Sheet
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

CSV = "leaderboard_dialog.csv"
COLUMNS = (
    "match", "world", "model", "experiment", "restarts", "task", "figure", "accuracy", "published", "parameters",
    "train_seconds", "record", "marks",
)  # fmt: skip
TASKS = range(1, 7)
SIMULATED = range(1, 6)  # of these the papers give means; they have a test set of unknown words
FIGURES = ("response", "dialog", "response_oov", "dialog_oov")
_KINDS = dict(zip(FIGURES, ("replies", "dialogs", "replies, unknown words", "dialogs, unknown words"), strict=True))
_KEYS = ("test_errors", "test_dialog_errors", "oov_errors", "oov_dialog_errors")  # of a record, in the order of FIGURES


@dataclass(frozen=True)
class Row:
    """A model under one setting. Accuracies are in percent, of the restart that validation selected."""

    model: str
    experiment: str
    match: bool
    world: str  # how its files differ from those of the release
    restarts: int
    accuracy: dict[tuple[str, int], float]  # by figure and task
    published: dict[tuple[str, int], str]  # as printed, with the sign of its standing
    sources: tuple[str, ...]  # of what is published
    parameters: int
    train_seconds: float
    memory: str
    record: str
    marks: tuple[str, ...]

    @property
    def key(self) -> tuple:
        return self.model, self.experiment, self.table

    @property
    def table(self) -> tuple[bool, str]:
        return self.match, self.world

    @property
    def title(self) -> str:
        world = f" ({self.world})" if self.world else ""
        return f"Dialog bAbI, official data{world}, {'with' if self.match else 'without'} match types"

    @property
    def tasks(self) -> list[int]:
        return [task for task in TASKS if ("response", task) in self.accuracy]

    def mean(self, figure: str) -> float | None:
        """Over the five simulated tasks, where all of them were run."""
        got = [self.accuracy.get((figure, task)) for task in SIMULATED]
        return None if None in got else statistics.fmean(got)

    def published_mean(self, figure: str) -> float | None:
        """That stands beside ours, where there is one."""
        got = [unsigned(self.published.get((figure, task), ""))[0] for task in SIMULATED]
        return statistics.fmean(map(float, got)) if all(got) and self.mean(figure) is not None else None

    @property
    def order(self) -> tuple:
        mean = self.mean("response")
        return self.table, mean is None, -(mean or 0.0), self.model, self.experiment


def rows_of(results_dir: Path) -> list[Row]:
    """One row a model, setting and table: of several records of the same, the one with most tasks, then the newest."""
    published = read_published(results_dir / "published_dialog.csv")
    return newest(results_dir, "dialog", lambda record, name: _row(record, name, published))


def _row(record: dict, name: str, published: list[dict[str, str]]) -> Row:
    settings, tasks = record["settings"], record["tasks"]
    match = settings["task"]["match"]
    accuracy = {
        (figure, int(task)): 100 - got[key][got["selected"]]
        for task, got in tasks.items()
        for figure, key in zip(FIGURES, _KEYS, strict=True)
        if key in got
    }
    printed, sources = {}, []
    for row in [] if record["world"] else published_of(record, published):
        if row["match"] == ("yes" if match else "no"):
            sign = sign_of(row["standing"])
            printed |= {(row["figure"], task): row[f"task_{task}"] + sign for task in TASKS if row[f"task_{task}"]}
            sources.append(f"{_KINDS[row['figure']]}{sign}: {row['source']}")
    marks = marks_of(record)
    if len(tasks) < len(TASKS):
        marks.append(f"task{'s' if len(tasks) > 1 else ''} {', '.join(tasks)} only")
    return Row(
        record["model"],
        setting_of(record, ("task.match",)),
        match,
        record["world"],
        settings["restarts"],
        accuracy,
        printed,
        tuple(sources),
        max(training["parameters"] for training in record["trainings"].values()),
        record["train_seconds"],
        record["memory"],
        name,
        tuple(marks),
    )


def as_csv(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for (figure, task), accuracy in row.accuracy.items():
            writer.writerow(
                {
                    **{
                        name: getattr(row, name)
                        for name in ("world", "model", "experiment", "restarts", "parameters", "record")
                    },
                    "match": "yes" if row.match else "no",
                    "task": task,
                    "figure": figure,
                    "accuracy": f"{accuracy:.2f}",
                    "published": row.published.get((figure, task), ""),
                    "train_seconds": f"{row.train_seconds:.1f}",
                    "marks": "; ".join(row.marks),
                }
            )
    return stream.getvalue()


def as_markdown(rows: list[Row]) -> str:
    parts = []
    for here in _tables(rows):
        sources = "\n".join(f"- {said}" for said in _sources(here))
        parts += [f"## {here[0].title}", ABOUT, _summary(here), _per_task(here), sources]
    return "\n\n".join(filter(None, parts)) + "\n" if parts else ""


def _tables(rows: list[Row]) -> list[list[Row]]:
    return [[row for row in rows if row.table == table] for table in dict.fromkeys(row.table for row in rows)]


def _sources(rows: list[Row]) -> list[str]:
    """Where the published figures of a table were seen."""
    models = {row.model: row.sources for row in rows if row.sources}
    return [f"Published, {model}: {'; '.join(sources)}." for model, sources in models.items()]


ABOUT = (
    "Accuracy in percent, higher is better: of replies, each chosen among all replies of the tasks, and in parentheses"
    " of dialogs without any wrong reply. *Unknown words* is the test set with restaurants, places and cuisines that no"
    " training dialog has. Means are of tasks 1 to 5. Validation selects epoch and restart. " + SIGNED
)


def as_short_markdown(rows: list[Row]) -> str:
    """In the README: rows of tasks 1 to 5, made by committed code."""
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
    for here in _tables([row for row in rows if row.mean("response") and made_by_known_code(row.marks)]):
        body = [
            (
                f"`{row.model}`",
                row.experiment,
                str(row.restarts),
                *_mean_figures(row),
                _number(row.accuracy.get(("response", 6))),
                row.published.get(("response", 6), "–"),
            )
            for row in here
        ]
        parts += [f"**{here[0].title}, right replies in %, mean of tasks 1 to 5**", table(header, body)]
    return "\n\n".join(parts)


def lines_of(rows: list[Row]) -> list[Line]:
    """The runs, for results/README.md; where there is no mean, task by task."""
    lines = []
    for row in rows:
        besides = f"unknown words {_number(row.mean('response_oov'))} (published {_published(row, 'response_oov')})"
        if row.mean("response") is None:
            figures = {task: row.published.get(("response", task), "–") for task in row.tasks}
            besides = "; ".join(
                f"task {task} {_number(row.accuracy['response', task])} (published {printed})"
                for task, printed in figures.items()
            )
        unknown = row.mean("response_oov"), row.published_mean("response_oov"), _sign(row, "response_oov")
        figure, sign = unsigned(row.published.get(("response", 6), ""))
        sixth = row.accuracy.get(("response", 6)), float(figure) if figure else None, sign
        lines.append(
            Line(
                row.title, "right replies in percent, mean of tasks 1 to 5", row.model, row.experiment,
                row.record, row.mean("response"), row.published_mean("response"), _sign(row, "response"), besides,
                row.marks, of_errors=False, further=(Figure("unknown words", *unknown), Figure("task 6", *sixth)),
            )
        )  # fmt: skip
    return lines


def sheet_of(rows: list[Row], results_dir: Path) -> Sheet:
    """The section on the page."""
    grids = []
    for here in _tables(rows):
        title = here[0].title
        means = "replies", "published", "unknown words", "published", "restarts", "parameters", "training", "memory"
        grids.append(Grid(title, means, [(row, _mean_cells(row)) for row in here]))
        columns = *(f"{task}" for task in TASKS), *(f"{task} unknown" for task in SIMULATED)
        cells = [(row, _task_cells(row)) for row in here]
        grids.append(Grid(f"{title}: task by task", columns, cells, tuple(_sources(here))))
    parts = {row.record: _parts(records.read(results_dir / "runs" / f"{row.record}.json")) for row in rows}
    return Sheet("dialogs", "Dialogs", ABOUT.replace("*", ""), grids, parts)


def _mean_cells(row: Row) -> list[Cell]:
    figures = [mean(figure) for figure in ("response", "response_oov") for mean in (row.mean, row.published_mean)]
    return [
        *(Cell(text, figure) for text, figure in zip(_mean_figures(row), figures, strict=True)),
        Cell(str(row.restarts), row.restarts),
        Cell(f"{row.parameters:,}", row.parameters),
        Cell(clock(row.train_seconds), row.train_seconds),
        Cell(row.memory),
    ]


def _task_cells(row: Row) -> list[Cell]:
    cells = []
    for suffix, tasks in (("", TASKS), ("_oov", SIMULATED)):
        for task in tasks:
            replies, dialogs = (row.accuracy.get((f"{of}{suffix}", task)) for of in ("response", "dialog"))
            printed = [row.published.get((f"{of}{suffix}", task), "–") for of in ("response", "dialog")]
            if replies is None:
                cells.append(Cell("–"))
            else:
                below = "" if printed[0] == "–" else f"paper {_both(*printed)}"
                text = _both(_number(replies), _number(dialogs))
                cells.append(Cell(text, replies, below, f"{task}{suffix}", 100 - replies))
    return cells


def _parts(record: dict) -> dict[str, Part]:
    return {
        f"{task}{suffix}": Part(
            f"Task {task}, replies{said}", got["training"], got[key], got["valid_errors"], got["selected"],
            got["best_epochs"],
        )
        for task, got in record["tasks"].items()
        for suffix, key, said in (("", "test_errors", ""), ("_oov", "oov_errors", ", unknown words"))
        if key in got
    }  # fmt: skip


def _sign(row: Row, figure: str) -> str:
    """Of a mean: that of its tasks, which are of one table and have the same."""
    return unsigned(row.published.get((figure, SIMULATED[0]), ""))[1]


def _published(row: Row, figure: str) -> str:
    mean = row.published_mean(figure)
    return "–" if mean is None else _number(mean) + _sign(row, figure)


def _mean_figures(row: Row) -> list[str]:
    """Replies, then those with unknown words, and beside each what is published."""
    return [
        text for figure in ("response", "response_oov") for text in (_number(row.mean(figure)), _published(row, figure))
    ]


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
            *_mean_figures(row),
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
