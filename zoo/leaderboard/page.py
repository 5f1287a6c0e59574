"""Rows and the records behind them → leaderboard.html: one file, drawn by its own script.

bAbI has sections of its own: names of the tasks, slices of test questions, stories to look inside. Every other family
has the grids of its description.
"""

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from tasks.babi import PASS_MARK
from tasks.babi import TASKS as NAMES
from zoo.families import babi
from zoo.families.babi import TASKS
from zoo.families.board import Family, Grid, PartOfRecord, Row, by_table
from zoo.leaderboard import findings, provenance
from zoo.leaderboard.html import assembled
from zoo.leaderboard.statistics import interval, signed_rank
from zoo.records import Record, looks_of
from zoo.traces import TRACES, traces_of

EPOCHS_SHOWN = 40
SLICES = {  # columns of a record's arrays, and the largest value of all bins but the last
    "told": ("sentences told before the question", (5, 10, 20, 50)),
    "facts": ("supporting facts", (1, 2, 3)),
    "oldest_fact": ("sentences since the oldest supporting fact", (2, 5, 10, 20)),
}
LISTED = (
    "key", "model", "name", "setting", "conditions", "mean_error", "failed_tasks", "mean_standing", "failed_standing",
    "tasks_standing", "source",
)  # fmt: skip
SCRIPTS = (
    "elements.js",
    "base.js",
    "plots.js",
    "record.js",
    "sections.js",
    "findings.js",
    "details.js",
    "address.js",
    "main.js",
)


Arrays = dict[str, dict[str, np.ndarray]]  # beside each record, by its name


def as_html(
    rows: Mapping[Family, Sequence[Row]],
    arrays: Arrays,
    left_out: Sequence[str],
    results_dir: Path,
    commits: dict[str, str],
) -> str:
    """Write leaderboard.html.

    Args:
        rows: of every family, sorted.
        arrays: beside each record, by its name.
        left_out: sentences about damaged records.
        results_dir: holds published figures.
        commits: the state of each commit that the records name.
    """
    template = files("zoo.leaderboard") / "template"
    of_babi, others = rows.get(babi.FAMILY, []), {f: of for f, of in rows.items() if of and f is not babi.FAMILY}
    published = babi.FAMILY.published(results_dir)
    held = page_data(of_babi, published, arrays, commits)
    held["left_out"] = list(left_out)
    names = {row.record.name for of in rows.values() for row in of}
    held["verified"] = {name: said for name, said in _verified(results_dir).items() if name in names}
    held["sheets"] = [_sheet(family, of, arrays, commits) for family, of in others.items()]
    held["playground"] = (results_dir / "playground.html").exists()
    scripts = [template / name for name in SCRIPTS]
    return assembled(template / "page.html", [template / "style.css"], scripts, held)


def _verified(results_dir: Path) -> dict[str, str]:
    """Say of each record when it was last verified, and when a cell of it was last made again."""
    return {
        name: row["verified"] + (f"; made again {row['repeated_on']}: {row['repeated']}" if row["repeated"] else "")
        for name, row in provenance.read_verified(results_dir).items()
    }


def page_data(
    rows: Sequence[Row], published: Sequence[Mapping[str, str]], arrays: Arrays, commits: dict[str, str]
) -> dict:
    """Arrange what the page shows of bAbI.

    Args:
        rows: of bAbI, sorted.
        published: all published figures of bAbI.
        arrays: beside each record, by its name.
        commits: the state of each commit that the records name.
    """
    sentences: dict[str, int] = {}  # each once, however often it is told
    tables, found = [], findings.of_all(rows)
    for title, here in by_table(rows):
        first = here[0].record
        source, size, protocol = babi.source_of(first), babi.size_of(first), first.protocol
        tables.append(
            {
                "source": source,
                "size": size,
                "protocol": protocol,
                "title": title,
                "rows": [_row(row, label, arrays, commits, sentences) for row, label in _labelled(here)],
                "findings": found[findings.group_of(here[0])],
                "pairs": _pairs(here),
                "published": [
                    {name: figure[name] for name in LISTED}
                    for figure in published
                    if source == "official" and (figure["size"], figure["protocol"]) == (size, protocol)
                ],
            }
        )
    return {
        "tasks": {task: NAMES[task] for task in TASKS},
        "pass_mark": PASS_MARK,
        "slices": {name: {"title": title, "bins": _bins(edges)} for name, (title, edges) in SLICES.items()},
        "traces": TRACES,
        "tables": tables,
        "sentences": list(sentences),
    }


