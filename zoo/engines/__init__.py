"""Engines: where the cells of a list are made. One file each, and a yaml in conf/engine/.

An engine places cells; it is trusted with no state. What is done lies in the results folder, so every engine may be
stopped and started again, and several may drain one list.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from zoo.runs import cells
from zoo.runs.listed import Listed, State, rest_of, state_of
from zoo.runs.timing import paces

POLL = 2.0  # seconds between two looks at the results folder


class Engine(Protocol):
    """A place for the cells of a list."""

    def drain(self, runs: Sequence[Listed], news: Callable[[str], None]) -> list[str]:
        """Make every run of a list that has no record.

        Args:
            runs: the list.
            news: is called with the name of every run that has got its record meanwhile, whoever made it.

        Returns:
            The names of the runs that failed.
        """
        ...


def watch(
    runs: Sequence[Listed],
    news: Callable[[str], None],
    tend: Callable[[dict[str, State]], None],
    poll: float = POLL,
) -> list[str]:
    """Wait until every run of a list has its record or has failed, and make records that nobody makes.

    Args:
        runs: the list.
        news: is told of records.
        tend: is called with the states of the runs that are left, at every look; it places cells.
        poll: seconds between two looks.

    Returns:
        The names of the runs that failed.
    """
    left = {run.name: run for run in runs}
    recorded = {run.name for run in runs if run.plan.recorded()}
    maker = cells.Maker.new()
    while True:
        states = {name: state_of(run.plan) for name, run in left.items()}
        for name, state in states.items():
            if state.record is None and state.done == state.cells and not state.running:
                cells.finish(left[name].plan, cells.work_of(left[name].plan), maker, time.monotonic())
                states[name] = state_of(left[name].plan)
        for name, state in states.items():
            if state.record is not None:
                cells.tidy(left.pop(name).plan)
                if name not in recorded:
                    news(name)
                    rest = rest_of([*left.values()], paces(runs[0].results))
                    print(f"done: {name}{f'   ({rest})' if rest else ''}", flush=True)
        states = {name: state for name, state in states.items() if name in left}
        ended = [name for name, state in states.items() if state.failed and not state.running and not state.free]
        if len(ended) == len(left):
            return ended
        tend(states)
        time.sleep(poll)


def folder_of(runs: Sequence[Listed], engine: str) -> Path:
    """Name a folder for what an engine keeps of a list: the same for the same runs."""
    identities = " ".join(sorted(run.plan.identity for run in runs))
    return (
        runs[0].results.absolute() / "unfinished" / f"{engine}-{hashlib.sha256(identities.encode()).hexdigest()[:10]}"
    )


def enter(folder: str) -> None:
    """Go to the working folder of the command, where relative paths lead somewhere and your own models lie."""
    os.chdir(folder)
    if folder not in sys.path:
        sys.path.append(folder)
