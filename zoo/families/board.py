"""The words that all families of tasks share: measures, rows, tables, published figures and their signs."""

import re
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from rich.table import Table as TerminalTable

from zoo import sheets
from zoo.clock import clock
from zoo.paths import PUBLISHED
from zoo.records import Record, TaskFigures

UNCOMMITTED, UNKNOWN = "uncommitted code", "unknown commit"  # marks
REFIT = "trained once more, with the questions of validation"
SIGNS = {"verified": "", "quoted": "‡", "recalled": "†"}  # behind a published figure: how it is known
SIGNED = "‡: seen only where others quote the paper. †: known from memory of the paper only."
NO_FIGURE = "–"
NUMBERS = r"(error|task)_\d+|mean_error|failed_tasks|hits_at_1|tokens"  # columns of published figures


@dataclass(frozen=True)
class Measure:
    """The headline figure of a family."""

    name: str
    unit: str
    places: int
    less_is_better: bool = True

    def of_error(self, error: float) -> float:
        """Turn an error in percent into this measure."""
        return error if self.less_is_better else 100 - error

    def said(self, figure: float) -> str:
        return f"{figure:.{self.places}f} {self.unit}"

    def said_of_error(self, error: float) -> str:
        return self.said(self.of_error(error))


@dataclass(frozen=True)
class Table:
    """A table of the leaderboard: rows that may be compared."""

    key: tuple  # tables are sorted by it
    title: str  # FROZEN: results/remarks.csv is keyed by it


@dataclass(frozen=True)
class Published:
    """A published figure."""

    text: str = ""  # as the paper prints it
    standing: str = ""  # a key of SIGNS

    @property
    def value(self) -> float | None:
        return float(self.text) if self.text else None

    @property
    def sign(self) -> str:
        return SIGNS[self.standing] if self.text and self.standing else ""

    def __str__(self) -> str:
        return self.text + self.sign if self.text else NO_FIGURE


@dataclass(frozen=True)
class Row:
    """A model under one setting, in one table."""

    record: Record
    setting: str  # the experiment, or "default", and what was changed on the command line
    measure: Measure  # of its family
    table: Table
    published: tuple[Mapping[str, str], ...]  # published figures that stand beside it
    marks: tuple[str, ...]
    beside: "Row | None" = None  # a row of another table that people compare it with

    @property
    def model(self) -> str:
        return self.record.model

    @property
    def key(self) -> tuple:
        return self.model, self.setting, self.table.key

    @property
    def paper(self) -> Mapping[str, str]:
        """The published figures, where there is one line of them."""
        return self.published[0] if self.published else {}

    @property
    def is_of_known_code(self) -> bool:
        return not {UNCOMMITTED, UNKNOWN} & set(self.marks)

    @cached_property
    def errors(self) -> dict[int, float]:
        """Test error per task, in percent, of the restart that validation selected."""
        return {int(task): got.error for task, got in self.record.tasks.items()}

    @property
    def facts(self) -> "list[Cell]":
        """The cells that end a row of any family: restarts, parameters, training time."""
        record = self.record
        return [
            Cell(str(record.restarts), record.restarts),
            Cell(f"{record.parameters:,}", record.parameters),
            Cell(clock(record.train_seconds), record.train_seconds),
        ]


FACTS = ("restarts", "parameters", "training")  # headers of `Row.facts`


@dataclass(frozen=True)
class Cell:
    """A place in a table."""

    text: str
    value: float | None = None  # its column is sorted by it
    below: str = ""  # stands under the text, smaller
    part: str | None = None  # part of the record that the cell opens on the page
    shade: float | None = None  # depth of its ground, 0 to 100


@dataclass(frozen=True)
class Grid:
    """A table of cells, one row per row of the leaderboard."""

    title: str
    columns: tuple[str, ...]  # behind model and setting
    rows: Sequence[tuple[Row, Sequence[Cell]]]
    notes: tuple[str, ...] = ()  # stand below it
    is_wide: bool = False  # has too many columns for a page of text, where each becomes a row
    with_setting: bool = True


