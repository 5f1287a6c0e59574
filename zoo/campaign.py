"""python -m zoo.campaign conf/campaign/babi_1k.yaml [name=value ...]: makes every run of a list, then the leaderboard.

What follows the file is added to the arguments of every run. A run that has its record is not made again, and one that
was interrupted goes on, so the same command carries on after any interruption.
"""

import argparse
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table

from tasks.errors import UserError
from zoo import records
from zoo.command import planned
from zoo.leaderboard.__main__ import write
from zoo.mistakes import explained
from zoo.progress import by_the_clock, clock
from zoo.runner import Plan, run, workers_of


def read(file: Path) -> list[list[str]]:
    """The arguments of each run of a campaign."""
    if not file.is_file():
        known = ", ".join(str(path) for path in sorted(Path("conf/campaign").glob("*.yaml")))
        raise UserError(f"{file} is not a file; there are: {known}")
    try:
        runs = OmegaConf.to_container(OmegaConf.load(file))["runs"]
        arguments = [line.split() for line in runs]
    except (OmegaConfBaseException, KeyError, TypeError, AttributeError) as error:
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


def seconds_of(plan: Plan, pace: Paces) -> float | None:
    """How long a run takes, if its model has been run before on tasks of the family."""
    kinds = in_common(plan.name, plan.data.family, plan.config["model"], plan.labels["model"])
    known = next((pace[kind] for kind in kinds if kind in pace), None)
    return known and known * plan.examples / workers_of(plan.config, len(plan.programs))


def left(plans: list[Plan], pace: Paces) -> str:
    """What is left, and when it will be finished."""
    taken = [seconds_of(plan, pace) for plan in plans]
    known = sum(seconds for seconds in taken if seconds is not None)
    unknown = taken.count(None)
    finished = datetime.now() + timedelta(seconds=known)
    about = f"about {clock(known)}, until {finished:%a %H:%M}" if known else "no telling yet"
    more = f", and {unknown} of models that have no record yet" if unknown and known else ""
    return f"{len(plans)} left: {about}{more}"


def figure_of(record: dict) -> str:
    """The mean test error over the tasks, or what validation says of a task that has test sets of many lengths."""
    if "tasks" in record:
        return f"{fmean(got['test_errors'][got['selected']] for got in record['tasks'].values()):.2f} % test error"
    validation = record["validation"]
    return f"{validation['bits'][validation['selected']]:.2f} bits on validation"


def show(plans: list[tuple[str, Plan]], pace: Paces) -> None:
    table = Table()
    table.add_column("run", overflow="fold")
    table.add_column("state")
    table.add_column("figure", justify="right")
    table.add_column("time", justify="right")
    for name, plan in plans:
        short = name.removeprefix("experiment=")
        if done := plan.recorded():
            record = records.read(done[-1])
            table.add_row(short, "done", figure_of(record), by_the_clock(record))
        else:
            seconds = seconds_of(plan, pace)
            table.add_row(short, "to do", "", "?" if seconds is None else f"about {clock(seconds)}")
    Console().print(table)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m zoo.campaign", description=__doc__.partition(":")[2].strip())
    parser.add_argument("file", type=Path, help="a list of runs, conf/campaign/babi_1k.yaml for example")
    parser.add_argument("overrides", nargs="*", metavar="name=value", help="added to every run, as in restarts=3")
    parser.add_argument("--show", action="store_true", help="only show what is done and what is to do")
    given = parser.parse_intermixed_args(arguments)  # --show may stand before what is added
    plans: list[tuple[str, Plan]] = []
    for arguments in read(given.file):  # all of them now: a mistake in the last shows at once, and not tomorrow
        with explained([*arguments, *given.overrides]):
            plans.append((" ".join(arguments), planned([*arguments, *given.overrides])))
    results = Path(plans[0][1].config["results_dir"])
    show(plans, paces(results))
    if given.show:
        return
    failed = []
    for number, (name, plan) in enumerate(plans, start=1):
        if plan.recorded():
            continue
        to_do = [plan for _, plan in plans[number - 1 :] if not plan.recorded()]
        print(f"\n{number}/{len(plans)} {name}   ({left(to_do, paces(results))})", flush=True)
        began = time.monotonic()
        try:
            run(plan)
        except UserError as error:
            failed.append(name)
            print(f"failed after {clock(time.monotonic() - began)}: {error}", file=sys.stderr, flush=True)
        write(results)
    print()
    show(plans, paces(results))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(plans)} runs failed ({'; '.join(failed)}); the same command tries again"
        )


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with explained(sys.argv[1:]):
        main(sys.argv[1:])
