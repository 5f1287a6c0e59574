"""zoo campaign babi_1k [engine=local|slurm|ray] [chunk=5] [name=value …] [--show]

Make every run of a list, then the leaderboard. A list is one of conf/campaign, or a yaml of your own. Further
name=value are added to the arguments of every run, restarts=3 for example. A run that has its record is not made
again, and one that was interrupted goes on, so the same command carries on after any interruption. Given on several
machines with one results_dir, it drains one list together.

With engine=local, the default, all cores are kept busy: a run takes one process per training, and while cores are free
the next run begins. engine=slurm submits jobs, and engine=ray places tasks; engine.jobs=20 is an option of theirs
(conf/engine/, docs/scaling.md).

With chunk=5 a run is made as runs of five restarts each, which are joined as zoo join does: for trainings that take
days with all of their restarts.

With --show nothing is made: it says what is done, running where since when, and left, and when it will be finished.
"""

import contextlib
import sys
import time
from pathlib import Path
from typing import cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from tasks import leases
from tasks.errors import UserError
from zoo import records
from zoo.clock import by_the_clock, clock, label
from zoo.commands import Given, Grammar
from zoo.commands.join import join
from zoo.engines.choose import engine_of
from zoo.families import family_of
from zoo.leaderboard.generate import write
from zoo.paths import conf_folders
from zoo.runs import cells
from zoo.runs.listed import Listed, State, forgive, rest_of, state_of
from zoo.runs.messages import ends_with_message
from zoo.runs.plan import plan_of
from zoo.runs.run import clean_up
from zoo.runs.timing import Pace, paces, seconds_of, workers_for

GRAMMAR = Grammar(names=("list", "chunk"), bare="list", flags=("show",), passes_on=True)


def campaigns() -> list[Path]:
    """Find the lists that there are."""
    return [file for folder in conf_folders() for file in sorted((folder / "campaign").glob("*.yaml"))]


def file_of(name: str | None) -> Path:
    """Find a list by its file, or by its name if it comes with the zoo or lies in conf/campaign."""
    known = {file.stem: file for file in campaigns()}
    there = f"there are: {', '.join(known)}"
    if name is None:
        raise UserError(f"zoo campaign wants a list, a file or a name; {there}")
    file = Path(name)
    if not file.is_file() and name not in known:
        raise UserError(f"{name} is no file, and no list that is known; {there}")
    return file if file.is_file() else known[name]


def read(file: Path) -> list[list[str]]:
    """Read the arguments of each run of a campaign."""
    try:
        runs = cast(dict, OmegaConf.to_container(OmegaConf.load(file)))["runs"]
        arguments = [line.split() for line in runs]
        if not isinstance(runs, list):
            raise TypeError(f"runs is {runs!r}")
    except (OmegaConfBaseException, yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file}: expected a list `runs` of arguments of run.py, as in `- model=memn2n` ({error!r})"
        ) from None
    if not runs:
        raise UserError(f"{file} lists no run; expected arguments of run.py, as in `- model=memn2n`")
    if len(set(runs)) < len(runs):
        raise UserError(f"{file} lists a run twice: {next(line for line in runs if runs.count(line) > 1)}")
    return arguments


def headline_of(record: records.Record) -> str:
    """Print the measure of a record's family, over the tasks that were run."""
    family = family_of(record.family)
    measure = family.measure
    return f"{family.figure_of(record):.2f} {measure.unit} {measure.name}".replace("bits bits", "bits")


def show(runs: list[Listed], pace: Pace) -> None:
    """Print where every run stands, who makes what, and when the rest will be finished."""
    states = {run.name: state_of(run.plan) for run in runs}
    table, now = Table(), Table("run", "training", "where", "since", "last heard")
    table.add_column("run", overflow="fold")
    table.add_column("state")
    table.add_column("figure", justify="right")
    table.add_column("time", justify="right")
    for run in runs:
        state, short = states[run.name], run.name.removeprefix("experiment=")
        if state.record is not None:
            record = records.read(state.record)
            table.add_row(short, "done", headline_of(record), by_the_clock(record))
            continue
        work = seconds_of(run.plan, pace)
        work = None if work is None else work * state.left
        table.add_row(short, _said(state), "", "?" if work is None else f"about {clock(work / workers_for(run.plan))}")
        for name, holder in state.running.items():
            since = f"{cells.moment(holder.since)}, {clock(max(0.0, time.time() - holder.since))}"
            now.add_row(short, label(name), holder.host, since, f"{clock(holder.silent)} ago")
    Console().print(table)
    if now.row_count:
        Console().print(now)
    if rest := rest_of(runs, pace):
        print(rest)
    for run in runs:
        for name, why in states[run.name].failed.items():
            print(f"failed: {run.name}, {label(name)}: {why.strip()}", file=sys.stderr)