def _sheet(family: Family, rows: Sequence[Row], arrays: Arrays, commits: dict[str, str]) -> dict:
    """Arrange the section of a family; a row stands once, however many tables show it."""
    grids = []
    for title, here in by_table(rows):
        for grid in family.grids(here):
            grids.append(_grid(grid, f"{title}: {grid.title}" if grid.title else title))
    return {
        "name": family.name,
        "title": family.title,
        "about": family.about.replace("*", ""),
        "rows": {row.record.name: _of_sheet(family, row, arrays[row.record.name], commits) for row in rows},
        "grids": grids,
        "pictures": [
            {"says": Path(file).stem.replace("_", " "), "source": _inlined(drawn)}
            for file, drawn in family.files(rows, ()).items()
            if file.endswith(".svg")
        ],
    }


def _inlined(drawn: str) -> str:
    """Write an SVG as an address that holds it: the page fetches nothing."""
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"


def _grid(grid: Grid, title: str) -> dict:
    return {
        "title": title,
        "columns": grid.columns,
        "rows": [{"record": row.record.name, "cells": [asdict(cell) for cell in cells]} for row, cells in grid.rows],
        "notes": grid.notes,
    }


def _of_sheet(family: Family, row: Row, arrays: dict[str, np.ndarray], commits: dict[str, str]) -> dict:
    parts = family.parts_of(row.record).items()
    shown = {name: {"title": part.title, "unit": part.unit, **_part(part)} for name, part in parts}
    return _opened(row, row.model, arrays, commits) | {"tasks": shown}


def _opened(row: Row, label: str, arrays: dict[str, np.ndarray], commits: dict[str, str]) -> dict:
    """Arrange what a row of any family shows when it is opened."""
    record = row.record
    return {
        "model": row.model,
        "setting": row.setting,
        "label": label,
        "marks": [*row.marks, *provenance.marks(record, commits)],
        "curves": {training: curve(arrays[f"{training}/valid_error"]) for training in record.trainings},
        "record": {
            "name": record.name,
            "paper": record.paper,
            "selection": record.selection,
            "settings": record.settings,
            "runs": [
                part.model_dump(exclude={"trainings"}) | {"history": commits.get(part.commit or "", provenance.UNKNOWN)}
                for part in record.parts
            ],
        },
    }


def _part(part: PartOfRecord) -> dict:
    return {
        "training": part.training,
        "test": [_short(error, 2) for error in part.test],
        "valid": [_short(error, 2) for error in part.valid],
        "selected": part.selected,
        "best": [epoch + 1 for epoch in part.best_epochs],
    }


def _row(row: Row, label: str, arrays: Arrays, commits: dict[str, str], sentences: dict[str, int]) -> dict:
    record, family, paper, found = row.record, babi.FAMILY, row.paper, arrays[row.record.name]
    complete = babi.is_complete(row)
    return _opened(row, label, found, commits) | {
        "mean": _short(family.headline(row), 2),
        "interval": [_short(end, 2) for end in interval(list(row.errors.values()))] if complete else None,
        "part_mean": None if complete else _short(family.figure_of(record), 2),
        "unfilled": _short(babi.mean_unfilled(row), 2),
        "failed": family.failed_of(row),
        "restarts": record.restarts,
        "restart_means": [_short(mean, 4) for mean in babi.restart_means(row)],
        "facts_found": _short(babi.facts_found(row), 1),
        "parameters": record.parameters,
        "state_size": record.state_size,
        "seconds": record.train_seconds,
        "memory": record.memory,
        "supervision": record.supervision,
        "published": {
            "key": paper["key"],
            "mean": _figure(paper["mean_error"]),
            "failed": _figure(paper["failed_tasks"]),
            "mean_standing": paper["mean_standing"],
            "failed_standing": paper["failed_standing"],
            "tasks_standing": paper["tasks_standing"],
            "tasks": {task: _figure(paper.get(f"error_{task}")) for task in TASKS},
        }
        if paper
        else None,
        "filled": record.filled,
        "tasks": {
            task: _part(family.part("", got))
            | {"found": _short(got.chosen("facts_found") if got.facts_found else None, 1)}
            for task, got in record.tasks.items()
        },
        "slices": _slices(record, found),
        "looks": _looks(record, found, sentences),
        "traces": traces_of(record),
    }


