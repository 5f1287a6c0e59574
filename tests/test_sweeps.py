"""Sweeps by Hydra's launchers: runs share the cores of a machine, and lines carry the names of their runs."""

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from tests.configs import ROOT
from tests.runs import environment
from tests.tiny_babi import write_release
from zoo import records
from zoo.runs import sweeps

LAUNCHERS = {"joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "hydra_plugins.hydra_submitit_launcher"}


def job(kind: str, **options: object) -> SimpleNamespace:
    """Stand in for Hydra's description of one run of a sweep."""
    launcher = SimpleNamespace(_target_=f"some.where.{kind}", **options)
    overrides = SimpleNamespace(task=["model=memn2n", "seed=3", "restarts=1"])
    return SimpleNamespace(launcher=launcher, mode=RunMode.MULTIRUN, num=0, overrides=overrides)


@pytest.fixture
def announced(monkeypatch):
    monkeypatch.setattr(records, "cores", lambda: 8)
    monkeypatch.setenv(sweeps.SWEEP, "")
    sweeps.announce(["-m", "model=memn2n,lstm", "task=babi", "seed=0,1,2", "task.ids=[1,2]", "hydra/launcher=joblib"])


@pytest.mark.parametrize(
    ("kind", "options", "workers"),
    [
        ("BasicLauncher", {}, None),
        ("JoblibLauncher", {"n_jobs": 4}, 2),
        ("JoblibLauncher", {"n_jobs": -1}, 1),  # six runs at once
        ("JoblibLauncher", {"n_jobs": -7}, 4),  # joblib's word for two
        ("JoblibLauncher", {"n_jobs": 1}, None),
        ("LocalLauncher", {}, 1),
        ("SlurmLauncher", {"cpus_per_task": 3}, 3),
        ("SlurmLauncher", {"cpus_per_task": None}, 1),
    ],
)
def test_runs_that_are_made_at_once_share_the_cores(announced, kind, options, workers):
    config = OmegaConf.create({"trainer": {"workers": None}})
    with sweeps.share_of(config, job(kind, **options)):
        assert config.trainer.workers == workers
    mine = OmegaConf.create({"trainer": {"workers": 5}})
    with sweeps.share_of(mine, job(kind, **options)):
        assert mine.trainer.workers == 5  # who has said how many gets as many


def test_lines_of_runs_that_print_at_the_same_time_begin_with_what_differs(announced, capsys):
    config = OmegaConf.create({"trainer": {"workers": None}})
    with sweeps.share_of(config, job("JoblibLauncher", n_jobs=2)):
        print("done")
    print("all")
    with sweeps.share_of(config, job("BasicLauncher")):
        print("alone")
    assert capsys.readouterr().out == "model=memn2n seed=3  done\nall\nalone\n"


def test_a_run_that_is_none_of_a_sweep_has_all_cores(monkeypatch):
    monkeypatch.setenv(sweeps.SWEEP, "left over")
    sweeps.announce(["model=memn2n"])
    assert sweeps.SWEEP not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_by_a_launcher_makes_what_can_be_made(tmp_path, launcher):
    if importlib.util.find_spec("hydra_plugins") is None or importlib.util.find_spec(LAUNCHERS[launcher]) is None:
        pytest.skip(f"hydra/launcher={launcher} is not installed: pip install 'memory-zoo[joblib,slurm]' brings it")
    world = [f"data_dir={write_release(tmp_path / 'data')}", f"results_dir={tmp_path / 'results'}", "logger=none"]
    small = ["task=babi", "restarts=1", "trainer.max_epochs=1", "trainer.kernels=false"]
    done = subprocess.run(
        [sys.executable, "run.py", "-m", f"hydra/launcher={launcher}", "model=memn2n", "task.size=1k,1", *small,
         *world],
        cwd=ROOT, env=environment(tmp_path / "results"), capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "not every run of the sweep was made" in said
    assert "Traceback" not in said
    (made,) = [records.read(file) for file in records.files(tmp_path / "results")]
    assert made.settings["task"]["size"] == "1k"
    if launcher == "joblib":  # the others write files of their own
        assert "task.size=1k  record:" in said
        assert "task.size=1  model=memn2n task.size=1 task=babi" in said
