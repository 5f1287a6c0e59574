"""Whatever is killed goes on and ends as if it had not been, and whatever is told to end does so at once."""

import subprocess
import sys
import time
from importlib import import_module

import pytest

from tests.configs import MODELS, ROOT
from tests.runs import QUICK, made

store = import_module("zoo.records.store")


def said_by(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_was_killed_ends_with_the_same_figures_and_leaves_nothing():
    """A seeded part of the whole campaign."""
    said = said_by("tests.kills", "kills=10", "seed=1", "scene=csv,workers,join,leaderboard")
    assert said.endswith("10 kills, 0 of them with another end\n")


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_wrote_leaves_nothing(tmp_path, monkeypatch):
    """Killed, in effect, between its arrays and its record."""
    dump = store.dump

    def stop(record: dict) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "dump", stop)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, *QUICK, "task.ids=[1]", "trainer.max_epochs=2")
    left = [file.stem for file in (tmp_path / "results").rglob("*") if file.suffix in (".npz", ".safetensors")]
    assert len(set(left)) < len(left)  # the arrays and the weights that want a record
    monkeypatch.setattr(store, "dump", dump)
    time.sleep(1.1)  # the name of a record holds the second
    record = made(tmp_path, *QUICK, "task.ids=[1]", "trainer.max_epochs=2")
    kept = [file for name in ("runs", "weights") for file in (tmp_path / "results" / name).iterdir()]
    assert {file.stem for file in kept} == {record.stem}


@pytest.mark.slow
def test_a_training_of_any_model_ends_within_five_seconds_of_sigterm():
    said = said_by("tests.stops")
    assert [line.split()[0] for line in said.splitlines()] == [*MODELS, "compiling"]