def _labelled(rows: Sequence[Row]) -> Iterable[tuple[Row, str]]:
    """Name rows shortly enough for a plot: the model and, where it has several rows, its setting."""
    for row in rows:
        alone = sum(other.model == row.model for other in rows) == 1
        known = rf"[_/]{re.escape(row.model)}(?![a-z])|_babi(_joint)?(_\w+)?|_\d+k"  # the model, and where it stands
        setting = re.sub(known, "", row.setting).replace("_", " ").removeprefix("default, ")
        yield row, row.model if alone else f"{row.model} · {setting}"


def _pairs(rows: Sequence[Row]) -> list[dict]:
    """Test any two models of a table in pairs of tasks; rows are named by their places."""
    complete = [(place, row) for place, row in enumerate(rows) if babi.is_complete(row)]
    return [
        {"rows": [a, b], "p": float(f"{signed_rank([one.errors[task] - two.errors[task] for task in TASKS]):.3g}")}
        for (a, one), (b, two) in combinations(complete, 2)
    ]


def curve(valid_error: np.ndarray) -> dict:
    """Thin the validation errors of every restart, (E, R), to a few epochs, first and last included."""
    epochs = np.unique(np.linspace(0, len(valid_error) - 1, EPOCHS_SHOWN).round().astype(int))
    return {
        "epochs": (epochs + 1).tolist(),
        "valid": [[_short(error, 1) for error in restart] for restart in valid_error[epochs].T.tolist()],
    }


def _bins(edges: tuple[int, ...]) -> list[str]:
    ends = [f"{low + 1}" if high == low + 1 else f"{low + 1}–{high}" for low, high in pairwise((0, *edges))]
    return [*ends, f"{edges[-1] + 1}+"]


def _slices(record: Record, arrays: dict[str, np.ndarray]) -> dict | None:
    """Count, for every slice, task and bin, test questions and wrong answers of the selected restart."""
    found: dict[str, dict] = {name: {} for name in SLICES}
    for task, got in record.tasks.items():
        training = got.training
        if f"{training}/answer" not in arrays or (training != task and f"{training}/task" not in arrays):
            return None  # an older record
        of_task = arrays[f"{training}/task"] == int(task) if training != task else slice(None)
        wrong = arrays[f"{training}/predictions"][got.selected] != arrays[f"{training}/answer"]
        for name, (_, edges) in SLICES.items():
            values = arrays[f"{training}/{name}"][of_task]
            place, known = np.searchsorted(edges, values), values > 0
            questions = np.bincount(place[known], minlength=len(edges) + 1)
            mistakes = np.bincount(place[known & wrong[of_task]], minlength=len(edges) + 1)
            found[name][task] = np.stack([questions, mistakes], 1).tolist()
    return found


def _looks(record: Record, arrays: dict[str, np.ndarray], sentences: dict[str, int]) -> dict[str, list] | None:
    """Arrange the questions that a record keeps, by task, with the attention in thousandths."""
    found: dict[str, list] = {task: [] for task in record.tasks}
    for training in record.trainings:
        looks = looks_of(arrays, training)
        if looks is None:
            return None
        for look in looks:
            found[str(look.task)].append(
                look.model_dump(include={"question", "answer", "said", "facts"})
                | {
                    "story": [sentences.setdefault(sentence, len(sentences)) for sentence in look.story],
                    "attention": [[round(1000 * weight) for weight in hop] for hop in look.attention],
                }
            )
    return found


def _short(number: float | None, places: int) -> float | int | None:
    """Round to the digits that are shown; None for a number that is missing or not finite."""
    if number is None or not math.isfinite(number):
        return None
    rounded = round(number, places)
    return int(rounded) if rounded == int(rounded) else rounded


def _figure(text: str | None) -> float | None:
    return float(text) if text else None
