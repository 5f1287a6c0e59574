"""Haystacks: right answers in percent about stories among up to a million sentences, by length and way of telling."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from rich.table import Table as TerminalTable

from zoo.families.board import (
    FACTS,
    NO_FIGURE,
    Cell,
    Comparison,
    Grid,
    Line,
    Measure,
    PartOfRecord,
    QuestionFamily,
    Row,
    Table,
    by_table,
    escaped,
    fixed,
    number,
    only_of,
    valid_error,
)
from zoo.plots import Points, plot
from zoo.records import LongFigures, Record

KINDS = {
    "strangers": "among strangers who do the same things",
    "prose": "in prose, where a keyword filter may solve everything",
    "babilong": "BABILong's files",
}
WAYS = {  # of telling a network a story
    "all": "all sentences as they are told",
    "index": "through an index of words",
    "filter": "behind a keyword filter",
}
USUAL = ("1", "2", "3")  # tasks
OWN = ("index", "all", "filter")  # the way whose figure stands for a model: the first that it can go
RULE = "rule"
REMEMBERS = 90  # percent of right answers
PICTURES: dict[str, tuple[str, Callable[[Sequence[LongFigures]], float], bool]] = {  # title, figure, logarithmic
    "accuracy": ("right answers, %", lambda of: statistics.fmean(100 * one.right / one.asked for one in of), False),
    "time": ("milliseconds a question, median", lambda of: statistics.fmean(one.ms_median for one in of), True),
    "memory": ("memory of the process, MB", lambda of: max(one.memory_mb for one in of), True),
}
PUBLISHED = (
    "Published figures of long contexts are of other models and of other texts: BABILong hides the facts in books, "
    "where few sentences are like them, and counts tokens. The networks are much larger. The figures stand here for "
    "orientation, and in no table of ours."
)


class Haystack(QuestionFamily):
    name, title, place = "haystack", "A million sentences", 4
    measure = Measure("right answers at the longest length", "%", 1, less_is_better=False)
    measure_while_training = Measure("right answers at the lengths of training", "%", 1, less_is_better=False)
    csv_file, published_file = "leaderboard_haystack.csv", "published_haystack.csv"
    published_columns = (
        "key", "model", "name", "parameters", "conditions", "tokens", "task_1", "task_2", "task_3", "standing",
        "source",
    )  # fmt: skip
    conditions = ("task.kind", "task.text")
    tells_stories = True
    about = (
        "Right answers, higher is better, of networks that have learned from short stories and are asked at the end of "
        "long ones. Tables give percent with Wilson's intervals of 95 %, task by task. *Through an index*: "
        "a network sees the sentences with the rarest words of the question and of the facts that it looks at. "
        "*Behind a keyword filter*: it sees the sentences that share a rare word with the question, and those that "
        "share one with these. "
        "*The rule* needs no network: it says the last word that may be an answer in the last sentence with the "
        "question's rarest word. Validation, at the lengths of training, selects epoch and restart."
    )
    csv_columns = (
        "model", "experiment", "task", "kind", "length", "way", "accuracy", "low", "high", "questions",
        "ms_per_question", "ms_p99", "sentences_per_second", "memory_mb", "refused", "parameters", "state_size",
        "supervision", "restarts", "train_seconds", "record", "marks",
    )  # fmt: skip

    def table_of(self, record: Record) -> Table:
        place = list(KINDS).index(record.world) if record.world in KINDS else len(KINDS)
        return Table((place, record.world), f"Haystack, {KINDS.get(record.world, record.world)}")

    def marks(self, record: Record) -> list[str]:
        return only_of(record, USUAL)

    # --- the figures

    def figure_of(self, record: Record) -> float:
        """Compute the mean over the tasks at the longest length; without it, at the lengths of training."""
        found = headline_of(record)
        return 100 - statistics.fmean(got.error for got in record.tasks.values()) if found is None else found

    def headline(self, row: Row) -> float | None:
        return headline_of(row.record)

    def line(self, row: Row) -> Line:
        longest = max((one.length for one in row.record.long), default=0)
        return Line(row, f"right answers in percent at {longest:,} sentences", Comparison("", self.headline(row), None))

    # --- the tables

    def csv_rows(self, row: Row) -> Iterator[dict[str, Any]]:
        for one in row.record.long:
            low, high = one.interval if one.asked else (None, None)
            yield {
                **one.model_dump(include={"task", "kind", "length", "way", "refused"}),
                **({"model": RULE, "parameters": 0, "state_size": 0, "supervision": ""} if one.way == RULE else {}),
                "accuracy": fixed(one.accuracy, 2),
                "low": fixed(low, 2),
                "high": fixed(high, 2),
                "questions": one.asked,
                **(
                    {
                        "ms_per_question": fixed(one.ms_median, 3),
                        "ms_p99": fixed(one.ms_p99, 3),
                        "sentences_per_second": one.sentences_per_second,
                        "memory_mb": one.memory_mb,
                    }
                    if one.asked
                    else {}
                ),
            }

    def grids(self, rows: Sequence[Row]) -> list[Grid]:
        lengths = sorted({one.length for row in rows for one in row.record.long})
        columns = tuple(f"{length:,}" for length in lengths)
        further = ("ms a question", "sentences a second", "MB", "learns from", *FACTS)
        grids = []
        for way, title in WAYS.items():
            body = [
                (
                    row,
                    [
                        *(_cell(figures_at(row.record, way, length)) for length in lengths),
                        *_costs(row.record, way),
                        Cell(row.record.supervision),
                        *row.facts,
                    ],
                )
                for row in rows
                if any(one.way == way for one in row.record.long)
            ]
            if body:
                grids.append(Grid(title, (*columns, *further), body, (f"Told {title}.", _said_of_rule(rows, lengths))))
        return grids or super().grids(rows)

    def short(self, rows: Sequence[Row]) -> list[Grid]:
        grids = []
        for title, here in by_table([row for row in rows if row.is_of_known_code]):
            for grid in self.grids(here):
                grids.append(Grid(f"**{title}, {grid.title}**", grid.columns, grid.rows, grid.notes[1:]))
        return grids

    def files(self, rows: Sequence[Row], published: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Write haystack.md, and three pictures for each table: right answers, time and memory against length."""
        found, parts = {}, [f"# {self.title}", self.about] if rows else []
        for title, here in by_table(rows):
            kind = here[0].record.world
            parts.append(f"## {title}")
            for name, (said, of, logarithmic) in PICTURES.items():
                file = f"pictures/haystack_{kind}_{name}.svg"
                if drawn := plot(f"{kind}: {said}", "sentences", _curves(here, of), logarithmic):
                    found[file] = drawn
                    parts.append(f"![{kind}: {said}]({file})")
            parts.append(_remembered(here))
        parts += ["## Published, of other models", PUBLISHED, _published(published)]
        return found | ({"haystack.md": "\n\n".join(parts) + "\n"} if rows else {})

    def terminal(self, record: Record) -> TerminalTable:
        if not record.long:
            return super().terminal(record)
        table = TerminalTable()
        for column in ("task", "sentences", "told", "right", "95 %", "ms", "p99", "sentences/s", "MB"):
            table.add_column(column, justify="left" if column == "told" else "right")
        for one in record.long:
            way = WAYS.get(one.way, "the rule")
            if one.refused:
                table.add_row(one.task, f"{one.length:,}", f"{way}: {one.refused}")
                continue
            low, high = one.interval
            table.add_row(
                one.task,
                f"{one.length:,}",
                way,
                f"{one.accuracy:.1f}",
                f"{low:.1f}–{high:.1f}",
                f"{one.ms_median:.2f}",
                f"{one.ms_p99:.2f}",
                f"{one.sentences_per_second:,}",
                f"{one.memory_mb:,}",
            )
        return table

    def parts_of(self, record: Record) -> dict[str, PartOfRecord]:
        return {task: self.part(f"Task {task}, at the lengths of training", got) for task, got in record.tasks.items()}


