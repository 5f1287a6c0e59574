"""The algorithmic tasks' tables: bits a sequence, form by form; the same records give the same bytes."""

import csv
import io
import statistics
from dataclasses import dataclass
from pathlib import Path

from zoo import records
from zoo.leaderboard.sheet import Cell, Grid, Line, Part, Sheet
from zoo.leaderboard.tables import SIGNED, marks_of, newest, published_of, read_published, setting_of, sign_of, table
from zoo.progress import clock

CSV = "leaderboard_algorithmic.csv"
COLUMNS = (
    "task", "changed", "form", "model", "experiment", "restarts", "bits", "wrong_bits", "median_bits",
    "median_wrong_bits", "optimal_bits", "validation_bits", "parameters", "train_seconds", "published", "record",
    "marks",
)  # fmt: skip
CONDITIONS = ("task.options", "task.test", "task.seed")  # they choose the table; what else is changed marks the row
# the test beyond training that the README shows, where it is not the farthest: as far as the copy of an NTM is to be
# almost without a wrong bit, and as far as the paper calls recall near-perfect
BEYOND = {"copy": "length=100", "associative_recall": "items=12"}


@dataclass(frozen=True)
class Row:
    """A model under one setting, in the table that `task` and `changed` name."""

    model: str
    experiment: str  # name of the experiment, or "default", and what was changed on the command line
    task: str
    changed: str  # what was changed of the task
    restarts: int
    selected: int  # the restart that validation selected
    train: dict[str, list[int]]  # of each number of a form the least and the greatest in training
    tests: dict[str, dict]  # by form: bits and wrong bits of every restart, and the bits of the optimum
    validation_bits: float  # of the restart that it selected
    parameters: int
    train_seconds: float
    published: dict[str, str]  # a row of results/published_sequences.csv, or nothing
    record: str
    marks: tuple[str, ...]

    @property
    def table(self) -> tuple[str, str]:
        return self.task, self.changed

    @property
    def key(self) -> tuple:
        return self.model, self.experiment, self.table

    @property
    def tasks(self) -> list[str]:
        return [self.task]

    @property
    def trained(self) -> list[str]:
        """The tests that have no number greater than in training."""
        parts = {form: [part.split("=") for part in form.split()] for form in self.tests}
        return [form for form, of in parts.items() if all(int(value) <= self.train[name][1] for name, value in of)]

    @property
    def order(self) -> tuple:
        return self.table, self.validation_bits, self.model, self.experiment


def rows_of(results_dir: Path) -> list[Row]:
    """One row a model, setting and table: of several records of the same the newest."""
    published = read_published(results_dir / "published_sequences.csv")
    return newest(results_dir, "algorithmic", lambda record, name: _row(record, name, published))


def _row(record: dict, name: str, published: list[dict[str, str]]) -> Row:
    (training,) = record["trainings"].values()
    validation, selected = record["validation"], record["validation"]["selected"]
    return Row(
        record["model"],
        setting_of(record, CONDITIONS),
        record["settings"]["task"]["name"],
        ", ".join(override for override in record["overrides"] if override.startswith(CONDITIONS)),
        record["settings"]["restarts"],
        selected,
        record["settings"]["task"]["train"],
        record["tests"],
        validation["bits"][selected],
        training["parameters"],
        record["train_seconds"],
        next((row for row in published_of(record, published) if row["task"] == record["settings"]["task"]["name"]), {}),
        name,
        tuple(marks_of(record)),
    )


