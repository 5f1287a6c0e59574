"""python -m zoo.campaign conf/campaign/babi_1k.yaml [name=value ...]: makes every run of a list, then the leaderboard.

What follows the file is added to the arguments of every run. As many runs are made at once as there are cores for. A
run that has its record is not made again, and one that was interrupted goes on, so the same command carries on after
any interruption.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from datetime import datetime, timedelta
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from tasks.errors import UserError
from zoo import records
from zoo.command import planned
from zoo.leaderboard.__main__ import write
from zoo.leaderboard.dialog import SIMULATED
from zoo.mistakes import explained
from zoo.progress import Labelled, by_the_clock, clock
from zoo.runner import Plan, end_with_parent, run, workers_of


def read(file: Path) -> list[list[str]]:
    """The arguments of each run of a campaign."""
    if not file.is_file():
        known = ", ".join(str(path) for path in sorted(Path("conf/campaign").glob("*.yaml")))
        raise UserError(f"{file} is not a file; there are: {known}")
    try:
        runs = OmegaConf.to_container(OmegaConf.load(file))["runs"]
        arguments = [line.split() for line in runs]
    except (OmegaConfBaseException, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: expected a list `runs` of arguments of run.py, as in `- model=memn2n` ({error!r})"
        ) from None
    if not runs:
        raise UserError(f"{file} lists no run; expected arguments of run.py, as in `- model=memn2n`")
    if len(set(runs)) < len(runs):
        raise UserError(f"{file} lists a run twice: {next(line for line in runs if runs.count(line) > 1)}")
    return arguments


Paces = dict[tuple, float]  # seconds for an example and process, by what runs have in common


def in_common(name: str, family: str, config: dict, model: str) -> list[tuple]:
    """What has two runs take a like time for an example, the most telling first.

    Args:
        name: of the records, from model, tasks and protocol.
        config: of the model.
    """
    width = config.get("dim")
    return [(name, width), (name,), (family, model, width), (family, model)]


def paces(results_dir: Path) -> Paces:
    """Of every kind of run the pace of the newest record."""
    found: Paces = {}
    for file in records.oldest_first(results_dir):
        record = records.read(file)
        examples = sum(training["examples"] for training in record["trainings"].values())
        name, family = file.stem.rsplit("-", 2)[0], record.get("family", "babi")
        kinds = in_common(name, family, record["settings"]["model"], record["model"])
        found |= dict.fromkeys(kinds, record["train_seconds"] / examples)
    return found


def work_of(plan: Plan, pace: Paces) -> float | None:
    """For how many seconds a run keeps a core busy, if its model has been run before on tasks of the family."""
    kinds = in_common(plan.name, plan.data.family, plan.config["model"], plan.labels["model"])
    known = next((pace[kind] for kind in kinds if kind in pace), None)
    return known and known * plan.examples


def workers_for(plan: Plan) -> int:
    """How many processes a run keeps busy that has the machine to itself."""
    return workers_of(plan.config, len(plan.packs))


class Run(NamedTuple):
    """A run that is being made."""

    name: str
    plan: Plan
    process: BaseProcess
    workers: int
    began: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def left(waiting: list[Plan], running: list[Run], pace: Paces, cores: int) -> str:
    """What is left, and when it will be finished."""
    rest = [(work_of(plan, pace), workers_for(plan)) for plan in waiting]
    for run_ in running:
        work = work_of(run_.plan, pace)
        rest.append((work and max(work - run_.workers * run_.seconds, 0.0), run_.workers))
    known = [(work, workers) for work, workers in rest if work is not None]
    # one that keeps few cores busy may take longer than all the work, shared out among the cores
    seconds = max([sum(work for work, _ in known) / cores, *(work / workers for work, workers in known)])
    unknown = len(rest) - len(known)
    finished = datetime.now() + timedelta(seconds=seconds)
    about = f"about {clock(seconds)}, until {finished:%a %H:%M}" if known else "no telling yet"
    more = f", and {unknown} of models that have no record yet" if unknown and known else ""
    return f"{len(rest)} left: {about}{more}"


def figure_of(record: dict) -> str:
    """The mean over the tasks, in the measure of its leaderboard; of sequences, of many tests, what validation says."""
    if "validation" in record:
        validation = record["validation"]
        return f"{validation['bits'][validation['selected']]:.2f} bits on validation"
    tasks = record["tasks"]
    if record.get("family") == "dialog":
        tasks = {task: got for task, got in tasks.items() if int(task) in SIMULATED} or tasks
    error = fmean(got["test_errors"][got["selected"]] for got in tasks.values())
    right = {"dialog": "right replies", "wikimovies": "hits@1"}.get(record.get("family"))
    return f"{100 - error:.2f} % {right}" if right else f"{error:.2f} % test error"


def show(runs: dict[str, tuple[list[str], Plan]], pace: Paces) -> None:
    table = Table()
    table.add_column("run", overflow="fold")
    table.add_column("state")
    table.add_column("figure", justify="right")
    table.add_column("time", justify="right")
    for name, (_, plan) in runs.items():
        short = name.removeprefix("experiment=")
        if done := plan.recorded():
            record = records.read(done[-1])
            table.add_row(short, "done", figure_of(record), by_the_clock(record))
        else:
            work = work_of(plan, pace)
            table.add_row(short, "to do", "", "?" if work is None else f"about {clock(work / workers_for(plan))}")
    Console().print(table)


def _make(arguments: list[str], workers: int, name: str) -> None:
    """Makes a run, in a process of its own.

    Args:
        arguments: of run.py.
        workers: processes that it may keep busy.
        name: stands before each of its lines; empty: it has the screen to itself.
    """
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to clean up before it ends
    if name:
        sys.stdout, sys.stderr = Labelled(sys.stdout, name), Labelled(sys.stderr, name)
    with explained(arguments):
        plan = planned(arguments)
        run(plan._replace(config=plan.config | {"trainer": plan.config["trainer"] | {"workers": workers}}))


def make(runs: dict[str, tuple[list[str], Plan]], results: Path, pace: Paces) -> list[str]:
    """Makes the runs that have no record, as many at once as there are cores for, and names those that failed."""
    on_gpu = any(plan.config["trainer"]["accelerator"] == "gpu" for _, plan in runs.values())
    cores = 1 if on_gpu else records.cores()  # of GPUs there is one
    context = multiprocessing.get_context("spawn")
    waiting = deque(name for name, (_, plan) in runs.items() if not plan.recorded())
    running: dict[int, Run] = {}
    failed = []
    try:
        while True:
            while waiting and (free := cores - sum(run_.workers for run_ in running.values())):
                arguments, plan = runs[name := waiting.popleft()]
                number = f"{len(runs) - len(waiting)}/{len(runs)}"
                to_do = [plan, *(runs[later][1] for later in waiting)]
                rest = left(to_do, list(running.values()), pace, cores)
                print(f"\n{number} {name}   ({rest})", flush=True)
                workers = min(workers_for(plan), free)  # fewer than it could use, rather than to wait for more
                process = context.Process(target=_make, args=(arguments, workers, number if workers < cores else ""))
                process.start()
                running[process.sentinel] = Run(name, plan, process, workers, time.monotonic())
            if not running:
                return failed
            for sentinel in connection.wait(list(running)):
                ended = running.pop(sentinel)
                ended.process.join()
                if code := ended.process.exitcode:
                    failed.append(ended.name)
                    killed = f", killed by signal {-code}" if code < 0 else ""
                    print(f"failed after {clock(ended.seconds)}{killed}: {ended.name}", file=sys.stderr, flush=True)
            try:
                write(results)
                pace = paces(results)
            except (UserError, OSError) as error:  # a damaged record, a full disk: no reason to end what is being made
                print(f"the leaderboard was not written: {error}", file=sys.stderr, flush=True)
    finally:
        started = multiprocessing.active_children()
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m zoo.campaign", description=__doc__.partition(":")[2].strip())
    parser.add_argument("file", type=Path, help="a list of runs, conf/campaign/babi_1k.yaml for example")
    parser.add_argument("overrides", nargs="*", metavar="name=value", help="added to every run, as in restarts=3")
    parser.add_argument("--show", action="store_true", help="only show what is done and what is to do")
    given = parser.parse_intermixed_args(arguments)  # --show may stand before what is added
    runs: dict[str, tuple[list[str], Plan]] = {}
    for listed in read(given.file):  # all of them now: a mistake in the last shows at once, and not tomorrow
        arguments = [*listed, *given.overrides]
        try:
            with explained(arguments):
                runs[" ".join(listed)] = arguments, planned(arguments)
        except SystemExit as stop:
            raise UserError(f"{given.file}, {' '.join(listed)}: {stop}") from None
    first = next(iter(runs.values()))[1].config
    if first["rerun"]:
        raise UserError("rerun=true: a campaign makes what has no record; python run.py makes a single run again")
    results = Path(first["results_dir"])
    pace = paces(results)
    show(runs, pace)
    if given.show:
        return
    failed = make(runs, results, pace)
    print()
    show(runs, paces(results))
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs failed ({'; '.join(failed)}); the same command tries again")


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with explained(sys.argv[1:]):
        main(sys.argv[1:])
