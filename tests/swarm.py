"""python -m tests.swarm [kills=200] [workers=8] [seed=0]

Let several workers drain a small list in one folder, kill them and pause them at random moments, put new ones in their
place, and hold every record against that of an undisturbed run. Half of the workers seem to be of other machines, whose
death shows by silence alone. Prints what was done; exits 1 if a record is missing, made twice, or another one.

Each worker is a fork of this process, so that nothing is loaded anew.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import torch

from benchmarks.mortal import Harm, outlive
from tasks import leases
from tests.cluster.lists import RUNS, SmallList
from zoo.engines import watch
from zoo.runs.listed import Listed, cells_of, drain
from zoo.runs.plan import plan_of

LEASE = 1.0  # seconds
OF_A_LIST = 25  # kills, before the list is begun anew in another folder


def forked(runs: list[Listed], home: Path, number: int) -> int:
    """Start a worker; return its process."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        said = os.open(home / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        if number % 2:
            leases.machine = lambda: f"machine {number}"  # type: ignore[assignment]
        cells = [cell for run in runs for cell in cells_of(run)]
        stop = threading.Event()
        watch(runs, lambda name: None, lambda states: drain(cells, stop, number % len(cells)), poll=0.05)
        status = 0
    except BaseException as error:
        print(repr(error), flush=True)
    finally:
        os._exit(status)


def disturbed(small: SmallList, folder: Path, workers: int, kills: int, rng: random.Random) -> tuple[int, int]:
    """Drain the list once; return how many workers were killed, and how many paused."""
    small.results = folder / "results"
    more = [f"results_dir={small.results}", "trainer.checkpoint_seconds=0", f"trainer.lease_seconds={LEASE}"]
    runs = [Listed(line, words := [*line.split(), *small.world, *more], plan_of(words)) for line in RUNS]
    folder.mkdir()
    harm = Harm(kills, kills // 5, every=0.2, pause=1.5 * LEASE)
    try:
        killed, paused = outlive(partial(forked, runs, folder), workers, harm, rng)
    except AssertionError as error:
        raise AssertionError((folder / "said").read_text()[-3000:]) from error
    small.check()
    return killed, paused


def main(kills: int = 200, workers: int = 8, seed: int = 0) -> int:
    torch.set_num_threads(1)
    rng, all_killed, all_paused, began = random.Random(seed), 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        small = SmallList(Path(folder) / "list")
        lists = 0
        while all_killed < kills:
            here = Path(folder) / str(lists)
            killed, paused = disturbed(small, here, workers, min(OF_A_LIST, kills - all_killed), rng)
            lists, all_killed, all_paused = lists + 1, all_killed + killed, all_paused + paused
            shutil.rmtree(here)
            print(
                f"{all_killed} killed, {all_paused} paused, {lists} lists, {time.monotonic() - began:.0f} s", flush=True
            )
            assert killed, "the list was drained before anybody was killed"
    print(f"{all_killed} kills over {workers} workers: every record once, equal to that of an undisturbed run")
    return 0


if __name__ == "__main__":
    sys.exit(main(**{name: int(value) for name, _, value in (word.partition("=") for word in sys.argv[1:])}))