def headline_of(record: Record) -> float | None:
    """Compute the mean accuracy over the tasks at the longest length, in the model's own way."""
    longest = max((one.length for one in record.long), default=0)
    for way in OWN:
        found = [one.accuracy for one in figures_at(record, way, longest) if one.accuracy is not None]
        if found and len(found) == len(record.tasks):
            return statistics.fmean(found)
    return None


def figures_at(record: Record, way: str, length: int) -> list[LongFigures]:
    """List the figures of all tasks at one length."""
    return [one for one in record.long if (one.way, one.length) == (way, length)]


def _curves(rows: Sequence[Row], of: Callable[[Sequence[LongFigures]], float]) -> dict[str, Points]:
    """Collect the points of a picture: of each model the setting that validation selects.

    A model is drawn in its own way and, if it can, told all sentences as they are. The rule needs no network.
    """
    curves: dict[str, Points] = {}
    most = max((len(_tasks(row)) for row in rows), default=0)
    for row in _chosen([row for row in rows if len(_tasks(row)) == most], lambda row: row.model):
        found = {way: points for way in OWN if (points := _points(row.record, way, of))}
        for way in dict.fromkeys([*[*found][:1], "all"]):
            if way in found:
                curves[f"{row.model}, {way}, {row.record.state_size:,} numbers"] = found[way]
    if rules := [points for row in rows if (points := _points(row.record, RULE, of))]:
        curves["the rule, without a network"] = max(rules, key=len)
    return curves


