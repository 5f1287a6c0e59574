"""Records that no run has made: as a run writes them, with figures that are easy to reckon with."""

import csv
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.configs import MODELS, config
from zoo import records
from zoo.families import FAMILIES
from zoo.families.board import Row
from zoo.leaderboard.markdown import as_markdown, as_short_markdown
from zoo.leaderboard.table_csv import as_csv
from zoo.records import Record, weights
from zoo.records.weights import About, Facts, Trained

PUBLISHED = "key,model,size,protocol,name,setting,conditions,mean_error,failed_tasks,"
PUBLISHED += "mean_standing,failed_standing,tasks_standing,source\n"
PUBLISHED += "a,memn2n,1k,per_task,MemN2N,PE,best of 10,13.9,11,verified,verified,recalled,a table\n"
PUBLISHED += "b,memn2n,1k,per_task,MemN2N,BoW,best of 10,25.1,15,quoted,recalled,recalled,a table\n"
STORY = ["mary moved to the garden", "daniel went to the office", "john took the </script> milk"]

_composed = functools.cache(config)


def raw(file: Path) -> dict[str, Any]:
    """A record as it is written, for a test that edits it."""
    return json.loads(file.read_text())


def rewrite(file: Path, record: dict[str, Any]) -> None:
    """Replace a record by one without checksums, as older versions wrote them."""
    kept = {name: value for name, value in record.items() if name not in ("sha256", "arrays_sha256")}
    file.write_text(records.dump(kept))


def read_all(results: Path) -> list[Record]:
    return [records.read(file) for file in records.files(results)]


def rows_of(results: Path, family: str = "babi") -> list[Row]:
    return FAMILIES[family].rows(read_all(results), results)


def markdown(rows: list[Row], family: str = "babi") -> str:
    return as_markdown({FAMILIES[family]: rows})


def short_markdown(rows: list[Row], family: str = "babi") -> str:
    return as_short_markdown(FAMILIES[family], rows)


def csv_of(rows: list[Row], family: str = "babi") -> list[dict[str, str]]:
    return list(csv.DictReader(as_csv(FAMILIES[family], rows).splitlines()))


def settings_of(*arguments: str) -> dict[str, Any]:
    """The settings of a run with these arguments, as a record keeps them."""
    given = _composed(*arguments)
    found = {name: given[name] for name in ("model", "task", "protocol", "restarts", "seed")}
    return json.loads(json.dumps(found | {"experiment": None, "max_epochs": None, "data_sha256": "0"}))


def figures_of(test: dict[int, list[float]], valid: dict[int, list[float]], selected: int) -> dict:
    restarts = len(next(iter(test.values())))
    return {
        "errors": {
            "test": {task: torch.tensor(errors, dtype=torch.double) for task, errors in test.items()},
            "valid": {task: torch.tensor(errors, dtype=torch.double) for task, errors in valid.items()},
        },
        "facts_found": {task: torch.tensor([50.0, 80.0, 10.0][:restarts]) for task in test},
        "selected": selected,
        "best_epoch": torch.arange(restarts),
        "predictions": {"test": torch.zeros(restarts, 5, dtype=torch.int16)},
        "dialog_errors": {},
        "questions": {},
        "looks": [],
        "weights": {"words": torch.zeros(100)},
        "half": True,
        "sizes": [10, 5, 5],
        "words_of_sentences": ["", *(f"w{number}" for number in range(9))],
        "words": ["", "a"],
        "curves": {name: torch.zeros(3, restarts) for name in ("train_loss", "valid_loss", "valid_error")},
        "parameters": 100,
        "state_size": 60,
        "seconds": 1.5,
        "examples": 300,
        "kernels": False,
    }


def add(results: Path, *, tasks=range(1, 21), experiment=None, overrides=(), published=None, size="1k", shift=0.0,
        source="official", world="", filled=None, dirty=False, identity="0123456789", model="memn2n",
        restarts=2, valid=1.0, protocol="per_task") -> Path:  # fmt: skip
    """A record as a run writes it: restart 0 is better on test, restart 1 on validation."""
    figures = {}
    for task in tasks:
        test = {task: [2.0 + shift, 6.0 + task / 10 + shift, 30.0][:restarts]}
        of_valid = {task: [5.0, valid, 30.0][:restarts]}
        figures[str(task)] = figures_of(test, of_valid, selected=1 if restarts > 1 else 0)
    known = model if model in MODELS else "memn2n"
    arguments = [f"model={known}", "task=babi", f"task.ids=[{','.join(map(str, tasks))}]", f"task.size={size}",
                 f"protocol={protocol}", f"restarts={restarts}"]  # fmt: skip
    run = {
        "identity": identity,
        "model": model,
        "experiment": experiment,
        "overrides": list(overrides),
        "published": published,
        "command": " ".join(["python run.py", *arguments]),
        "family": "babi",
        "source": source,
        "world": world,
        "filled": filled or {},
        "memory": "static",
        "supervision": "answers",
        "paper": "https://arxiv.org/abs/1503.08895",
        "settings": settings_of(*arguments),
        "train_seconds": 30.0,
        "wall_seconds": 20.0,
        "resumed": False,
        "workers": 1,
        "commit": "abc",
        "dirty": dirty,
    }
    return records.write(results, f"{model}-{size}-{protocol}", "stories", run, figures)


