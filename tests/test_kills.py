"""Whatever is killed goes on and ends as if it had not been, and whatever is told to end does so at once."""

import subprocess
import sys

import pytest

from tests.configs import MODELS, ROOT


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
def test_a_training_of_any_model_ends_within_five_seconds_of_sigterm():
    said = said_by("tests.stops")
    assert [line.split()[0] for line in said.splitlines()] == [*MODELS, "compiling"]
