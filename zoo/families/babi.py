"""The twenty tasks of bAbI: test error in percent, mean over all tasks, and how many tasks are failed."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.babi import PASS_MARK
from zoo.families.board import (
    FACTS,
    NO_FIGURE,
    SIGNED,
    Cell,
    Comparison,
    Grid,
    Line,
    Measure,
    Published,
    QuestionFamily,
    Row,
    Table,
    best_of,
    bytes_of,
    data_named,
    fixed,
    number,
    plural,
    world_of,
)
from zoo.records import Record

TASKS = range(1, 21)  # the mean is of all of them
SIZES = ("1k", "10k")  # side by side in the README
LITTLE = 500_000  # bytes of twenty networks
TRAINED = {"per_task": "one training a task", "joint": "one training for all tasks"}


class Babi(QuestionFamily):
    name, title, place = "babi", "bAbI", 0
    measure = Measure("test error", "%", 2)
    fails_above = PASS_MARK
    tells_stories = True
    hub_dataset = "facebook/babi_qa"
    csv_file, published_file = "leaderboard.csv", "published.csv"
    published_columns = (
        "key", "model", "size", "protocol", "name", "setting", "conditions", "mean_error", "failed_tasks",
        "mean_standing", "failed_standing", "tasks_standing", "source",
    )  # fmt: skip
    # they choose the table, or mark the row
    conditions = ("task.size", "task.variant", "task.generator", "task.fill_missing", "task.rename", "protocol")
    about = (
        "Errors are test errors in percent. Of all epochs and restarts of a training, validation selects one; the test "
        f"questions are read once, at the end. A task is *failed* above {PASS_MARK:g} %. *All restarts* is the mean "
        "and the standard deviation, over restarts, of the mean error over the tasks. *Facts found*: questions whose "
        "supporting facts got more attention, at their best hop, than any other sentence. *Training* is the time of "
        "all trainings, one after another; *parameters* and *memory size* (numbers kept of the longest story) are of "
        f"the largest. Published figures stand with their own conditions, which often differ from ours. {SIGNED}"
    )
    csv_columns = (
        "model", "experiment", "source", "size", "protocol", "restarts", "mean_error", "failed_tasks",
        *(f"error_{task}" for task in TASKS),
        "mean_error_all_restarts", "std_all_restarts", "parameters", "train_seconds", "memory", "supervision",
        "state_size", "facts_found",
        "published_mean_error", "published_failed_tasks", "published_setting", "record", "filled",
        "mean_error_unfilled", "mean_error_of_run", "marks",
    )  # fmt: skip

    # --- the rows

    def rows(self, records: Iterable[Record], results_dir: Path) -> list[Row]:
        """Set the same recipe with names as they are beside each row with names exchanged."""
        rows = super().rows(records, results_dir)
        kept = {(row.model, row.setting, *row.table.key[:-1]): row for row in rows if not row.record.renamed}
        return [
            replace(row, beside=kept.get((row.model, row.setting, *row.table.key[:-1]))) if row.record.renamed else row
            for row in rows
        ]

    def table_of(self, record: Record) -> Table:
        size, protocol = size_of(record), record.protocol
        questions = size.rpartition("-")[2]  # the variant stands before it
        amount = int(questions.removesuffix("k")) * (1000 if questions.endswith("k") else 1)
        source = (record.source != "official", record.source, record.world)
        title = f"bAbI {size}, {data_named(record)}, {TRAINED[protocol]}"
        # names exchanged in training stand right behind names as they are
        return Table((*source, amount, size, protocol != "per_task", record.renamed), title)

    def marks(self, record: Record) -> list[str]:
        return [] if len(record.tasks) == len(TASKS) else [f"{len(record.tasks)} of {len(TASKS)} tasks"]

    def published_of(self, record: Record, published: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """The figure that an experiment names or, for a model as it stands, the first of its conditions."""
        if record.source != "official" or record.world or record.renamed:
            return []
        if not record.published and any(override.startswith("model.") for override in record.overrides):
            return []
        wanted = record.model, size_of(record), record.protocol
        fitting = [row for row in published if (row["model"], row["size"], row["protocol"]) == wanted]
        return [row for row in fitting if record.published in (None, row["key"])][:1]

    def taken_home(self, records: Sequence[Record]) -> list[Record]:
        """Choose of each model the best networks at 10k, per task and joint, and at 1k those that take little room."""
        complete = [
            record
            for record in records
            if record.source == "official"
            and not record.world
            and not record.renamed
            and len(record.tasks) == len(TASKS)
        ]
        best = best_of(complete, lambda record: (record.model, size_of(record), record.protocol))
        little = (record for record in best if size_of(record) == "1k" and record.protocol == "per_task")
        return [record for record in best if size_of(record) == "10k"] + [
            record for record in little if bytes_of(record) <= LITTLE
        ]

    # --- the figures

    def headline(self, row: Row) -> float | None:
        return statistics.fmean(row.errors.values()) if is_complete(row) else None

    def failed_of(self, row: Row) -> int | None:
        return self.failed(row.errors.values()) if is_complete(row) else None

    def comparison(self, row: Row) -> Comparison:
        paper = published_figure(row, "mean_error", "mean_standing")
        return Comparison("", self.headline(row), paper.value, paper.sign)

    def hub_task(self, record: Record, part: str) -> str:
        return f"{record.settings['task'].get('variant', 'en')}-{record.settings['task']['size']}-qa{part}"

    def line(self, row: Row) -> Line:
        failed, paper = self.failed_of(row), published_figure(row, "failed_tasks", "failed_standing")
        besides = [] if failed is None else [f"{failed} failed" + (f" (published {paper})" if paper.text else "")]
        if failed is None:
            besides.append(f"mean of {plural(len(row.errors), 'task')} {self.figure_of(row.record):.2f}")
        besides += [f"task {task}: {questions:,} questions generated" for task, questions in row.record.filled.items()]
        if (unfilled := mean_unfilled(row)) is not None:
            besides.append(f"{unfilled:.2f} without")
        further = (Comparison("failed tasks", failed, paper.value, paper.sign),)
        return Line(row, "mean test error, in percent", self.comparison(row), "; ".join(besides), further)

    def against_paper(self, row: Row) -> str:
        """Set means beside each other or, where not all tasks were run, the errors of each task."""
        papers = {task: published_figure(row, f"error_{task}", "tasks_standing") for task in row.errors}
        if is_complete(row) or not any(paper.text for paper in papers.values()):
            return super().against_paper(row)
        of_tasks = (f"task {task}: ours {error:.1f}, published {papers[task]}" for task, error in row.errors.items())
        return "test error in percent: " + "; ".join(of_tasks)

    # --- the tables

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        means, failed = restart_means(row), self.failed_of(row)
        yield {
            "source": source_of(row.record),
            "size": size_of(row.record),
            "protocol": row.record.protocol,
            "mean_error": fixed(self.headline(row), 3),
            "failed_tasks": "" if failed is None else failed,
            **{f"error_{task}": fixed(row.errors.get(task), 2) for task in TASKS},
            "mean_error_all_restarts": fixed(statistics.fmean(means), 3) if means else "",
            "std_all_restarts": fixed(statistics.stdev(means), 3) if len(means) > 1 else "",
            "facts_found": fixed(facts_found(row), 1),
            "published_mean_error": row.paper.get("mean_error", ""),
            "published_failed_tasks": row.paper.get("failed_tasks", ""),
            "published_setting": row.paper.get("setting", ""),
            "filled": "; ".join(f"task {task}: {questions}" for task, questions in row.record.filled.items()),
            "mean_error_unfilled": fixed(mean_unfilled(row), 3),
            "mean_error_of_run": fixed(self.figure_of(row.record), 3),
        }

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        columns = (
            "memory", "learns from", "mean error", "failed", *self._besides(rows[0]), "all restarts", "facts found",
            "memory size", *FACTS,
        )  # fmt: skip
        papers = {row.paper["key"]: row.paper for row in rows if row.paper}
        notes = [
            f"Published, {paper['name']}: {paper['setting']}; {paper['conditions']}. Source of the mean: "
            f"{paper['source']}."
            for paper in papers.values()
        ]
        return [
            Grid("", columns, [(row, self._summary(row)) for row in rows]),
            Grid(
                "", tuple(f"task {task}" for task in TASKS), [(row, self._per_task(row)) for row in rows],
                (*notes, *filled_notes(rows)), is_wide=True,
            ),
        ]  # fmt: skip

    def _summary(self, row: Row) -> list[Cell]:
        means, found, failed = restart_means(row), facts_found(row), self.failed_of(row)
        spread = f" ± {statistics.stdev(means):.2f}" if len(means) > 1 else ""
        return [
            Cell(row.record.memory),
            Cell(row.record.supervision),
            Cell(self._mean(row), self.figure_of(row.record)),
            Cell(NO_FIGURE if failed is None else str(failed), failed),
            *self._besides(row).values(),
            Cell(f"{statistics.fmean(means):.2f}{spread}" if means else NO_FIGURE),
            Cell(NO_FIGURE if found is None else f"{found:.0f} %", found),
            Cell(f"{row.record.state_size:,}", row.record.state_size),
            *row.facts,
        ]

    def _besides(self, row: Row) -> dict[str, Cell]:
        """Cells beside mean error and failed tasks, by column: the paper's figures, or those with names as they are."""
        if row.record.renamed:
            mean = None if row.beside is None else self.headline(row.beside)
            failed = None if row.beside is None else self.failed_of(row.beside)
            return {"names kept": Cell(number(mean, 2), mean), "names kept, failed": Cell(number(failed, 0), failed)}
        return {
            "published": Cell(str(published_figure(row, "mean_error", "mean_standing"))),
            "failed": Cell(str(published_figure(row, "failed_tasks", "failed_standing"))),
        }

    def _mean(self, row: Row) -> str:
        """The mean over the tasks; tasks with generated training questions are left out in parentheses."""
        if not is_complete(row):
            return f"{self.figure_of(row.record):.2f} ({len(row.errors)} of {len(TASKS)} tasks)"
        unfilled = mean_unfilled(row)
        return f"{self.headline(row):.2f}" + ("" if unfilled is None else rf"\* ({unfilled:.2f} without)")

    def _per_task(self, row: Row) -> list[Cell]:
        cells = []
        for task in TASKS:
            error, star = row.errors.get(task), r"\*" if str(task) in row.record.filled else ""
            paper = published_figure(row, f"error_{task}", "tasks_standing")
            below = f"paper {paper}" if paper.text else ""
            text = number(error, 1)
            if error is not None and error > PASS_MARK:
                text = f"**{text}**"
            cells.append(Cell(text + star, error, below, str(task), error))
        return cells

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        """The first table of the README: official data, a training per task, best setting on validation at each size.

        Figures of papers stand there only if somebody has seen them, in the paper or where it is quoted.
        """
        rows = [
            row
            for row in rows
            if is_complete(row) and not row.marks and source_of(row.record) == "official"
            and row.record.protocol == "per_task"
        ]  # fmt: skip
        best: dict[tuple[str, str], Row] = {}
        for row in sorted(rows, key=mean_valid, reverse=True):
            best[row.model, size_of(row.record)] = row
        grids = []
        for supervision, title in LEARNS_FROM.items():
            models = dict.fromkeys(row.model for row in sorted(best.values(), key=self.order))
            of_models = [[best.get((model, size)) for size in SIZES] for model in models]
            body = []
            for pair in of_models:
                row = next(row for row in pair if row)
                if row.record.supervision == supervision:
                    cells = [cell for one in pair for cell in self._short(one)]
                    restarts = " / ".join("–" if one is None else str(one.record.restarts) for one in pair)
                    body.append((row, [*cells, Cell(restarts)]))
            columns = ("1k", "published", "10k", "published", "restarts 1k / 10k")
            if body:
                notes = filled_notes([row for pair in of_models for row in pair if row])
                grids.append(Grid(title, columns, body, tuple(notes), with_setting=False))
        return grids

    def _short(self, row: Row | None) -> list[Cell]:
        if row is None:
            return [Cell(NO_FIGURE)] * 2
        star = r"\*" if row.record.filled else ""
        mean, failed = (
            published_figure(row, column, standing)
            for column, standing in (("mean_error", "mean_standing"), ("failed_tasks", "failed_standing"))
        )
        seen = mean.text and mean.standing != "recalled"
        also = f" / {failed}" if failed.text and failed.standing != "recalled" else ""
        ours = f"{self.headline(row):.1f} % / {self.failed_of(row)}{star}"
        return [Cell(ours, self.headline(row)), Cell(f"{mean.text} %{mean.sign}{also}" if seen else NO_FIGURE)]