def furnish(file: Path, model: str = "memn2n.MemN2N") -> None:
    """Gives a record what today's records keep: columns of the test questions, stories with attention, a model."""
    with np.load(file.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    record = raw(file)
    for task, got in record["tasks"].items():
        arrays[f"{task}/predictions"] = np.zeros((len(got["test_errors"]), 5), np.int16)
        arrays[f"{task}/answer"] = np.array([0, 0, 0, 1, 1], np.int16)
        arrays[f"{task}/told"] = np.array([2, 5, 6, 6, 100], np.int16)
        arrays[f"{task}/facts"] = np.array([1, 2, 1, 2, 9], np.int8)
        arrays[f"{task}/oldest_fact"] = np.array([0, 1, 2, 3, 30], np.int16)
        falling = np.linspace(90, 10, 200)[:, None] * np.ones(len(got["test_errors"]))
        arrays |= {f"{task}/{curve}": falling for curve in records.CURVES}
        look = {"task": int(task), "story": STORY, "question": "where is mary", "answer": "garden", "facts": [0]}
        attention = [[0.9, 0.1, 0.0], [0.5, 0.25, 0.25]]
        looks = [look | {"said": said, "attention": attention} for said in ("garden", "office")]
        arrays[f"{task}/looks"] = np.array(json.dumps(looks))
    record["settings"] |= {"model": {"_target_": f"zoo.models.{model}"}, "seed": 5}
    record["command"] = "python run.py model=memn2n"
    rewrite(file, record)
    np.savez_compressed(file.with_suffix(".npz"), **arrays)


def age(file: Path) -> None:
    """Makes a record what it was before records kept stories."""
    with np.load(file.with_suffix(".npz")) as stored:
        arrays = {name: array for name, array in stored.items() if not name.endswith("/looks")}
    np.savez_compressed(file.with_suffix(".npz"), **arrays)
    rewrite(file, raw(file))


def as_dialog(file: Path) -> None:
    """Makes a record one of the dialog tasks."""
    record = raw(file)
    for task, got in record["tasks"].items():
        got["test_dialog_errors"] = [90.0, 80.0]
        if task != "6":
            got |= {"oov_errors": [30.0, 25.0], "oov_dialog_errors": [100.0, 100.0]}
    arguments = ("model=memn2n", "task=dialog", "restarts=2")
    record |= {"family": "dialog", "command": " ".join(["python run.py", *arguments])}
    record["settings"] = settings_of(*arguments)
    rewrite(file, record)


def as_sequences(file: Path) -> None:
    """Makes a record one of an algorithmic task."""
    record = raw(file)
    del record["tasks"]
    arguments = ("model=ntm", "task=copy", "restarts=2")
    record |= {"family": "algorithmic", "command": " ".join(["python run.py", *arguments])}
    record["settings"] = settings_of(*arguments)
    record["validation"] = {"bits": [3.0, 2.0], "wrong_bits": [1.0, 0.5], "selected": 1, "best_epochs": [4, 5]}
    of_form = {"bits": [8.0, 4.0], "wrong_bits": [2.0, 1.0], "optimal_bits": None}
    record["tests"] = {"length=10": of_form, "length=120": of_form | {"bits": [80.0, 41.5]}}
    rewrite(file, record)


def put_weights(
    file: Path, networks: dict[str, dict[str, np.ndarray]], sizes=(2, 5, 5), words=("", "a"), unlearned=(), label="1k"
) -> Path:
    """Weights beside a record, as a run leaves them; `networks` has parameters by the names of trainings."""
    record = raw(file)
    trained = {
        name: Trained(
            Facts(
                sizes=list(sizes), words=list(words), unlearned=list(unlearned),
                **records.KINDS["stories"].errors_of(record, name),
            ),
            parameters, {},
        )
        for name, parameters in networks.items()
    }  # fmt: skip
    about = About(
        format=1, record=file.stem, label=label, protocol="per_task", licence="of a test",
        trainings={name: of.facts for name, of in trained.items()},
        **{name: record[name] for name in ("model", "experiment", "family", "source", "supervision", "settings")},
    )  # fmt: skip
    weights.save(records.weights_of(file), about, trained)
    return records.weights_of(file)
