"""Whatever is killed goes on, and ends as if it had not been; a seeded part of `python -m tests.kills`."""

import subprocess
import sys

import pytest

from tests.configs import ROOT


@pytest.mark.slow
def test_what_was_killed_ends_with_the_same_figures_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "kills=12", "seed=1"], cwd=ROOT, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all ended with the same figures, and left nothing behind" in done.stdout
