"""The leaderboard as a pure function of its inputs: the same records give the same bytes."""

import csv
import io
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.babi import PASS_MARK
from tasks.babi.sources import questions_of
from tasks.errors import UserError
from zoo import records
from zoo.leaderboard.sheet import Figure, Line
from zoo.progress import clock

CSV = "leaderboard.csv"
TASKS = range(1, 21)  # of bAbI; a mean stands only where all of them were run
SIZES = ("1k", "10k")  # of the release, side by side on the first screen of the README
UNCOMMITTED, UNKNOWN = "uncommitted code", "unknown commit"  # marks
SIGNS = {"verified": "", "quoted": "‡", "recalled": "†"}  # behind a published figure: how it is known
SIGNED = "What is marked ‡ was seen only where others quote the paper, † is known from memory of it only."
COLUMNS = (
    "model", "experiment", "source", "size", "protocol", "restarts", "mean_error", "failed_tasks",
    *(f"error_{task}" for task in TASKS),
    "mean_error_all_restarts", "std_all_restarts", "parameters", "train_seconds", "memory", "supervision",
    "state_size", "facts_found",
    "published_mean_error", "published_failed_tasks", "published_setting", "record", "filled", "mean_error_unfilled",
    "marks",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A model under one setting, in the table that `source`, `size` and `protocol` name. Errors are in percent."""

    model: str
    experiment: str  # name of the experiment, or "default", and what was changed on the command line
    source: str
    size: str
    protocol: str
    restarts: int
    errors: dict[int, float]  # of the restart that validation selected, task by task
    valid_errors: dict[int, float]  # of the same restart
    restart_means: list[float]  # of each restart, over all tasks; empty if some were not run
    parameters: int  # of one network; of the largest where the tasks differ
    train_seconds: float
    memory: str
    supervision: str
    state_size: int  # numbers that the memory of the longest story holds
    facts_found: float | None  # percent of questions whose supporting facts got most attention; None: not recorded
    published: dict[str, str]  # a row of results/published.csv, or nothing
    record: str
    filled: dict[int, int]  # by task, how many of its official training questions were missing and are generated
    marks: tuple[str, ...]

    @property
    def table(self) -> tuple[str, str, str]:
        return self.source, self.size, self.protocol

    @property
    def key(self) -> tuple:
        return self.model, self.experiment, self.table

    @property
    def tasks(self) -> list[int]:
        return list(self.errors)

    @property
    def complete(self) -> bool:
        return all(task in self.errors for task in TASKS)

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.errors.values()) if self.complete else None

    @property
    def mean_valid(self) -> float:
        return statistics.fmean(self.valid_errors.values())

    @property
    def mean_unfilled(self) -> float | None:
        """The mean without tasks whose training questions are generated in part."""
        kept = [error for task, error in self.errors.items() if task not in self.filled]
        return statistics.fmean(kept) if self.filled and self.complete and kept else None

    @property
    def failed(self) -> int | None:
        return sum(error > PASS_MARK for error in self.errors.values()) if self.complete else None

    @property
    def order(self) -> tuple:
        questions = questions_of(self.size.rpartition("-")[2])  # the variant stands before it
        place = self.source != "official", self.source, questions, self.size, self.protocol != "per_task"
        return (*place, self.mean is None, self.mean or 0.0, self.model, self.experiment)


def read_published(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []


def published_of(record: dict, published: list[dict[str, str]]) -> list[dict[str, str]]:
    """The figures that the experiment of a record names as its own, where they are of its model."""
    return [row for row in published if (row["key"], row["model"]) == (record["published"], record["model"])]


def rows_of(results_dir: Path) -> list[Row]:
    """One row a model, setting and table: of several records of the same, the one with most tasks, then the newest."""
    published = read_published(results_dir / "published.csv")
    return newest(results_dir, "babi", lambda record, name: _row(record, name, published))


def newest(results_dir: Path, family: str, row_of: Callable[[dict, str], Any]) -> list[Any]:
    """The rows of a family of tasks, in order; `row_of` makes one of a record and its name.

    A row has a `key`, which its model, its setting and its table make up, the number of its `tasks`, and an `order`.
    """
    chosen: dict[tuple, tuple[tuple, Any]] = {}
    for file in sorted((results_dir / "runs").glob("*.json")):
        record = records.read(file)
        if record.get("family", "babi") != family:  # records of bAbI are older than the other families
            continue
        try:
            row = row_of(record, file.stem)
            rank = (len(row.tasks), record["environment"]["finished"], file.stem)
        except (KeyError, IndexError, TypeError) as error:
            raise UserError(f"{file} is not a complete record ({error!r}); remove it or restore it with git") from None
        if row.key not in chosen or rank > chosen[row.key][0]:
            chosen[row.key] = rank, row
    return sorted((row for _, row in chosen.values()), key=lambda row: row.order)


def _row(record: dict, name: str, published: list[dict[str, str]]) -> Row:
    settings, tasks = record["settings"], record["tasks"]
    size = str(settings["task"]["size"])
    if settings["task"].get("variant", "en") != "en":
        size = f"{settings['task']['variant']}-{size}"
    # they choose the table, or mark the row
    conditions = ("task.size", "task.variant", "task.generator", "task.fill_missing", "protocol")
    errors = {int(task): got["test_errors"][got["selected"]] for task, got in tasks.items()}
    of_all = [got["test_errors"] for got in tasks.values()]
    marks = marks_of(record)
    if len(errors) < len(TASKS):
        marks.append(f"{len(errors)} of {len(TASKS)} tasks")
    return Row(
        record["model"],
        setting_of(record, conditions),
        record["source"] + (f" ({record['world']})" if record.get("world") else ""),
        size,
        settings["protocol"],
        settings["restarts"],
        errors,
        {int(task): got["valid_errors"][got["selected"]] for task, got in tasks.items()},
        [statistics.fmean(errors) for errors in zip(*of_all, strict=True)] if len(errors) == len(TASKS) else [],
        max(training["parameters"] for training in record["trainings"].values()),
        record["train_seconds"],
        record["memory"],
        record["supervision"],
        max(training["state_size"] for training in record["trainings"].values()),
        _facts_found(tasks),
        _published(record, size, published),
        name,
        {int(task): questions for task, questions in record.get("filled", {}).items()},
        tuple(marks),
    )


def setting_of(record: dict, conditions: tuple[str, ...]) -> str:
    """The experiment, and what was changed on the command line but for what chooses the table or is only faster."""
    unsaid = (*conditions, "trainer.compile", "trainer.together")
    changed = [override for override in record["overrides"] if not override.startswith(unsaid)]
    changed += ["tasks filled up to one size"] if "together" in record["settings"] else []
    return ", ".join([record["experiment"] or "default", *changed])


def marks_of(record: dict) -> list[str]:
    """What makes a figure one that cannot be made again."""
    if record["dirty"] or record["dirty"] is None:
        return [UNCOMMITTED if record["dirty"] else UNKNOWN]
    return []


def made_by_known_code(marks: list[str]) -> bool:
    """Whether a row may stand on the first screen of the README, whatever else its marks say."""
    return not {UNCOMMITTED, UNKNOWN} & set(marks)


def _facts_found(tasks: dict[str, dict]) -> float | None:
    """Mean over the tasks, of the restart that validation selects."""
    found = [got["facts_found"][got["selected"]] for got in tasks.values() if got.get("facts_found")]
    return statistics.fmean(found) if len(found) == len(tasks) else None


def _published(record: dict, size: str, published: list[dict[str, str]]) -> dict[str, str]:
    """The figure that an experiment names as its own, or for a model as it stands the first of its conditions."""
    conditions = record["model"], size, record["settings"]["protocol"]
    if record["source"] != "official" or record.get("world"):  # the papers' figures are of other data
        return {}
    if not record["published"] and any(override.startswith("model.") for override in record["overrides"]):
        return {}
    for row in published:
        fits = (row["model"], row["size"], row["protocol"]) == conditions
        if fits and record["published"] in (None, row["key"]):
            return row
    return {}


def as_csv(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        spread = len(row.restart_means) > 1
        writer.writerow(
            {
                **{name: getattr(row, name) for name in ("model", "experiment", "source", "size", "protocol")},
                "restarts": row.restarts,
                "mean_error": _number(row.mean, 3),
                "failed_tasks": "" if row.failed is None else row.failed,
                **{f"error_{task}": _number(row.errors.get(task), 2) for task in TASKS},
                "mean_error_all_restarts": _number(statistics.fmean(row.restart_means), 3) if row.restart_means else "",
                "std_all_restarts": _number(statistics.stdev(row.restart_means), 3) if spread else "",
                "parameters": row.parameters,
                "train_seconds": _number(row.train_seconds, 1),
                **{name: getattr(row, name) for name in ("memory", "supervision", "state_size")},
                "facts_found": _number(row.facts_found, 1),
                "published_mean_error": row.published.get("mean_error", ""),
                "published_failed_tasks": row.published.get("failed_tasks", ""),
                "published_setting": row.published.get("setting", ""),
                "record": row.record,
                "filled": "; ".join(f"task {task}: {questions}" for task, questions in row.filled.items()),
                "mean_error_unfilled": _number(row.mean_unfilled, 3),
                "marks": "; ".join(row.marks),
            }
        )
    return stream.getvalue()


def as_markdown(rows: list[Row]) -> str:
    parts = [
        "# Leaderboard",
        "Made by `python -m zoo.leaderboard` from the records in `results/runs/` and from `results/published.csv`; "
        "do not edit it.",
        "Errors are test errors in percent. Of all epochs and restarts of a training, validation selects one; the "
        "test questions are read once, at the end. A task is *failed* above 5 %. *All restarts* is the mean and "
        "the standard deviation, over restarts, of a restart's mean error over the tasks. *Facts found*: questions"
        " whose supporting facts got more attention, at their best hop, than any other sentence. *Training* is the"
        " time of all trainings, one after another; *parameters* and *memory size* (numbers kept of the longest "
        "story) are of the largest. Published figures stand with their own conditions, which often differ from "
        f"ours. {SIGNED}",
    ]
    if not rows:
        parts.append("No records yet: `python run.py model=gated_memn2n task=babi_all` makes the first.")
    for source, size, protocol in dict.fromkeys(row.table for row in rows):
        here = [row for row in rows if row.table == (source, size, protocol)]
        settings = {row.published["key"]: row.published for row in here if row.published}
        sources = (
            f"- Published, {got['name']}: {got['setting']}; {got['conditions']}. Source of the mean: {got['source']}."
            for got in settings.values()
        )
        parts += [
            f"## {title_of((source, size, protocol))}",
            _summary(here),
            _per_task(here),
            "\n".join([*sources, *_filled(here)]),
        ]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_short_markdown(rows: list[Row]) -> str:
    """The first screen of the README: rows of all tasks of the release, made by committed code.

    Of a model's settings at one size it shows the one with the lowest validation error.
    """
    shown = [row for row in rows if row.complete and not row.marks and row.source == "official" and row.size in SIZES]
    return "\n\n".join(
        _short([row for row in shown if row.protocol == protocol])
        for protocol in dict.fromkeys(row.protocol for row in shown)
    )


def _short(rows: list[Row]) -> str:
    settings: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        settings.setdefault((row.model, row.size), []).append(row)
    best = {key: min(of, key=lambda row: row.mean_valid) for key, of in settings.items()}
    chosen = sorted(best.values(), key=lambda row: row.order)
    numbers = [name for size in SIZES for name in (size, "published", "restarts")]
    body = []
    for model, supervision in dict.fromkeys((row.model, row.supervision) for row in chosen):
        cells = [f"`{model}`", supervision]
        for size in SIZES:
            row = best.get((model, size))
            cells += ["–"] * 3 if row is None else [_error_and_failed(row), _published_pair(row), str(row.restarts)]
        body.append(tuple(cells))
    named = (
        f"- `{row.model}`, {row.size}: {row.experiment}"
        + ("" if row.mean_unfilled is None else f"; {row.mean_unfilled:.1f} % without the tasks marked \\*")
        for row in chosen
    )
    parts = (
        f"**bAbI, official data, {trained(rows[0].protocol)}: mean test error / failed tasks of {len(TASKS)}**",
        table(("model", "learns from", *numbers), body, set(numbers)),
        "\n".join(_filled(chosen)),
        "<details><summary>their settings</summary>",
        "\n".join(named),
        "</details>",
    )
    return "\n\n".join(filter(None, parts))


def _error_and_failed(row: Row) -> str:
    return f"{row.mean:.1f} % / {row.failed}" + (r"\*" if row.filled else "")


def _published_pair(row: Row) -> str:
    if not row.published.get("mean_error"):
        return "–"
    of_mean = sign_of(row.published["mean_standing"])
    failed = _published_figure(row.published, "failed_tasks", "failed_standing")
    return f"{row.published['mean_error']} %{of_mean} / {failed}"


def lines_of(rows: list[Row]) -> list[Line]:
    """The runs, for results/README.md."""
    lines = []
    for row in rows:
        printed = _published_figure(row.published, "failed_tasks", "failed_standing")
        beside = f" (published {printed})" if row.published.get("failed_tasks") else ""
        besides = [] if row.failed is None else [f"{row.failed} failed{beside}"]
        besides += [f"task {task}: {questions:,} questions generated" for task, questions in row.filled.items()]
        besides += [] if row.mean_unfilled is None else [f"{row.mean_unfilled:.2f} without"]
        mean, failed = row.published.get("mean_error"), row.published.get("failed_tasks")
        sign = sign_of(row.published.get("failed_standing"))
        lines.append(
            Line(
                title_of(row.table), "mean test error, in percent", row.model, row.experiment, row.record,
                row.mean, float(mean) if mean else None, sign_of(row.published.get("mean_standing")),
                "; ".join(besides), row.marks,
                further=(Figure("failed tasks", row.failed, float(failed) if failed else None, sign),),
            )
        )  # fmt: skip
    return lines


def title_of(table: tuple[str, str, str]) -> str:
    source, size, protocol = table
    return f"bAbI {size}, {named(source)}, {trained(protocol)}"


def sign_of(standing: str | None) -> str:
    """What stands behind a published figure of that standing, if there is one."""
    return SIGNS[standing] if standing else ""


def unsigned(printed: str) -> tuple[str, str]:
    """A published figure as printed → the figure, and its sign."""
    figure = printed.rstrip("".join(SIGNS.values()))
    return figure, printed.removeprefix(figure)


def named(source: str) -> str:
    """What a table's data are."""
    kind, _, world = source.partition(" ")
    if kind == "transfer":
        return f"learned from generated stories, tested on official ones {world}".rstrip()
    return f"{kind} data {world}".rstrip()


def _filled(rows: list[Row]) -> list[str]:
    """What stands behind the asterisks of a table."""
    filled: dict[int, int] = {}
    for row in rows:
        filled |= row.filled
    return [
        f"- \\* The official training file of task {task} is not at hand: {questions:,} questions of it are generated, "
        "the others, and the test, official."
        for task, questions in sorted(filled.items())
    ]


def trained(protocol: str) -> str:
    return "one training a task" if protocol == "per_task" else "one training for all tasks"


def _summary(rows: list[Row]) -> str:
    header = (
        "model", "experiment", "memory", "learns from", "mean error", "failed", "published", "failed", "all restarts",
        "restarts", "facts found", "parameters", "memory size", "training", "notes",
    )  # fmt: skip
    body = []
    for row in rows:
        spread = "–"
        if row.restart_means:
            spread = f"{statistics.fmean(row.restart_means):.2f}"
            if len(row.restart_means) > 1:
                spread += f" ± {statistics.stdev(row.restart_means):.2f}"
        body.append(
            (
                row.model,
                row.experiment,
                row.memory,
                row.supervision,
                _mean(row),
                "–" if row.failed is None else str(row.failed),
                _published_figure(row.published, "mean_error", "mean_standing"),
                _published_figure(row.published, "failed_tasks", "failed_standing"),
                spread,
                str(row.restarts),
                "–" if row.facts_found is None else f"{row.facts_found:.0f} %",
                f"{row.parameters:,}",
                f"{row.state_size:,}",
                clock(row.train_seconds),
                "; ".join(row.marks),
            )
        )
    return table(header, body)


def _mean(row: Row) -> str:
    """The mean over the tasks; where some of them are marked, that of the others behind it."""
    if row.mean is None:
        return "–"
    return f"{row.mean:.2f}" + ("" if row.mean_unfilled is None else rf"\* ({row.mean_unfilled:.2f} without)")


def _per_task(rows: list[Row]) -> str:
    """A row a task; beside each figure of ours the published one."""
    header = ["task"]
    for row in rows:
        header.append(row.model if row.experiment == "default" else f"{row.model}: {row.experiment}")
        header.append("published")
    body = []
    for task in TASKS:
        cells = [str(task)]
        for row in rows:
            error = row.errors.get(task)
            mark = r"\*" if task in row.filled else ""
            cells.append(
                "–" if error is None else f"**{error:.1f}**{mark}" if error > PASS_MARK else f"{error:.1f}{mark}"
            )
            cells.append(_published_figure(row.published, f"error_{task}", "tasks_standing"))
        body.append(tuple(cells))
    return table(tuple(header), body)


def _published_figure(published: dict[str, str], column: str, standing: str) -> str:
    figure = published.get(column)
    if not figure:
        return "–"
    return figure + sign_of(published[standing])


def _number(figure: float | None, places: int) -> str:
    return "" if figure is None else f"{figure:.{places}f}"


NUMBERS = {
    "mean error", "failed", "published", "all restarts", "restarts", "facts found", "parameters", "memory size",
    "training", "task", "replies", "unknown words", "task 6",
}  # fmt: skip


def table(header: tuple[str, ...], body: list[tuple[str, ...]], numbers: set[str] = NUMBERS) -> str:
    rule = ("--:" if name in numbers else "---" for name in header)
    lines = (f"| {' | '.join(cells)} |" for cells in (header, tuple(rule), *body))
    return "\n".join(lines)
