"""Workers that are killed and paused: a seeded part of `python -m tests.swarm` and of `python -m benchmarks.claims`."""

import subprocess
import sys

import pytest

from benchmarks.claims import simulate
from tests.configs import ROOT


@pytest.mark.slow
def test_whoever_is_killed_every_record_is_made_once_and_as_if_nothing_had_been():
    done = subprocess.run(
        [sys.executable, "-m", "tests.swarm", "kills=8", "workers=3", "seed=1"], cwd=ROOT, capture_output=True,
        text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 kills over 3 workers: every record once, equal to that of an undisturbed run" in done.stdout


@pytest.mark.slow
def test_many_workers_lose_no_cell_and_make_no_record_twice():
    got = simulate(workers=20, cells=100, deaths=10, pauses=3, sleep=0.1, seed=1)
    assert (got["lost"], got["twice"], got["left"]) == (0, 0, [])
    assert got["killed"] > 0
    assert got["claims"] >= 100