@dataclass(frozen=True)
class PartOfRecord:
    """Figures of every restart on one part of the test, a task for example."""

    title: str
    training: str
    test: list[float]
    valid: list[float]
    selected: int
    best_epochs: list[int]
    unit: str = "error, %"


@dataclass(frozen=True)
class Comparison:
    """One of our figures beside the published one."""

    name: str
    ours: float | None
    published: float | None
    sign: str = ""  # of the published figure's standing

    @property
    def difference(self) -> float | None:
        return None if self.ours is None or self.published is None else round(self.ours - self.published, 2)


@dataclass(frozen=True)
class Line:
    """A run in results/README.md."""

    row: Row
    measure: str
    headline: Comparison
    besides: str = ""  # further figures in words
    further: tuple[Comparison, ...] = ()  # figures that must not be behind the published ones either

    @property
    def key(self) -> tuple[str, str, str]:
        return self.row.table.title, self.row.model, self.row.setting


class Family(ABC):
    """A family of tasks: the meaning of its figures, and their place in tables.

    A family is a module in `zoo/families/` with an instance named FAMILY, or is handed to `zoo.families.register`.
    """

    name: ClassVar[str]  # as in records
    title: ClassVar[str]  # of its section on the page
    place: ClassVar[int] = 100  # among the sections; families of equal place stand in order of their names
    kind: ClassVar[str]  # of its data: a key of zoo.records.KINDS
    measure: ClassVar[Measure]
    measure_while_training: ClassVar[Measure | None] = None  # if a training has another figure than its record
    csv_file: ClassVar[str]  # in the results folder
    published_file: ClassVar[str] = ""  # in the results folder, or among the files that come with the zoo
    published_columns: ClassVar[tuple[str, ...]] = ("key", "model")  # that it must have
    published_words: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # the values of some columns
    conditions: ClassVar[tuple[str, ...]] = ()  # options that choose the table, and are no part of a setting
    about: ClassVar[str]  # what its figures are, for readers of a table
    error: ClassVar[str] = "error"  # figures of validation and test are, in names
    tells_stories: ClassVar[bool] = False  # somebody may type a story in its words
    reads: ClassVar[str] = "plain"  # how typed texts become its words: a key of zoo.pretrained.reading.READERS
    hub_dataset: ClassVar[str] = ""  # its data on the Hugging Face Hub
    csv_columns: ClassVar[tuple[str, ...]]

    # --- the rows

    def rows(self, records: Iterable[Record], results_dir: Path) -> list[Row]:
        """Choose one record per model, setting and table: most parts, then newest; sorted for their tables."""
        published = self.published(results_dir)
        best: dict[tuple, tuple[tuple, Row]] = {}
        for record in records:
            if record.family != self.name:
                continue
            row = self.row_of(record, published)
            rank = (len(record.tasks), record.environment.finished, record.name)
            if row.key not in best or rank > best[row.key][0]:
                best[row.key] = rank, row
        return sorted((row for _, row in best.values()), key=self.order)

    def published(self, results_dir: Path) -> list[dict[str, str]]:
        """Read the published figures of the family."""
        return read_published(results_dir, self.published_file, self.published_columns, self.published_words)

    def row_of(self, record: Record, published: Sequence[Mapping[str, str]] = ()) -> Row:
        setting = setting_of(record, self.conditions)
        marks = (*marks_of(record), *self.marks(record))
        papers = tuple(self.published_of(record, published))
        return Row(record, setting, self.measure, self.table_of(record), papers, marks)

    def table_of(self, record: Record) -> Table:
        """Name the table that a record stands in."""
        return Table((record.source, record.world), f"{self.title}, {data_named(record)}")

    def marks(self, record: Record) -> list[str]:
        """List what a reader should know of a row beside its figures."""
        return []

    def published_of(self, record: Record, published: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """Find the published figures that a record's experiment names, if they are of its model."""
        if record.source != "official" or record.world:  # papers' figures are of the release
            return []
        return named_by(record, published)

    def order(self, row: Row) -> tuple:
        """Sort by table, then best first, rows without a headline last."""
        figure = self.headline(row)
        worst_last = (figure or 0.0) * (1 if self.measure.less_is_better else -1)
        return row.table.key, figure is None, worst_last, row.model, row.setting

    def taken_home(self, records: Sequence[Record]) -> list[Record]:
        """Choose the records whose networks come with the zoo: of each table the best on validation."""
        return best_of(records, self.table_of)

    # --- the figures

    @abstractmethod
    def headline(self, row: Row) -> float | None:
        """Compute the family's measure; None if not all tasks of the family were run."""

    @abstractmethod
    def figure_of(self, record: Record) -> float:
        """Compute the family's measure over the tasks that were run."""

    def comparison(self, row: Row) -> Comparison:
        """Set the headline beside the published one."""
        return Comparison("", self.headline(row), None)

    @abstractmethod
    def summary(self, record: Record) -> dict[str, float]:
        """Collect the figures of a whole run, for trackers."""

    @abstractmethod
    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        """Get the figures of every part of the test, by the names that cells use."""

    def hub_task(self, record: Record, part: str) -> str:
        """Name a part of the test as `hub_dataset` does."""
        return part

    # --- the tables

    @abstractmethod
    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        """Yield the lines of the csv file for a row, by column; the columns of `csv_facts` are filled in."""

    @abstractmethod
    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        """Arrange the rows of one table."""

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        """Arrange the rows that documents show: few columns, code that git knows."""
        return [
            Grid(title, grid.columns, grid.rows)
            for title, here in by_table([row for row in rows if row.is_of_known_code])
            for grid in self.grids(here)[:1]
        ]

    def files(self, rows: Sequence[Row], published: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Write further files about all rows and all published figures, by their paths in the results folder."""
        return {}

    def line(self, row: Row) -> Line:
        unit = {"%": "percent"}.get(self.measure.unit, self.measure.unit)
        return Line(row, f"{self.measure.name}, in {unit}", self.comparison(row))

    def against_paper(self, row: Row) -> str:
        """Set the paper's figure beside ours, for the end of a run."""
        line = self.line(row)
        if line.headline.ours is None or line.headline.published is None:
            return "no published figure stands beside this setting and these data"
        published = f"{line.headline.published:g}{line.headline.sign}"
        return f"{line.measure}: ours {line.headline.ours:.2f}, published {published}"

    @abstractmethod
    def look_inside(self, record: Record) -> str:
        """Name the command that looks inside a run; `{where}` stands for its results folder."""

    @abstractmethod
    def terminal(self, record: Record) -> TerminalTable:
        """Arrange the figures of a run for the terminal."""

    def heading(self, record: Record) -> str:
        """Name a run and what its figures are, above the terminal's table."""
        return f"{record.model}, {data_named(record)}: {self.measure.name} of the restart that validation selects"


def valid_error(record: Record) -> float:
    """Compute the validation error of the selected restart, the mean over the tasks; of sequences bits."""
    if record.validation is not None:
        return record.validation.bits[record.validation.selected]
    return statistics.fmean(got.valid_errors[got.selected] for got in record.tasks.values())


def bytes_of(record: Record) -> int:
    """Estimate the bytes of the selected networks of a record, in half precision."""
    return 2 * sum(training.parameters for training in record.trainings.values())


def best_of(records: Iterable[Record], key: Callable[[Record], Any]) -> list[Record]:
    """Choose of all records with one key the one with the least validation error, of equals the newest."""
    best: dict[Any, Record] = {}
    for record in records:
        other = best.get(key(record))
        if other is None or valid_error(record) <= valid_error(other):
            best[key(record)] = record
    return list(best.values())


class QuestionFamily(Family):
    """A family of questions about stories, scored by right and wrong answers: errors in percent per task."""

    kind = "stories"
    fails_above: ClassVar[float | None] = None  # percent; a task with a larger error is failed
    csv_columns: ClassVar[tuple[str, ...]] = (
        "source", "world", "model", "experiment", "restarts", "task", "figure", "parameters", "train_seconds",
        "record", "marks",
    )  # fmt: skip

    def figure_of(self, record: Record) -> float:
        return self.measure.of_error(statistics.fmean(got.error for got in record.tasks.values()))

    def headline(self, row: Row) -> float | None:
        return self.figure_of(row.record)

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        for task, error in row.errors.items():
            yield {"task": task, "figure": fixed(self.measure.of_error(error), 2)}

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        places = self.measure.places
        tasks = sorted({task for row in rows for task in row.errors})
        body = []
        for row in rows:
            figures = [self.measure.of_error(row.errors[task]) if task in row.errors else None for task in tasks]
            cells = [
                Cell(NO_FIGURE)
                if figure is None
                else Cell(fixed(figure, places), figure, part=str(task), shade=row.errors[task])
                for task, figure in zip(tasks, figures, strict=True)
            ]
            mean = self.headline(row)
            body.append((row, [Cell(number(mean, places), mean), *cells, *row.facts]))
        return [Grid("", (self.measure.name, *(f"task {task}" for task in tasks), *FACTS), body)]

    def summary(self, record: Record) -> dict[str, float]:
        errors = [got.error for got in record.tasks.values()]
        means = {"mean_validation_error": valid_error(record), "mean_test_error": statistics.fmean(errors)}
        return means if self.fails_above is None else means | {"failed_tasks": self.failed(errors)}

    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        return {task: self.part(f"Task {task}", got) for task, got in record.tasks.items()}

    @staticmethod
    def part(title: str, got: TaskFigures, test: str = "test_errors") -> PartOfRecord:
        errors = getattr(got, test)
        return PartOfRecord(title, got.training, errors, got.valid_errors, got.selected, got.best_epochs)

    def look_inside(self, record: Record) -> str:
        return f"zoo explain run={record.name} task={next(iter(record.tasks))}{{where}}   shows where it looked"

    def terminal(self, record: Record) -> TerminalTable:
        table = TerminalTable()
        tasks = record.tasks.values()
        further = {  # test sets and measures that this family has beside the errors
            name: title for name, title in FURTHER.items() if any(getattr(got, name) is not None for got in tasks)
        }
        for column in ("task", "validation", "test", "mean of restarts", "epoch", *further.values()):
            table.add_column(column, justify="left" if column == "task" else "right")
        for task, got in record.tasks.items():
            k = got.selected
            mark = " [red]failed[/red]" if self.failed([got.error]) else ""
            if task in record.filled:
                mark += f" ({record.filled[task]:,} of the training questions generated)"
            table.add_row(
                f"task {task}{mark}",
                f"{self.measure.of_error(got.valid_errors[k]):.1f}",
                f"{self.measure.of_error(got.error):.1f}",
                f"{self.measure.of_error(statistics.fmean(got.test_errors)):.1f}",
                str(got.best_epochs[k] + 1),
                *(
                    number(None if (of := got.chosen(name)) is None else self.measure.of_error(of), 1)
                    for name in further
                ),
            )
        if len(tasks) > 1:
            errors = [got.error for got in tasks]
            failed = "" if self.fails_above is None else f", {self.failed(errors)} of {len(errors)} failed"
            table.add_section()
            table.add_row(f"mean{failed}", "", f"{self.measure.of_error(statistics.fmean(errors)):.2f}")
        return table

    def failed(self, errors: Iterable[float]) -> int:
        """Count the failed tasks."""
        return 0 if self.fails_above is None else sum(error > self.fails_above for error in errors)


FURTHER = {
    "test_dialog_errors": "dialogs",
    "oov_errors": "unknown words",
    "oov_dialog_errors": "dialogs, unknown words",
}


def setting_of(record: Record, conditions: tuple[str, ...] = ()) -> str:
    """Name the experiment and the changed options, but for those that choose the table or only change speed."""
    unsaid = (*conditions, "trainer.compile", "trainer.together", "trainer.kernels")
    changed = [override for override in record.overrides if not override.startswith(unsaid)]
    changed += ["tasks filled up to one size"] if "together" in record.settings else []
    return ", ".join([record.experiment or "default", *changed])


def titled(record: Record) -> str:
    """Name a record with its setting and its data: several have a like name."""
    return f"{record.name}: {setting_of(record)}, {data_named(record)}"


def marks_of(record: Record) -> list[str]:
    """Mark a figure that cannot be made again, and one of networks that have learned more than others."""
    marks = []
    if record.dirty or record.dirty is None:
        marks.append(UNCOMMITTED if record.dirty else UNKNOWN)
    if record.refit:
        marks.append(REFIT)
    return marks


def only_of(record: Record, tasks: Iterable[str]) -> list[str]:
    """Mark a record that has some other tasks than those that its family's figures are made of."""
    if set(record.tasks) == set(tasks):
        return []
    return [f"task{'s' if len(record.tasks) > 1 else ''} {', '.join(record.tasks)} only"]


def data_named(record: Record) -> str:
    """Say what data a record is of."""
    if record.source == "transfer":
        return f"learned from generated stories, tested on official ones{world_of(record)}"
    return f"{record.source} data{world_of(record)}"


def world_of(record: Record) -> str:
    """Say, behind the source of a record's data, in what they differ from the usual ones."""
    world = f" ({record.world})" if record.world else ""
    return world + (", names exchanged in training" if record.renamed else "")


def read_published(
    results_dir: Path,
    name: str,
    columns: Sequence[str] = ("key", "model"),
    words: Mapping[str, tuple[str, ...]] | None = None,
) -> list[dict[str, str]]:
    """Read published figures, in the results folder or else among the files that come with the zoo.

    Args:
        results_dir: the results folder.
        name: of the file.
        columns: the columns that it must have.
        words: the values that some columns may have.
    """
    if not name:
        return []
    file = next((folder / name for folder in (results_dir, PUBLISHED) if (folder / name).exists()), PUBLISHED / name)
    return sheets.read(file, columns, NUMBERS, {r"(\w+_)?standing": ("", *SIGNS), **(words or {})})


def named_by(record: Record, published: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Find the published figures that the experiment of a record names, if they are of its model."""
    return [row for row in published if (row["key"], row["model"]) == (record.published, record.model)]


def by_table(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Split rows, which are sorted, into their tables, by title."""
    return [
        (table.title, [row for row in rows if row.table == table]) for table in dict.fromkeys(r.table for r in rows)
    ]


def labelled(row: Row) -> str:
    return row.model if row.setting == "default" else f"{row.model}: {row.setting}"


def csv_facts(row: Row) -> dict[str, Any]:
    """The columns that csv files of all families share."""
    record = row.record
    return {
        "model": row.model,
        "experiment": row.setting,
        "source": record.source,
        "world": record.world,
        "restarts": record.restarts,
        "memory": record.memory,
        "supervision": record.supervision,
        "parameters": record.parameters,
        "state_size": record.state_size,
        "train_seconds": fixed(record.train_seconds, 1),
        "record": record.name,
        "marks": "; ".join(row.marks),
    }


def fixed(figure: float | None, places: int) -> str:
    """Print a figure for a csv file; nothing if there is none."""
    return "" if figure is None else f"{figure:.{places}f}"


def number(figure: float | None, places: int) -> str:
    """Print a figure for people; a dash if there is none."""
    return NO_FIGURE if figure is None else f"{figure:.{places}f}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def escaped(text: str) -> str:
    """Keep text of a record from ending a cell, beginning HTML, or being a link or a picture."""
    text = re.sub(r"\s*\n\s*", " ", text)
    return text.replace("|", "&#124;").replace("<", "&lt;").replace("](", "]&#40;").replace("![", "&#33;[")
