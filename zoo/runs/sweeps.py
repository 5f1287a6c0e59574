"""Runs of a sweep that Hydra's launchers make at the same time: each gets its share of the cores, and a name."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from zoo import records
from zoo.runs.progress import Labelled

SWEEP = "ZOO_SWEEP"  # the variable that tells the processes of a launcher about their sweep


def announce(arguments: list[str]) -> None:
    """Tell the processes that a launcher will start how many runs the sweep has, and which options differ."""
    os.environ.pop(SWEEP, None)
    if not {"-m", "--multirun"}.intersection(arguments):
        return
    runs, names = 1, []
    for argument in arguments:
        try:
            override = OverridesParser.create().parse_override(argument)
        except (HydraException, AttributeError):  # an option of Hydra, or a mistake, which Hydra will name
            continue
        if override.is_sweep_override():
            runs *= len(list(override.sweep_iterator()))
            names.append(override.key_or_group)
    os.environ[SWEEP] = json.dumps({"runs": runs, "names": names})


def at_once(job: Any) -> int:
    """Count the runs of a sweep that share this machine.

    Args:
        job: what Hydra says of it, a HydraConf.
    """
    launcher = job.launcher
    runs = json.loads(os.environ[SWEEP])["runs"] if job.mode is RunMode.MULTIRUN and SWEEP in os.environ else 1
    kind = launcher._target_.rpartition(".")[2]
    if kind == "JoblibLauncher":
        jobs = launcher.n_jobs or 1
        return max(1, min(runs, jobs if jobs > 0 else records.cores() + 1 + jobs))
    if kind == "LocalLauncher":  # of submitit, which starts all of them
        return max(1, runs)
    return 1


@contextlib.contextmanager
def share_of(config: DictConfig, job: Any) -> Iterator[None]:
    """Give a run of a sweep its share of the cores and, if others print at the same time, its name before each line.

    Args:
        config: of the run; `trainer.workers` is set if nobody has.
        job: what Hydra says of it, a HydraConf.
    """
    together = at_once(job)
    if config.trainer.workers is None:
        if job.launcher._target_.endswith(".SlurmLauncher"):
            config.trainer.workers = int(job.launcher.cpus_per_task or 1)
        elif together > 1:
            config.trainer.workers = max(1, records.cores() // together)
    if together == 1:
        yield
        return
    names = json.loads(os.environ[SWEEP])["names"]
    said = [word for word in job.overrides.task if word.lstrip("+").partition("=")[0] in names]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Labelled(stream, " ".join(said) or f"run {job.num}") for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
