"""Rows and the records behind them → leaderboard.html: one file without links to others, drawn by its own script.

What is of bAbI alone: the names of the tasks, the slices of test questions and the stories to look inside.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict
from importlib.resources import files
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_class

from tasks.babi import PASS_MARK
from tasks.babi import TASKS as NAMES
from zoo import records
from zoo.interface import TRACES
from zoo.leaderboard import history
from zoo.leaderboard.compare import interval, signed_rank
from zoo.leaderboard.sheet import Sheet
from zoo.leaderboard.tables import TASKS, Row, title_of

EPOCHS_SHOWN = 40
SLICES = {  # columns of a record's arrays, and the largest value of all bins but the last
    "told": ("sentences told before the question", (5, 10, 20, 50)),
    "facts": ("supporting facts", (1, 2, 3)),
    "oldest_fact": ("sentences since the oldest supporting fact", (2, 5, 10, 20)),
}
LISTED = (
    "key", "name", "setting", "conditions", "mean_error", "failed_tasks", "mean_standing", "failed_standing",
    "tasks_standing", "source",
)  # fmt: skip
SCRIPTS = ("base.js", "plots.js", "record.js", "sections.js", "details.js", "main.js")


def as_html(
    rows: list[Row], sheets: list[Sheet], published: list[dict[str, str]], results_dir: Path, commits: dict[str, str]
) -> str:
    template = files("zoo.leaderboard") / "template"
    held = page_data(rows, published, results_dir, commits)
    held["sheets"] = [_sheet(sheet, results_dir, commits) for sheet in sheets]
    data = json.dumps(held, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "STYLE": (template / "style.css").read_text(),
        "DATA": data.replace("<", "\\u003c"),
        "SCRIPT": "\n".join((template / script).read_text() for script in SCRIPTS),
    }
    # in one pass: what is put in is not searched again
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], (template / "page.html").read_text())


def page_data(rows: list[Row], published: list[dict[str, str]], results_dir: Path, commits: dict[str, str]) -> dict:
    sentences: dict[str, int] = {}  # each once, however often it is told
    tables = []
    for table in dict.fromkeys(row.table for row in rows):
        here = [row for row in rows if row.table == table]
        source, size, protocol = table
        tables.append(
            {
                "source": source,
                "size": size,
                "protocol": protocol,
                "title": title_of(table),
                "rows": [_row(row, label, results_dir, commits, sentences) for row, label in _labelled(here)],
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


def _sheet(sheet: Sheet, results_dir: Path, commits: dict[str, str]) -> dict:
    """The section of another family; a row stands once, however many tables show it."""
    shown = {row.record: row for grid in sheet.grids for row, _ in grid.rows}
    rows = {}
    for row in shown.values():
        record, arrays = _read(row.record, results_dir)
        parts = {
            name: {
                "title": part.title,
                "unit": part.unit,
                **_part(part.training, part.test, part.valid, part.selected, part.best_epochs),
            }
            for name, part in sheet.parts[row.record].items()
        }
        rows[row.record] = _opened(row, row.model, record, arrays, commits) | {"tasks": parts}
    grids = [
        {
            "title": grid.title,
            "columns": grid.columns,
            "rows": [{"record": row.record, "cells": [asdict(cell) for cell in cells]} for row, cells in grid.rows],
            "notes": grid.notes,
        }
        for grid in sheet.grids
    ]
    return {"name": sheet.name, "title": sheet.title, "about": sheet.about, "rows": rows, "grids": grids}


def _read(name: str, results_dir: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """A record and the arrays beside it."""
    file = results_dir / "runs" / f"{name}.json"
    with records.arrays(file) as opened:
        return records.read(file), {array: opened[array] for array in opened.files}


def _opened(row: Any, label: str, record: dict, arrays: dict[str, np.ndarray], commits: dict[str, str]) -> dict:
    """What a row of any family shows when it is opened."""
    return {
        "model": row.model,
        "setting": row.experiment,
        "label": label,
        "marks": [*row.marks, *history.marks(record, commits)],
        "curves": {training: _curve(arrays[f"{training}/valid_error"]) for training in record["trainings"]},
        "record": {
            "name": row.record,
            **{name: record.get(name) for name in ("paper", "selection", "settings")},
            "runs": [
                {name: value for name, value in part.items() if name != "trainings"}
                | {"history": commits.get(part["commit"], history.UNKNOWN)}
                for part in records.parts_of(record)
            ],
        },
    }


def _part(training: str, test: list[float], valid: list[float], selected: int, best_epochs: list[int]) -> dict:
    return {
        "training": training,
        "test": [_short(error, 2) for error in test],
        "valid": [_short(error, 2) for error in valid],
        "selected": selected,
        "best": [epoch + 1 for epoch in best_epochs],
    }


def _row(row: Row, label: str, results_dir: Path, commits: dict[str, str], sentences: dict[str, int]) -> dict:
    record, arrays = _read(row.record, results_dir)
    published = row.published
    return _opened(row, label, record, arrays, commits) | {
        "mean": _short(row.mean, 2),
        "interval": [_short(end, 2) for end in interval(list(row.errors.values()))] if row.complete else None,
        "unfilled": _short(row.mean_unfilled, 2),
        "failed": row.failed,
        "restarts": row.restarts,
        "restart_means": [_short(mean, 4) for mean in row.restart_means],
        "facts_found": _short(row.facts_found, 1),
        "parameters": row.parameters,
        "state_size": row.state_size,
        "seconds": row.train_seconds,
        "memory": row.memory,
        "supervision": row.supervision,
        "published": {
            "key": published["key"],
            "mean": _figure(published["mean_error"]),
            "failed": _figure(published["failed_tasks"]),
            "mean_standing": published["mean_standing"],
            "failed_standing": published["failed_standing"],
            "tasks_standing": published["tasks_standing"],
            "tasks": {task: _figure(published.get(f"error_{task}")) for task in TASKS},
        }
        if published
        else None,
        "filled": row.filled,
        "tasks": {
            task: _part(got["training"], got["test_errors"], got["valid_errors"], got["selected"], got["best_epochs"])
            | {"found": _short(got["facts_found"][got["selected"]], 1) if got.get("facts_found") else None}
            for task, got in record["tasks"].items()
        },
        "slices": _slices(record, arrays),
        "looks": _looks(record, arrays, sentences),
        "traces": _traces(record),
    }


def _labelled(rows: list[Row]) -> Iterable[tuple[Row, str]]:
    """Names short enough for a plot: the model, and what sets its rows apart."""
    for row in rows:
        alone = sum(other.model == row.model for other in rows) == 1
        known = rf"[_/]{re.escape(row.model)}(?![a-z])|_babi(_joint)?(_\w+)?|_\d+k"  # the model, and where it stands
        setting = re.sub(known, "", row.experiment).replace("_", " ").removeprefix("default, ")
        yield row, row.model if alone else f"{row.model} · {setting}"


def _pairs(rows: list[Row]) -> list[dict]:
    """The paired test of any two models of a table, by their places in it."""
    complete = [(place, row) for place, row in enumerate(rows) if row.complete]
    return [
        {"rows": [a, b], "p": float(f"{signed_rank([one.errors[task] - two.errors[task] for task in TASKS]):.3g}")}
        for (a, one), (b, two) in combinations(complete, 2)
    ]


def _curve(valid_error: np.ndarray) -> dict:
    """The validation error of every restart, (E, R), at a few of its epochs."""
    epochs = np.unique(np.linspace(0, len(valid_error) - 1, EPOCHS_SHOWN).round().astype(int))
    return {
        "epochs": (epochs + 1).tolist(),
        "valid": [[_short(error, 1) for error in restart] for restart in valid_error[epochs].T.tolist()],
    }


def _bins(edges: tuple[int, ...]) -> list[str]:
    ends = [f"{low + 1}" if high == low + 1 else f"{low + 1}–{high}" for low, high in pairwise((0, *edges))]
    return [*ends, f"{edges[-1] + 1}+"]


def _slices(record: dict, arrays: dict[str, np.ndarray]) -> dict | None:
    """For every slice, task and bin: test questions, and how many of them the selected restart answers wrongly."""
    found: dict[str, dict] = {name: {} for name in SLICES}
    for task, got in record["tasks"].items():
        training = got["training"]
        if f"{training}/answer" not in arrays or (training != task and f"{training}/task" not in arrays):
            return None  # an older record
        of_task = arrays[f"{training}/task"] == int(task) if training != task else slice(None)
        wrong = arrays[f"{training}/predictions"][got["selected"]] != arrays[f"{training}/answer"]
        for name, (_, edges) in SLICES.items():
            values = arrays[f"{training}/{name}"][of_task]
            place, known = np.searchsorted(edges, values), values > 0
            questions = np.bincount(place[known], minlength=len(edges) + 1)
            mistakes = np.bincount(place[known & wrong[of_task]], minlength=len(edges) + 1)
            found[name][task] = np.stack([questions, mistakes], 1).tolist()
    return found


def _looks(record: dict, arrays: dict[str, np.ndarray], sentences: dict[str, int]) -> dict[str, list] | None:
    """The questions that a record keeps, by task, with the attention in thousandths."""
    if not all(f"{training}/looks" in arrays for training in record["trainings"]):
        return None
    found: dict[str, list] = {task: [] for task in record["tasks"]}
    for training in record["trainings"]:
        for look in json.loads(str(arrays[f"{training}/looks"])):
            found[str(look["task"])].append(
                {
                    "story": [sentences.setdefault(sentence, len(sentences)) for sentence in look["story"]],
                    **{name: look[name] for name in ("question", "answer", "said", "facts")},
                    "attention": [[round(1000 * weight) for weight in hop] for hop in look["attention"]],
                }
            )
    return found


def _traces(record: dict) -> str | None:
    """What the attention of a model is; None if the code of the model is no longer here."""
    try:
        return get_class(record["settings"]["model"]["_target_"]).traces
    except (ImportError, KeyError):
        return None


def _short(number: float | None, places: int) -> float | int | None:
    """As few digits as are shown; None for what is not there or not finite."""
    if number is None or not math.isfinite(number):
        return None
    rounded = round(number, places)
    return int(rounded) if rounded == int(rounded) else rounded


def _figure(text: str | None) -> float | None:
    return float(text) if text else None
