"""Runs as processes of this machine: as many at once as there are cores, each with processes for its trainings."""

import multiprocessing
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple, cast

from zoo import records
from zoo.clock import clock
from zoo.engines import POLL
from zoo.runs import cells
from zoo.runs.listed import Listed, state_of
from zoo.runs.messages import ends_with_message
from zoo.runs.plan import plan_of
from zoo.runs.progress import Labelled
from zoo.runs.run import run
from zoo.runs.timing import left, paces, workers_for
from zoo.runs.workers import end_with_parent, processes

ELSEWHERE = 75  # exit code of a run whose rest another process is making


class Running(NamedTuple):
    """A run that is being made."""

    run: Listed
    process: BaseProcess
    workers: int
    began: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Local:
    """Processes of this machine."""

    def drain(self, runs: Sequence[Listed], news: Callable[[str], None]) -> list[str]:
        """Make the runs that have no record, in the order of the list; see `Engine`."""
        on_gpu = any(run.plan.config["trainer"]["accelerator"] == "gpu" for run in runs)
        cores = 1 if on_gpu else records.cores()  # of GPUs there is one
        numbers = {run.name: f"{number}/{len(runs)}" for number, run in enumerate(runs, start=1)}
        waiting = deque(run for run in runs if not run.plan.recorded())
        elsewhere: list[Listed] = []  # others make what is left of them
        running: dict[int, Running] = {}
        failed: list[str] = []
        waited = False
        try:
            while True:
                while waiting and (free := cores - sum(one.workers for one in running.values())):
                    now = waiting.popleft()
                    if not state_of(now.plan).free:
                        elsewhere.append(now)
                        continue
                    plans = [(one.run.plan, one.workers, one.seconds) for one in running.values()]
                    to_do = [now.plan, *(one.plan for one in (*waiting, *elsewhere))]
                    rest = left(to_do, plans, paces(now.results), cores)
                    print(f"\n{numbers[now.name]} {now.name}   ({rest})", flush=True)
                    workers = min(workers_for(now.plan), free)  # fewer than it could use, rather than to wait for more
                    process = _started(now.arguments, workers, numbers[now.name] if workers < cores else "")
                    running[process.sentinel] = Running(now, process, workers, time.monotonic())
                if not running and not elsewhere:
                    return failed
                if not running and not waited:
                    names = "; ".join(numbers[one.name] for one in elsewhere)
                    print(f"\nother processes make what is left ({names}); waiting for them", flush=True)
                    waited = True
                for sentinel in connection.wait(list(running), timeout=POLL if elsewhere else None):
                    ended = running.pop(cast(int, sentinel))
                    ended.process.join()
                    if ended.process.exitcode == ELSEWHERE:
                        elsewhere.append(ended.run)
                        continue
                    if code := ended.process.exitcode:
                        failed.append(ended.run.name)
                        killed = f", killed by signal {-code}" if code < 0 else ""
                        said = f"failed after {clock(ended.seconds)}{killed}: {ended.run.name}"
                        print(said, file=sys.stderr, flush=True)
                    news(ended.run.name)
                for one in list(elsewhere):
                    state = state_of(one.plan)
                    if state.record is not None:
                        cells.tidy(one.plan)
                        news(one.name)
                    elif state.free:  # somebody has died, or given up
                        waiting.append(one)
                    elif state.failed and not state.running:
                        failed.append(one.name)
                    else:
                        continue
                    elsewhere.remove(one)
        finally:
            started = multiprocessing.active_children()
            for child in started:
                child.terminate()
            for child in started:
                child.join()


def _started(arguments: list[str], workers: int, name: str) -> BaseProcess:
    process = processes().Process(target=_make, args=(arguments, workers, name))
    process.start()
    return process


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
        except cells.BeingMade as error:
            print(f"left alone: {error}", file=sys.stderr)
            sys.exit(ELSEWHERE)
