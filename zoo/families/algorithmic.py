"""The algorithmic tasks: bits per sequence, and how many bits are wrong, per form of the test."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table as TerminalTable

from zoo.families.board import (
    FACTS,
    NO_FIGURE,
    SIGNED,
    SIGNS,
    Cell,
    Comparison,
    Family,
    Grid,
    Line,
    Measure,
    PartOfRecord,
    Row,
    Table,
    by_table,
    fixed,
    named_by,
)
from zoo.records import FormFigures, Record

# the test beyond training that documents show, where it is not the farthest: as far as the copy of an NTM is to be
# almost without a wrong bit, and as far as the paper calls recall near-perfect
BEYOND = {"copy": "length=100", "associative_recall": "items=12"}


class Algorithmic(Family):
    name, title, place, kind = "algorithmic", "Algorithmic tasks", 3, "sequences"
    measure = Measure("bits on validation", "bits", 3)
    error = "bits"
    csv_file, published_file = "leaderboard_algorithmic.csv", "published_sequences.csv"
    published_columns = ("key", "model", "task", "name", "parameters", "said", "standing", "source")
    conditions = ("task.options", "task.test", "task.seed")  # other changes of the task mark the row
    about = (
        "Cross-entropy in bits per sequence, and in parentheses how many of its bits are wrong, on test sequences that "
        "are read once, at the end. Fewest bits on validation sequences select the epoch of a restart, and the "
        "restart. *Median* is over the restarts, each at its own best epoch. The papers show curves; what they say in "
        f"words stands below each table. {SIGNED}"
    )
    csv_columns = (
        "task", "changed", "form", "model", "experiment", "restarts", "bits", "wrong_bits", "median_bits",
        "median_wrong_bits", "optimal_bits", "validation_bits", "parameters", "train_seconds", "published", "record",
        "marks",
    )  # fmt: skip

    def table_of(self, record: Record) -> Table:
        task, changed = task_of(record), self.changed(record)
        return Table((task, changed), task.replace("_", " ") + (f" ({changed})" if changed else ""))

    def changed(self, record: Record) -> str:
        """List the options of the task that were changed."""
        return ", ".join(override for override in record.overrides if override.startswith(self.conditions))

    def published_of(self, record: Record, published: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        return [row for row in named_by(record, published) if row["task"] == task_of(record)]

    # --- the figures

    def figure_of(self, record: Record) -> float:
        return record.validated.bits[record.validated.selected]

    def headline(self, row: Row) -> float:
        return self.figure_of(row.record)

    def line(self, row: Row) -> Line:
        """Show the nearest test, with the others beside it; papers give words and curves, not figures."""
        (nearest, first), *further = row.record.tests.items()
        k = row.record.validated.selected
        besides = [f"median of the restarts {statistics.median(first.bits):.2f}"]
        for form, got in further:
            besides.append(f"{got.bits[k]:.2f} at {form} (median {statistics.median(got.bits):.2f})")
        besides += [f"published: {said(row)}"] if row.paper else []
        measure = f"bits a sequence at {nearest}, of the restart that validation selected"
        return Line(row, measure, Comparison("", first.bits[k], None), "; ".join(besides))

    def against_paper(self, row: Row) -> str:
        return f"the paper says: {said(row)}" if row.paper else super().against_paper(row)

    def summary(self, record: Record) -> dict[str, float]:
        tests = {f"test_bits/{form}": got.bits[record.validated.selected] for form, got in record.tests.items()}
        return {"validation_bits": self.figure_of(record)} | tests

    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        (training,) = record.trainings
        validation = record.validated
        return {
            form: PartOfRecord(
                form, training, got.bits, validation.bits, validation.selected, validation.best_epochs, "bits"
            )
            for form, got in record.tests.items()
        }

    # --- the tables

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        k = row.record.validated.selected
        for form, got in row.record.tests.items():
            yield {
                "task": task_of(row.record),
                "changed": self.changed(row.record),
                "form": form,
                "bits": fixed(got.bits[k], 4),
                "wrong_bits": fixed(got.wrong_bits[k], 4),
                "median_bits": fixed(statistics.median(got.bits), 4),
                "median_wrong_bits": fixed(statistics.median(got.wrong_bits), 4),
                "optimal_bits": fixed(got.optimal_bits, 4),
                "validation_bits": fixed(self.figure_of(row.record), 4),
                "published": row.paper.get("said", ""),
            }

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        forms = list(dict.fromkeys(form for row in rows for form in row.record.tests))
        optima = {form: got.optimal_bits for row in rows for form, got in row.record.tests.items()}
        notes = [
            f"Published, {row.paper['name']}: {said(row)}; {row.paper['parameters']}{SIGNS['recalled']} parameters. "
            f"Source: {row.paper['source']}."
            for row in rows
            if row.paper
        ]
        known = [f"{form} {optimum:.2f}" for form, optimum in optima.items() if optimum is not None]
        notes += [f"The best possible predictor needs, in bits: {', '.join(known)}."] if known else []
        body = [(row, [*(_form(row, form) for form in forms), *row.facts]) for row in rows]
        return [Grid("", (*forms, *FACTS), body, tuple(dict.fromkeys(notes)))]

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        """Per task the last test within the numbers of training, and one beyond.

        Figures are medians of the restarts, because validation, at the lengths of training, cannot tell which of them
        goes far.
        """
        columns = ("restarts", "as in training", "bits", "wrong", "beyond", "bits", "wrong")
        shown = [row for row in rows if not row.marks and not self.changed(row.record)]
        grids = []
        for title, here in by_table(shown):
            body = []
            for row in here:
                within = trained(row.record)
                beyond = [form for form in row.record.tests if form not in within]
                asked = [form for form in beyond if form == BEYOND.get(task_of(row.record))] or beyond[-1:]
                cells = [*_median(row.record, within[-1:]), *_median(row.record, asked)]
                body.append((row, [row.facts[0], *cells]))
            grids.append(Grid(f"**{title.capitalize()}, median of the restarts**", columns, body))
        return grids

    def look_inside(self, record: Record) -> str:
        return f"zoo draw run={record.name}{{where}}   draws what the heads did"

    def terminal(self, record: Record) -> TerminalTable:
        table, k = TerminalTable(), record.validated.selected
        for column in ("test", "selected", "wrong", "median of restarts", "wrong", "optimum"):
            table.add_column(column, justify="left" if column == "test" else "right")
        for form, got in record.tests.items():
            optimum = "0" if got.optimal_bits is None else f"{got.optimal_bits:.3f}"
            selected, median = (f"{got.bits[k]:.3f}", f"{got.wrong_bits[k]:.2f}"), (
                f"{statistics.median(got.bits):.3f}", f"{statistics.median(got.wrong_bits):.2f}",
            )  # fmt: skip
            table.add_row(form, *selected, *median, optimum)
        best = record.validated.best_epochs[k] + 1
        table.caption = f"selected by {record.validated.bits[k]:.3f} bits on validation, in epoch {best}"
        return table

    def heading(self, record: Record) -> str:
        return f"{record.model}, {task_of(record)}: bits per sequence, and how many of its bits are wrong"


def task_of(record: Record) -> str:
    return str(record.settings["task"]["name"])


def trained(record: Record) -> list[str]:
    """List the tests that have no number greater than in training."""
    train = record.settings["task"]["train"]
    parts = {form: [part.split("=") for part in form.split()] for form in record.tests}
    return [form for form, of in parts.items() if all(int(value) <= train[name][1] for name, value in of)]


def said(row: Row) -> str:
    return row.paper["said"] + SIGNS.get(row.paper["standing"], "")


def _form(row: Row, form: str) -> Cell:
    got, k = row.record.tests.get(form), row.record.validated.selected
    if got is None:
        return Cell(NO_FIGURE)
    median = f"median {statistics.median(got.bits):.2f} ({statistics.median(got.wrong_bits):.1f})"
    return Cell(f"{got.bits[k]:.2f} ({got.wrong_bits[k]:.1f})", got.bits[k], median, form)


def _median(record: Record, forms: list[str]) -> list[Cell]:
    """The test's name, its median bits with the optimum, if known, and its median wrong bits; dashes without a test."""
    if not forms:
        return [Cell(NO_FIGURE), Cell(NO_FIGURE), Cell(NO_FIGURE)]
    (form,) = forms
    got: FormFigures = record.tests[form]
    bits, wrong = statistics.median(got.bits), statistics.median(got.wrong_bits)
    optimum = "" if got.optimal_bits is None else f" (optimum {got.optimal_bits:.2f})"
    return [Cell(form), Cell(f"{bits:.2f}{optimum}", bits), Cell(f"{wrong:.2f}", wrong)]


FAMILY = Algorithmic()
