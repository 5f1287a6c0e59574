"""zoo campaign conf/campaign/babi_1k.yaml [name=value …] [--show]

Make every run of a list, then the leaderboard. Further name=value are added to the arguments of every run, restarts=3
for example. As many runs are made at once as there are cores. A run that has its record is not made again, and one
that was interrupted goes on, so the same command carries on after any interruption. With --show nothing is made.
"""

import multiprocessing
import signal
import sys
import time
from collections import deque
from datetime import datetime, timedelta
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from tasks.errors import UserError
from zoo import records
from zoo.clock import by_the_clock, clock
from zoo.commands import Given, Grammar
from zoo.families import family_of
from zoo.leaderboard.generate import write
from zoo.paths import conf_folders
from zoo.runs.messages import ends_with_message
from zoo.runs.plan import Plan, plan_of
from zoo.runs.progress import Labelled
from zoo.runs.run import BeingMade, run, tidy
from zoo.runs.workers import end_with_parent, workers_of

ELSEWHERE = 75  # exit code of a run that another process is making
GRAMMAR = Grammar(names=("list",), required=("list",), bare="list", flags=("show",), passes_on=True)


def campaigns() -> list[Path]:
    """Find the lists that there are."""
    return [file for folder in conf_folders() for file in sorted((folder / "campaign").glob("*.yaml"))]


def read(file: Path) -> list[list[str]]:
    """Read the arguments of each run of a campaign."""
    if not file.is_file():
        known = ", ".join(str(path) for path in campaigns())
        raise UserError(f"{file} is not a file; there are: {known}")
    try:
        runs = cast(dict, OmegaConf.to_container(OmegaConf.load(file)))["runs"]
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


def pace_keys(title: str, family: str, config: dict, model: str) -> list[tuple]:
    """Keys for looking up a run's pace (seconds per example), most specific first.

    Args:
        title: of its records: model, data and protocol.
        config: of the model.
    """
    width = config.get("dim")
    return [(title, width), (title,), (family, model, width), (family, model)]


def paces(results_dir: Path) -> Paces:
    """Compute the pace of the newest record for every key."""
    found: Paces = {}
    for file in records.files(results_dir):
        try:
            record = records.read(file)
        except UserError:  # a damaged one says nothing of paces
            continue
        keys = pace_keys(record.title, record.family, record.settings["model"], record.model)
        found |= dict.fromkeys(keys, record.train_seconds / max(1, record.examples))
    return found


def work_of(plan: Plan, pace: Paces) -> float | None:
    """Estimate for how many seconds a run keeps a core busy; None if its model has no record on this family."""
    keys = pace_keys(plan.title, plan.data.family, plan.config["model"], plan.labels["model"])
    known = next((pace[key] for key in keys if key in pace), None)
    return known and known * plan.examples


def workers_for(plan: Plan) -> int:
    """Count the processes that a run keeps busy if it has the machine to itself."""
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
    """Describe the runs that are left, and when they will be finished."""
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


def headline_of(record: records.Record) -> str:
    """Print the measure of a record's family, over the tasks that were run."""
    family = family_of(record.family)
    measure = family.measure
    return f"{family.figure_of(record):.2f} {measure.unit} {measure.name}".replace("bits bits", "bits")


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
            table.add_row(short, "done", headline_of(record), by_the_clock(record))
        else:
            work = work_of(plan, pace)
            table.add_row(short, "to do", "", "?" if work is None else f"about {clock(work / workers_for(plan))}")
    Console().print(table)


def _make(arguments: list[str], workers: int, name: str) -> None:
    """Make a run, in a process of its own.

    Args:
        arguments: of run.py.
        workers: processes that it may keep busy.
        name: stands before each of its lines; empty: it has the screen to itself.
    """
    end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to clean up before it ends
    if name:
        sys.stdout, sys.stderr = Labelled(sys.stdout, name), Labelled(sys.stderr, name)
    with ends_with_message(arguments):
        plan = plan_of(arguments)
        try:
            run(plan._replace(config=plan.config | {"trainer": plan.config["trainer"] | {"workers": workers}}))
        except BeingMade as error:
            print(f"left alone: {error}", file=sys.stderr)
            sys.exit(ELSEWHERE)


def make(runs: dict[str, tuple[list[str], Plan]], results: Path, pace: Paces) -> tuple[list[str], list[str]]:
    """Make the runs that have no record, as many at once as there are cores.

    Returns:
        The names of those that failed, and of those that another process is making.
    """
    on_gpu = any(plan.config["trainer"]["accelerator"] == "gpu" for _, plan in runs.values())
    cores = 1 if on_gpu else records.cores()  # of GPUs there is one
    context = multiprocessing.get_context("spawn")
    waiting = deque(name for name, (_, plan) in runs.items() if not plan.recorded())
    for name in runs.keys() - set(waiting):  # an earlier attempt may have been killed behind its last record
        tidy(runs[name][1])
    if not waiting:
        _write(results)
    running: dict[int, Run] = {}
    failed: list[str] = []
    elsewhere: list[str] = []
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
                return failed, elsewhere
            for sentinel in connection.wait(list(running)):
                ended = running.pop(cast(int, sentinel))
                ended.process.join()
                if ended.process.exitcode == ELSEWHERE:
                    elsewhere.append(ended.name)
                elif code := ended.process.exitcode:
                    failed.append(ended.name)
                    killed = f", killed by signal {-code}" if code < 0 else ""
                    print(f"failed after {clock(ended.seconds)}{killed}: {ended.name}", file=sys.stderr, flush=True)
            _write(results)
            pace = paces(results)
    finally:
        started = multiprocessing.active_children()
        for child in started:
            child.terminate()
        for child in started:
            child.join()


def _write(results: Path) -> None:
    """Make the leaderboard; a full disk is no reason to end what is being made."""
    try:
        write(results)
    except (UserError, OSError) as error:
        print(f"the leaderboard was not written: {error}", file=sys.stderr, flush=True)


def main(given: Given) -> None:
    file = Path(given["list"])
    runs: dict[str, tuple[list[str], Plan]] = {}
    for listed in read(file):  # all of them now: a mistake in the last shows at once, and not tomorrow
        arguments = [*listed, *given.passed_on]
        try:
            with ends_with_message(arguments):
                runs[" ".join(listed)] = arguments, plan_of(arguments)
        except SystemExit as stop:
            raise UserError(f"{file}, {' '.join(listed)}: {stop}") from None
    first = next(iter(runs.values()))[1].config
    if first["rerun"]:
        raise UserError("rerun=true: a campaign makes what has no record; python run.py makes a single run again")
    results = Path(first["results_dir"])
    pace = paces(results)
    show(runs, pace)
    if "show" in given.flags:
        return
    failed, elsewhere = make(runs, results, pace)
    print()
    show(runs, paces(results))
    if elsewhere:
        print(f"{len(elsewhere)} of {len(runs)} runs are being made by another process ({'; '.join(elsewhere)})")
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs failed ({'; '.join(failed)}); the same command tries again")
