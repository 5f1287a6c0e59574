"""Runs that tests make: in processes of their own, or in this one, on little worlds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from tests.configs import ROOT
from zoo.commands import parse, repeat
from zoo.paths import cache_dir
from zoo.runs.plan import plan_of
from zoo.runs.run import run as make

QUICK = (
    "model=memn2n", "task=babi", "task.ids=[1,2,6]", "task.source=generated", "task.size=60", "task.generator.test=40",
    "restarts=2", "seed=3", "trainer.max_epochs=4", "model.dim=6", "logger=none", "trainer.workers=1",
)  # fmt: skip

# networks and sequences that are small
SMALL = {
    "ntm": ("model.slots=12", "model.width=6", "model.dim=12"),
    "lstm": ("model.dim=12",),
    "dnc": ("model.slots=8", "model.training_slots=8", "model.width=6", "model.dim=12"),
}
# networks that read stories, small, but with as many hops and passes
SMALL_READERS = SMALL | {
    "dnc": ("model.slots=8", "model.width=6", "model.dim=12", "model.embedding=8", "model.read_heads=2"),
    "dmn": ("model.dim=12",),
    "dmn_plus": ("model.dim=12",),
    "wmn": ("model.dim=12", "model.relation=16"),
    "entnet": ("model.dim=16", "model.slots=6"),
    "transformer": ("model.dim=16", "model.feed_forward=32"),
    "universal_transformer": ("model.dim=16", "model.feed_forward=32", "model.steps=4"),
    "delta_net": ("model.entity=12", "model.relation=6", "model.hidden=10"),
}
SHORT = {
    "copy": ("task.train.length=[1,4]", "task.test=[{length:5}]"),
    "repeat_copy": ("task.train.length=[1,3]", "task.train.repeats=[1,3]", "task.test=[{length:3,repeats:4}]"),
    "associative_recall": ("task.train.items=[2,3]", "task.test=[{items:4}]"),
    "dynamic_ngrams": ("task.train.length=[10,10]", "task.test=[{length:12}]"),
    "priority_sort": ("task.train.length=[5,5]", "task.train.kept=[3,3]", "task.test=[{length:6,kept:4}]"),
}
LITTLE = ("task.valid_size=40", "task.test_size=6")

TIMES = (
    "train_seconds", "wall_seconds", "resumed", "examples_per_second", "environment", "commit", "dirty", "sha256",
)  # fmt: skip


# --- in a process of their own


def command(release: Path, results: Path, *arguments: str) -> list[str]:
    return [sys.executable, "run.py", *arguments, f"data_dir={release}", f"results_dir={results}"]


def environment(results: Path) -> dict[str, str]:
    # a leaked WANDB or ZOO variable of the developer must not decide a test
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "ZOO", "HYDRA"))}
    # threads are those that trainer.threads gives, not torch's own choice
    own |= {"OMP_NUM_THREADS": "2"}
    cache = results.parent / "cache"
    if not (cache / "kernels").exists():  # those of the tests: to compile them takes ten seconds
        (cache_dir() / "kernels").mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "kernels").symlink_to(cache_dir() / "kernels")
    return own | {"ZOO_CACHE": str(cache), "HOME": str(results.parent), "COLUMNS": "120"}


def run(release: Path, results: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(release, results, *arguments), cwd=ROOT, env=environment(results), capture_output=True, text=True,
        timeout=240, stdin=subprocess.DEVNULL,
    )  # fmt: skip


# --- in this process


def made(folder: Path, *arguments: str) -> Path:
    """Make a run with its results in folder/results, and return the path of its record."""
    threads = torch.get_num_threads()
    file = make(plan_of([*arguments, f"results_dir={folder / 'results'}", f"cache_dir={folder / 'cache'}"]))
    torch.set_num_threads(threads)
    return file


def again(folder: Path, *arguments: str) -> None:
    """Repeat a run whose results are in folder/results."""
    threads = torch.get_num_threads()
    given = [*arguments, f"results_dir={folder / 'results'}", f"cache_dir={folder / 'cache'}"]
    repeat.main(parse("repeat", repeat.GRAMMAR, given))
    torch.set_num_threads(threads)


# --- what they leave


def the_record(results: Path) -> dict:
    """The only record, as it is written."""
    (file,) = (results / "runs").glob("*.json")
    return json.loads(file.read_text())


def arrays(results: Path) -> dict[str, np.ndarray]:
    (file,) = (results / "runs").glob("*.npz")
    with np.load(file) as stored:
        return dict(stored)


def figures(record: dict) -> dict:
    """A record without what differs between two runs of the same: times and the machine."""
    kept = {key: value for key, value in record.items() if key not in TIMES}
    kept["trainings"] = {
        name: {key: value for key, value in training.items() if key != "seconds"}
        for name, training in record["trainings"].items()
    }
    return kept
