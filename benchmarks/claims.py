"""python -m benchmarks.claims [--quick]: let many workers drain one list in one folder.

Their cells only sleep; claims, looks, leases and records are the product's own. First a thousand workers, of which some
are killed and some paused for longer than a lease lasts; half of them seem to be of other machines, whose deaths show
by silence alone. Then cells that take no time, for the cost of a claim by the number of cells and of workers. Writes
results/benchmarks/claims.json, and results/benchmarks.md; ends with 1 if a cell was lost or a record made twice.
"""

import argparse
import contextlib
import os
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import page
from benchmarks.measure import finish, options
from benchmarks.mortal import Harm, outlive
from tasks import leases
from tasks.files import replace
from zoo import records
from zoo.runs import cells, listed
from zoo.runs.listed import Cell
from zoo.training import FIGURES

PER_RUN = 20  # cells of a run
STALE = 3.0  # seconds
SWEEP = ((10, 100), (10, 1000), (10, 5000), (1, 1000), (100, 1000), (1000, 1000))  # workers and cells
QUICK = ((1, 100), (10, 100))


def a_list(results: Path, number: int) -> list[Cell]:
    """Make up a list of runs with so many cells together."""
    of_runs = (divmod(place, PER_RUN) for place in range(number))
    return [Cell((), (str(cell),), str(results), f"sleep-{run}", f"{run:010x}") for run, cell in of_runs]


def recorded(results: Path, title: str, identity: str) -> list[Path]:
    return list((results / "runs").glob(f"{title}-{identity}-*.json"))


def made_of(results: Path) -> Counter[str]:
    """Count the records of each run."""
    return Counter(file.name.rsplit("-", 1)[0] for file in (results / "runs").glob("*.json"))


class Worker:
    """A process that drains a list."""

    def __init__(self, everything: list[Cell], sleep: float, log: int) -> None:
        self.of_run: dict[Path, list[Cell]] = {}
        for cell in everything:
            self.of_run.setdefault(cell.home, []).append(cell)
        self.everything, self.sleep, self.log = everything, sleep, log

    def make(self, cell: Cell, stop: threading.Event | None = None) -> bool:
        """Sleep, in place of a training; else as `zoo.runs.listed.make`."""
        results, work = Path(cell.results), cell.home / "0-sleep"
        folder = cells.folder_of(work, list(cell.names))
        try:
            with leases.held(folder, STALE) as lease:
                if recorded(results, cell.title, cell.identity):
                    cells.remove(cell.home)
                    return True
                os.write(self.log, b"c")  # a claim
                if not (folder / FIGURES).exists():
                    time.sleep(self.sleep)
                    lease.check()
                    replace(folder / FIGURES, lambda stream: stream.write(b"done"))
            if all(cells.is_done(work, list(one.names)) for one in self.of_run[cell.home]):
                self.finish(cell, work)
        except (leases.Held, leases.Lost, records.AlreadyMade, FileNotFoundError):
            return False
        return True

    def finish(self, cell: Cell, work: Path) -> None:
        results = Path(cell.results)
        with leases.held(work / "record", STALE) as lease:

            def check() -> None:
                lease.check()
                if recorded(results, cell.title, cell.identity):
                    raise records.AlreadyMade

            check()
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            record = {"identity": cell.identity, "environment": {"finished": now}}
            stage = work / "record"
            records.store(results, cell.title, record, {"a": np.zeros(3)}, None, "", stage=stage, check=check)
            cells.remove(cell.home)

    def drain(self, first: int) -> None:
        """Make cells until all runs have their records; also those that nobody has made of finished cells."""
        listed.make = self.make
        records.find_identity = recorded
        while True:
            listed.drain(self.everything, threading.Event(), first)
            left = [home for home in self.of_run if home.exists()]
            for home in left:
                if all(cells.is_done(home / "0-sleep", list(cell.names)) for cell in self.of_run[home]):
                    with contextlib.suppress(leases.Held, leases.Lost, records.AlreadyMade, FileNotFoundError):
                        self.finish(self.of_run[home][0], home / "0-sleep")
            if not left and len(made_of(Path(self.everything[0].results))) == len(self.of_run):
                return
            time.sleep(STALE / 3)


def forked(everything: list[Cell], sleep: float, log: int, number: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        if number % 2:
            leases.machine = lambda: f"machine {number}"
        Worker(everything, sleep, log).drain(number * 7919 % len(everything))
        status = 0
    finally:
        os._exit(status)


def simulate(
    workers: int = 1000, cells: int = 4000, deaths: int = 200, pauses: int = 50, sleep: float = 0.2, seed: int = 0
) -> dict:
    """Drain a list, and count what became of it."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "claims", "wb") as log:
        results = Path(folder) / "results"
        everything = a_list(results, cells)
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        harm = Harm(deaths, pauses, cells * sleep / workers / max(1, deaths + pauses) + 0.01, STALE * 1.5)
        begin = partial(forked, everything, sleep, log.fileno())
        killed, paused = outlive(begin, workers, harm, random.Random(seed))
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        made = made_of(results)
        runs = {f"{cell.title}-{cell.identity}" for cell in everything}
        left = [
            file.name for file in results.rglob("*") if file.name.startswith(".") or "unfinished" in file.parent.name
        ]
        claims = (Path(folder) / "claims").stat().st_size
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        return {
            "workers": workers, "cells": cells, "killed": killed, "paused": paused, "claims": claims,
            "seconds": round(seconds, 1), "claims_a_second": round(claims / seconds),
            "cpu_ms_a_claim": round(1000 * cpu / max(1, claims), 2),
            "lost": len(runs - made.keys()), "twice": sum(count - 1 for count in made.values()), "left": left[:5],
        }  # fmt: skip


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    given, results = options(parser, arguments, every_model=False)
    began = time.monotonic()
    disturbed = simulate(20, 100, 10, 3, 0.1) if given.quick else simulate()
    print(disturbed, file=sys.stderr)
    sweep = []
    for workers, cells_ in QUICK if given.quick else SWEEP:
        sweep.append(simulate(workers, cells_, deaths=0, pauses=0, sleep=0.0))
        print(sweep[-1], file=sys.stderr)
    page.add(results, page.CLAIMS, {"schema": 1, "disturbed": disturbed, "claims": sweep} | finish(began))
    return 1 if disturbed["lost"] or disturbed["twice"] or disturbed["left"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
