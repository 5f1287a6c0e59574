"""Estimates of the time that runs take, from the pace of those that have records."""

from datetime import datetime, timedelta
from pathlib import Path

from tasks.errors import UserError
from zoo import records
from zoo.clock import clock
from zoo.runs.plan import Plan
from zoo.runs.workers import workers_of

Pace = dict[tuple, float]  # seconds for an example and process, by what runs have in common


def pace_keys(title: str, family: str, config: dict, model: str) -> list[tuple]:
    """Keys for looking up a run's pace (seconds per example), most specific first.

    Args:
        title: of its records: model, data and protocol.
        family: of its task.
        config: of the model.
        model: its name.
    """
    width = config.get("dim")
    return [(title, width), (title,), (family, model, width), (family, model)]


def paces(results_dir: Path) -> Pace:
    """Compute the pace of the newest record for every key."""
    found: Pace = {}
    for file in records.files(results_dir):
        try:
            record = records.read(file)
        except UserError:  # a damaged one says nothing of paces
            continue
        keys = pace_keys(record.title, record.family, record.settings["model"], record.model)
        found |= dict.fromkeys(keys, record.train_seconds / max(1, record.examples))
    return found


def seconds_of(plan: Plan, pace: Pace) -> float | None:
    """Estimate for how many seconds a run keeps a core busy; None if its model has no record on this family."""
    keys = pace_keys(plan.title, plan.data.family, plan.config["model"], plan.labels["model"])
    known = next((pace[key] for key in keys if key in pace), None)
    return known and known * plan.examples


def workers_for(plan: Plan) -> int:
    """Count the processes that a run keeps busy if it has the machine to itself."""
    return workers_of(plan.config, len(plan.packs))


def left(waiting: list[Plan], running: list[tuple[Plan, int, float]], pace: Pace, cores: int) -> str:
    """Describe the runs that are left, and when they will be finished.

    Args:
        waiting: runs that are not begun.
        running: runs that are, with their processes and the seconds since they began.
        pace: of runs that were made.
        cores: that work on them.
    """
    rest = [(seconds_of(plan, pace), workers_for(plan)) for plan in waiting]
    for plan, workers, seconds in running:
        work = seconds_of(plan, pace)
        rest.append((work and max(work - workers * seconds, 0.0), workers))
    return finished(rest, cores)


def finished(rest: list[tuple[float | None, int]], cores: int) -> str:
    """Say when runs will be finished.

    Args:
        rest: of each run the seconds for which it keeps a core busy, if they are known, and how many it can keep busy.
        cores: that work on them.
    """
    known = [(work, workers) for work, workers in rest if work is not None]
    # one that keeps few cores busy may take longer than all the work, shared out among the cores
    seconds = max([sum(work for work, _ in known) / cores, *(work / workers for work, workers in known)])
    unknown = len(rest) - len(known)
    until = datetime.now() + timedelta(seconds=seconds)
    about = f"about {clock(seconds)}, until {until:%a %H:%M}" if known else "no telling yet"
    more = f", and {unknown} of models that have no record yet" if unknown and known else ""
    return f"{len(rest)} left: {about}{more}"
