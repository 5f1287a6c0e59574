"""The runs of a list, cell by cell: made by an engine's workers, looked at by everybody.

`make` may be called anywhere, any number of times. Where a run stands is read from the results folder alone.
"""

import contextlib
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from tasks import leases
from tasks.files import write_atomically
from zoo import records
from zoo.runs import cells
from zoo.runs.messages import message_of
from zoo.runs.plan import Plan, plan_of
from zoo.runs.timing import Pace, finished, seconds_of, workers_for
from zoo.training import FIGURES

FAILED = "failed"  # in the folder of a cell: why it cannot be made


class Listed(NamedTuple):
    """A run of a list."""

    name: str
    arguments: list[str]
    plan: Plan

    @property
    def results(self) -> Path:
        return Path(self.plan.config["results_dir"])


class Cell(NamedTuple):
    """A pack of trainings of a run; small enough to be sent to another machine."""

    arguments: tuple[str, ...]  # of the run
    names: tuple[str, ...]  # of the trainings
    results: str
    title: str  # of the run
    identity: str

    @property
    def home(self) -> Path:
        return Path(self.results) / "unfinished" / f"{self.title}-{self.identity}"


class State(NamedTuple):
    """State of a run."""

    record: Path | None
    cells: int
    done: int
    left: float  # share of its work in cells that are not done
    running: dict[str, leases.Holder]
    failed: dict[str, str]  # why, by cell

    @property
    def free(self) -> bool:
        """Tell whether there is something that nobody does."""
        waits = self.cells - self.done - len(self.failed) - len(self.running.keys() - {"record"})
        return self.record is None and (waits > 0 or (self.done == self.cells and "record" not in self.running))


def cells_of(run: Listed) -> list[Cell]:
    """List the cells of a run."""
    plan = run.plan
    of_run = plan.config["results_dir"], plan.title, plan.identity
    return [Cell(tuple(run.arguments), tuple(names), *of_run) for names in plan.packs]


def state_of(plan: Plan) -> State:
    """Look where a run stands; this loads no figures."""
    made = plan.recorded()
    if made:
        return State(made[-1], len(plan.packs), len(plan.packs), 0.0, {}, {})
    work, home = cells.work_of(plan), cells.home_of(plan)
    if not work.exists():  # perhaps other code has begun it
        work = next(iter(sorted(home.glob("0-*"))), work)
    weights = {"+".join(names): sum(plan.weights[name] for name in names) for names in plan.packs}
    done = [name for name in weights if (work / name / FIGURES).exists()]
    failed = {name: (work / name / FAILED).read_text() for name in weights if (work / name / FAILED).exists()}
    running = {name: holder for name, holder in cells.holders(work).items() if name not in done}
    left = sum(weight for name, weight in weights.items() if name not in done) / max(1e-9, sum(weights.values()))
    return State(None, len(plan.packs), len(done), left, running, {k: v for k, v in failed.items() if k not in running})


def rest_of(runs: Sequence[Listed], pace: Pace) -> str:
    """Say how much is left, and when it will be finished with as many processes as now; empty if nothing is left."""
    rest, makers = [], 0
    for run in runs:
        state = state_of(run.plan)
        if state.record is None:
            work = seconds_of(run.plan, pace)
            makers += len(state.running)
            rest.append((None if work is None else work * state.left, max(workers_for(run.plan), len(state.running))))
    if not rest or not makers:
        return ""
    return f"{finished(rest, makers)}, with {makers} process{'es' if makers > 1 else ''} as now"


def give_up(plan: Plan, cell: Cell, why: str) -> None:
    """Write down that a cell has failed."""
    if not plan.recorded():
        file = cells.folder_of(cells.work_of(plan), list(cell.names)) / FAILED
        write_atomically(file, lambda stream: stream.write(why.encode()))


def forgive(runs: Sequence[Listed]) -> None:
    """Forget why cells have failed, so that they are tried again."""
    for run in runs:
        for file in cells.home_of(run.plan).glob(f"*/*/{FAILED}"):
            file.unlink(missing_ok=True)


def look(cell: Cell) -> str:
    """Tell whether a cell is free, held or done; one that has failed is done. Quick, and without its plan."""
    try:
        works = [work for work in cell.home.iterdir() if work.name.startswith("0-")]
    except FileNotFoundError:  # not begun, or recorded
        recorded = records.find_identity(Path(cell.results), cell.title, cell.identity)
        return "done" if recorded else "free"
    for work in works:
        folder = cells.folder_of(work, list(cell.names))
        if (folder / FIGURES).exists() or (folder / FAILED).exists():
            return "done"
        if (holder := leases.holder(folder)) is not None and holder.live:
            return "held"
    return "free"


@cache
def _maker() -> cells.Maker:
    """Name this process, however many cells it makes."""
    return cells.Maker.new()


@lru_cache(maxsize=4)
def _plan(arguments: tuple[str, ...]) -> Plan:
    return plan_of(list(arguments))


def make(cell: Cell, stop: threading.Event | None = None) -> bool:
    """Make a cell, and the record if it was the last one.

    A failure is written down, and is no exception: other cells go on, and no other worker tries again.

    Args:
        cell: what to make.
        stop: set to ask it to stop; then `Stopped` is raised, behind a checkpoint.

    Returns:
        Whether the cell is done; else another process makes it, or it has failed.
    """
    began, maker = time.monotonic(), _maker()
    plan = _plan(cell.arguments)
    if plan.recorded():
        cells.tidy(plan)
        return True
    torch.set_num_threads(plan.config["trainer"]["threads"])
    try:
        work, _ = cells.begin(plan)
        if cells.train_cell(plan.config, list(cell.names), work, lambda name, state: None, maker, stop) is None:
            return bool(plan.recorded())
        cells.finish(plan, work, maker, began)
        return True
    except leases.Stopped:
        raise
    except Exception as error:
        message = message_of(error, list(cell.arguments)) or "".join(traceback.format_exception(error))
        print(f"{plan.title}, {'+'.join(cell.names)}: {message}", file=sys.stderr, flush=True)
        give_up(plan, cell, message)
        return False


def drain(all_cells: Sequence[Cell], stop: threading.Event, first: int = 0) -> None:
    """Make cells until nobody has left any, or until asked to stop.

    Args:
        all_cells: of a list.
        stop: set to ask it to stop.
        first: where to begin, so that many workers do not all look at the same cells.
    """
    waiting = deque([*all_cells[first:], *all_cells[:first]])
    held = 0  # in a row
    recorded: set[Path] = set()  # runs that have their records; finding one costs a look at all records
    with contextlib.suppress(leases.Stopped):
        while waiting and held < len(waiting) and not stop.is_set():
            cell = waiting.popleft()
            if cell.home in recorded:
                continue
            state = look(cell)
            if state == "done":
                if not cell.home.exists():
                    recorded.add(cell.home)
                continue
            if state == "free" and make(cell, stop):
                held = 0
                continue
            waiting.append(cell)
            held += 1