def as_csv(rows: list[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for form, got in row.tests.items():
            writer.writerow(
                {
                    **{name: getattr(row, name) for name in ("task", "changed", "model", "experiment", "restarts")},
                    "form": form,
                    "bits": f"{got['bits'][row.selected]:.4f}",
                    "wrong_bits": f"{got['wrong_bits'][row.selected]:.4f}",
                    "median_bits": f"{statistics.median(got['bits']):.4f}",
                    "median_wrong_bits": f"{statistics.median(got['wrong_bits']):.4f}",
                    "optimal_bits": "" if got["optimal_bits"] is None else f"{got['optimal_bits']:.4f}",
                    "validation_bits": f"{row.validation_bits:.4f}",
                    "parameters": row.parameters,
                    "train_seconds": f"{row.train_seconds:.1f}",
                    "published": row.published.get("said", ""),
                    "record": row.record,
                    "marks": "; ".join(row.marks),
                }
            )
    return stream.getvalue()


def as_markdown(rows: list[Row]) -> str:
    """A section of the leaderboard; nothing where there are no records."""
    if not rows:
        return ""
    parts = [
        "# Algorithmic tasks",
        "Cross-entropy in bits a sequence, and in brackets how many of its bits are wrong, on test sequences that are "
        "read once, at the end. Fewest bits on validation sequences select the epoch of a restart, and the restart. "
        "*Median* is over the restarts, each at its own best epoch. The papers show curves; what they say in words "
        f"stands below each table. {SIGNED}",
    ]
    for task, changed in dict.fromkeys(row.table for row in rows):
        here = [row for row in rows if row.table == (task, changed)]
        forms = list(dict.fromkeys(form for row in here for form in row.tests))
        title = f"## {_title((task, changed))}"
        said = dict.fromkeys(
            f"- Published, {row.published['name']}: {_said(row)}; "
            f"{row.published['parameters']}{sign_of('recalled')} parameters. Source: {row.published['source']}."
            for row in here
            if row.published
        )
        parts += [title, _table(here, forms), "\n".join(said)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(rows: list[Row], forms: list[str]) -> str:
    header = ("model", "experiment", "restarts", "of them", *forms, "parameters", "training", "notes")
    body = []
    for row in rows:
        facts = f"{row.parameters:,}", clock(row.train_seconds), "; ".join(row.marks)
        for name, choose in (("selected", lambda of_all, row=row: of_all[row.selected]), ("median", statistics.median)):
            cells = [
                f"{choose(row.tests[form]['bits']):.2f} ({choose(row.tests[form]['wrong_bits']):.1f})"
                if form in row.tests
                else "–"
                for form in forms
            ]
            body.append((row.model, row.experiment, str(row.restarts), name, *cells, *facts))
    optima = {form: got["optimal_bits"] for row in rows for form, got in row.tests.items()}
    if any(optimum is not None for optimum in optima.values()):
        body.append(("optimum", "", "", "", *(f"{optima[form]:.2f}" for form in forms), "", "", ""))
    return table(header, body, numbers={"restarts", *forms, "parameters", "training"})


def as_short_markdown(rows: list[Row]) -> str:
    """In the README: of each task the last test within the numbers of training, and one beyond, made by committed code.

    The median of the restarts, because validation, at the lengths of training, can't tell which of them will go far.
    """
    header = ("task", "model", "setting", "restarts", "as in training", "bits", "wrong", "beyond", "bits", "wrong")
    body = []
    for row in rows:
        if row.marks or row.changed:
            continue
        beyond = [form for form in row.tests if form not in row.trained]
        asked = [form for form in beyond if form == BEYOND.get(row.task)] or beyond[-1:]
        cells = [*_median(row, row.trained[-1:]), *_median(row, asked)]
        body.append((row.task.replace("_", " "), f"`{row.model}`", row.experiment, str(row.restarts), *cells))
    if not body:
        return ""
    title = "**Algorithmic tasks, bits a sequence, and how many of its bits are wrong, median of the restarts**"
    return "\n\n".join([title, table(header, body, numbers={"restarts", "bits", "wrong"})])


def _median(row: Row, forms: list[str]) -> tuple[str, str, str]:
    """A test, if there is one, its bits, beside those that nobody can do without, and how many are wrong."""
    if not forms:
        return "–", "–", "–"
    (form,) = forms
    got = row.tests[form]
    bits, wrong = (f"{statistics.median(got[of]):.2f}" for of in ("bits", "wrong_bits"))
    optimum = got["optimal_bits"]
    return form, bits if optimum is None else f"{bits} (optimum {optimum:.2f})", wrong


def lines_of(rows: list[Row]) -> list[Line]:
    """The runs, for results/README.md; the papers give no figures, only words and curves."""
    lines = []
    for row in rows:
        nearest, *further = row.tests
        besides = [f"median of the restarts {statistics.median(row.tests[nearest]['bits']):.2f}"]
        for form in further:
            bits = row.tests[form]["bits"]
            besides.append(f"{bits[row.selected]:.2f} at {form} (median {statistics.median(bits):.2f})")
        besides += [f"published: {_said(row)}"] if row.published else []
        lines.append(
            Line(
                _title(row.table), f"bits a sequence at {nearest}, of the restart that validation selected", row.model,
                row.experiment, row.record, row.tests[nearest]["bits"][row.selected], None, "", "; ".join(besides),
                row.marks,
            )
        )  # fmt: skip
    return lines


def sheet_of(rows: list[Row], results_dir: Path) -> Sheet:
    """The section on the page."""
    grids = []
    for name in dict.fromkeys(row.table for row in rows):
        here = [row for row in rows if row.table == name]
        forms = list(dict.fromkeys(form for row in here for form in row.tests))
        optima = {form: got["optimal_bits"] for row in here for form, got in row.tests.items()}
        notes = [f"Published, {row.published['name']}: {_said(row)}." for row in here if row.published]
        known = [f"{form} {optimum:.2f}" for form, optimum in optima.items() if optimum is not None]
        notes += [f"The best possible predictor needs, in bits: {', '.join(known)}."] if known else []
        columns = (*forms, "restarts", "parameters", "training")
        grids.append(
            Grid(_title(name), columns, [(row, _cells(row, forms)) for row in here], tuple(dict.fromkeys(notes)))
        )
    parts = {row.record: _parts(records.read(results_dir / "runs" / f"{row.record}.json")) for row in rows}
    about = (
        "Bits a sequence on test sequences, and in brackets how many of its bits are wrong, of the restart that "
        "validation selected; below it the median of all restarts. " + SIGNED
    )
    return Sheet("sequences", "Algorithmic tasks", about, grids, parts)


def _cells(row: Row, forms: list[str]) -> list[Cell]:
    cells = []
    for form in forms:
        if got := row.tests.get(form):
            bits, wrong = (got[of][row.selected] for of in ("bits", "wrong_bits"))
            median = f"median {statistics.median(got['bits']):.2f}"
            cells.append(Cell(f"{bits:.2f} ({wrong:.1f})", bits, median, form))
        else:
            cells.append(Cell("–"))
    return [
        *cells,
        Cell(str(row.restarts), row.restarts),
        Cell(f"{row.parameters:,}", row.parameters),
        Cell(clock(row.train_seconds), row.train_seconds),
    ]


def _parts(record: dict) -> dict[str, Part]:
    (training,) = record["trainings"]
    validation = record["validation"]
    return {
        form: Part(
            form, training, got["bits"], validation["bits"], validation["selected"], validation["best_epochs"], "bits"
        )
        for form, got in record["tests"].items()
    }


def _title(name: tuple[str, str]) -> str:
    task, changed = name
    return task.replace("_", " ") + (f" ({changed})" if changed else "")


def _said(row: Row) -> str:
    return row.published["said"] + sign_of(row.published["standing"])