def _chosen(rows: Sequence[Row], alike: Callable[[Row], object]) -> list[Row]:
    """Choose of rows that are alike, those of a model say, the one that validation selects."""
    best: dict[object, Row] = {}
    for row in sorted(rows, key=lambda row: valid_error(row.record), reverse=True):
        best[alike(row)] = row
    return [row for row in rows if best[alike(row)] is row]


def _tasks(row: Row) -> set[str]:
    return {one.task for one in row.record.long}


def _train_length(row: Row) -> Any:
    """Get the length of the longest stories of training."""
    return row.record.settings["task"].get("train_length", NO_FIGURE)


def _remembered(rows: Sequence[Row]) -> str:
    """Draw a table of the longest stories that each model answers questions about, in every way of telling."""
    tasks = sorted(set().union(*map(_tasks, rows)), key=int)
    lines = [
        "Sentences up to which a network is right on at least "
        f"{REMEMBERS} % of the questions, at this length and all shorter ones:",
        "",
        f"| model | told | learned from stories up to | {' | '.join(f'task {task}' for task in tasks)} |",
        f"| --- | --- | --: |{' --: |' * len(tasks)}",
    ]
    for row in _chosen(rows, lambda row: (row.model, _train_length(row))):
        for way, title in WAYS.items():
            told = [one for one in row.record.long if one.way == way and one.asked]
            if told:
                cells = [_reach([one for one in told if one.task == task]) for task in tasks]
                lines.append(f"| {row.model} | {title} | {_train_length(row)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _reach(figures: Sequence[LongFigures]) -> str:
    """Find the longest story of those that are remembered without a gap."""
    if not figures:
        return NO_FIGURE
    reached = takewhile(lambda one: (one.accuracy or 0.0) >= REMEMBERS, sorted(figures, key=lambda one: one.length))
    longest = max((one.length for one in reached), default=0)
    return f"{longest:,}" if longest else "none"


def _points(record: Record, way: str, of: Callable[[Sequence[LongFigures]], float]) -> Points:
    """List a record's figures by length, where all of its tasks were asked."""
    lengths = sorted({one.length for one in record.long if one.way == way})
    told = [figures_at(record, way, length) for length in lengths]
    return [(here[0].length, of(here)) for here in told if all(one.asked for one in here)]


def _cell(figures: Sequence[LongFigures]) -> Cell:
    found = [one.accuracy for one in figures if one.accuracy is not None]
    if not found or len(found) < len(figures):
        return Cell(NO_FIGURE, below="; ".join(dict.fromkeys(one.refused for one in figures if one.refused)))
    mean = statistics.fmean(found)
    each = [f"{one.task}: {one.accuracy:.0f} ({one.interval[0]:.0f}–{one.interval[1]:.0f})" for one in figures]
    return Cell(f"{mean:.1f}", mean, ", ".join(each), part=figures[0].task, shade=100 - mean)


def _costs(record: Record, way: str) -> list[Cell]:
    """Show time and memory at the longest length that was told in this way."""
    told = [one for one in record.long if one.way == way and one.asked]
    here = [one for one in told if one.length == max(one.length for one in told)]
    if not here:
        return [Cell(NO_FIGURE)] * 3
    ms, p99 = statistics.fmean(one.ms_median for one in here), max(one.ms_p99 for one in here)
    speed, memory = min(one.sentences_per_second for one in here), max(one.memory_mb for one in here)
    return [
        Cell(number(ms, 2), ms, f"99 %: {p99:.1f}; at {here[0].length:,}"),
        Cell(f"{speed:,}", speed),
        Cell(f"{memory:,}", memory),
    ]


def _published(figures: Sequence[Mapping[str, str]]) -> str:
    """Draw published figures as a table."""
    columns = ("name", "parameters", "conditions", "tokens", "task_1", "task_2", "task_3", "source")
    rows = [["model", "parameters", "trained", "tokens", "task 1, %", "task 2, %", "task 3, %", "source"]]
    rows.append(["---", "---", "---", "--:", "--:", "--:", "--:", "---"])
    for figure in figures:
        cells = {name: figure[name] or NO_FIGURE for name in columns} | {
            "tokens": f"{float(figure['tokens'] or 0):,.0f}"
        }
        rows.append([escaped(cells[name]) for name in columns])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _said_of_rule(rows: Sequence[Row], lengths: Sequence[int]) -> str:
    """Say what the rule alone answers right, task by task."""
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        for one in row.record.long:
            if one.way == RULE and one.accuracy is not None:
                found[one.task, one.length] = one.accuracy
    tasks = sorted({task for task, _ in found}, key=int)
    each = [
        f"task {task} {', '.join(f'{found[task, length]:.0f}' for length in lengths if (task, length) in found)}"
        for task in tasks
    ]
    world = rows[0].record.world
    return f"The rule {KINDS.get(world, world)}, in % at these lengths: {'; '.join(each)}."


FAMILY = Haystack()