def _said(state: State) -> str:
    said = []
    if state.done:
        said.append(f"{state.done} of {state.cells} trainings done")
    if state.running:
        said.append(f"{len(state.running)} running")
    if state.failed:
        said.append(f"{len(state.failed)} failed")
    return ", ".join(said) or "to do"


def _write(results: Path) -> None:
    """Make the leaderboard; a full disk is no reason to end what is being made."""
    try:
        write(results)
    except (UserError, OSError) as error:
        print(f"the leaderboard was not written: {error}", file=sys.stderr, flush=True)


def main(given: Given) -> None:
    file = file_of(given.get("list"))
    chosen = [word for word in given.passed_on if _is_of_engine(word)]
    engine = engine_of(chosen)  # a mistake in it shows before anything is read
    runs: list[Listed] = []
    for listed in read(file):  # all of them now: a mistake in the last shows at once, and not tomorrow
        arguments = [*listed, *(word for word in given.passed_on if word not in chosen)]
        try:
            with ends_with_message(arguments):
                runs.append(Listed(" ".join(listed), arguments, plan_of(arguments)))
        except SystemExit as stop:
            raise UserError(f"{file}, {' '.join(listed)}: {stop}") from None
    if (chunk := given.get("chunk")) is not None and (not chunk.isdecimal() or int(chunk) < 1):
        raise UserError(f"chunk={chunk}: expected a number of restarts, as in chunk=5")
    if any(run.plan.config["rerun"] for run in runs):
        raise UserError("rerun=true: a campaign makes what has no record; python run.py makes a single run again")
    folders = {run.plan.config["results_dir"] for run in runs}
    if len(folders) > 1:
        raise UserError(f"results_dir={', '.join(sorted(folders))}: expected one folder for all runs of a list")
    results = Path(folders.pop())
    for notice in dict.fromkeys(run.plan.data.notice for run in runs if run.plan.data.notice):
        print(notice, file=sys.stderr)
    show(runs, paces(results))
    if "show" in given.flags:
        return

    recorded = [(run, files) for run in runs if (files := run.plan.recorded())]
    for run, files in recorded:
        clean_up(run.plan, files)
    if len(recorded) == len(runs):
        _write(results)
    chunks = {run.name: _chunks(run, int(chunk)) for run in runs} if chunk else {}
    parts = [part for run in runs for part in chunks.get(run.name) or [run]]
    forgive(parts)
    failed = engine.drain(parts, lambda name: _write(results))
    for run in runs:
        if chunks.get(run.name):
            _join(run, chunks[run.name])
    if chunks:
        _write(results)
    print()
    show(runs, paces(results))
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs failed ({'; '.join(failed)}); the same command tries again")


def _chunks(run: Listed, size: int) -> list[Listed]:
    """Plan a run as several of fewer restarts each; empty if it has so few, or has its record."""
    restarts, seed = int(run.plan.config["restarts"]), int(run.plan.config["seed"])
    if restarts <= size or run.plan.recorded():
        return []
    kept = [word for word in run.arguments if word.lstrip("+").partition("=")[0] not in ("restarts", "seed")]
    parts = []
    for begin in range(0, restarts, size):
        number = min(size, restarts - begin)
        arguments = [*kept, f"restarts={number}", f"seed={seed + begin}"]
        name = f"{run.name} (seeds {seed + begin} to {seed + begin + number - 1})"
        parts.append(Listed(name, arguments, plan_of(arguments)))
    return parts


def _join(run: Listed, parts: list[Listed]) -> None:
    """Make the record of a run of the records of its chunks, if all are there and nobody else does it."""
    files = [recorded[-1] for part in parts if (recorded := part.plan.recorded())]
    if len(files) < len(parts) or run.plan.recorded():
        return
    home = cells.home_of(run.plan)
    with contextlib.suppress(leases.Held), leases.held(home):
        if not run.plan.recorded():
            join(files)
        cells.remove(home)


def _is_of_engine(argument: str) -> bool:
    return argument.lstrip("+").partition("=")[0].partition(".")[0] == "engine"