LEARNS_FROM = {
    "supporting facts": "**bAbI, told in training which sentences matter: mean test error / failed tasks of 20**",
    "answers": "**bAbI, from answers alone: mean test error / failed tasks of 20**",
}


def size_of(record: Record) -> str:
    """Training questions per task, behind the variant of the release if it is not the usual one."""
    task = record.settings["task"]
    variant = task.get("variant", "en")
    return str(task["size"]) if variant == "en" else f"{variant}-{task['size']}"


def source_of(record: Record) -> str:
    return record.source + world_of(record)


def is_complete(row: Row) -> bool:
    return all(task in row.errors for task in TASKS)


def restart_means(row: Row) -> list[float]:
    """Mean error over the tasks of every restart; empty if some tasks were not run."""
    tasks = row.record.tasks.values()
    if len(tasks) < len(TASKS):
        return []
    return [statistics.fmean(errors) for errors in zip(*(got.test_errors for got in tasks), strict=True)]


def mean_valid(row: Row) -> float:
    return statistics.fmean(got.valid_errors[got.selected] for got in row.record.tasks.values())


def mean_unfilled(row: Row) -> float | None:
    """Mean without the tasks whose training questions are generated in part."""
    kept = [error for task, error in row.errors.items() if str(task) not in row.record.filled]
    return statistics.fmean(kept) if row.record.filled and is_complete(row) and kept else None


def facts_found(row: Row) -> float | None:
    """Mean over the tasks, of the selected restart."""
    tasks = row.record.tasks.values()
    found = [got.facts_found[got.selected] for got in tasks if got.facts_found]
    return statistics.fmean(found) if len(found) == len(tasks) else None


def published_figure(row: Row, column: str, standing: str) -> Published:
    return Published(row.paper.get(column) or "", row.paper.get(standing, ""))


def filled_notes(rows: Iterable[Row]) -> list[str]:
    """Explain the asterisks of a table."""
    filled: dict[str, int] = {}
    for row in rows:
        filled |= row.record.filled
    return [
        rf"\* The official training file of task {task} is not at hand: {questions:,} questions of it are generated, "
        "the others, and the test, official."
        for task, questions in sorted(filled.items(), key=lambda of: int(of[0]))
    ]


FAMILY = Babi()
