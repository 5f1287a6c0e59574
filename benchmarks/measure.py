"""Shared by the benchmarks: the configuration, processes that measure when they are asked, and memory."""

import argparse
import logging
import multiprocessing
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from zoo import records

ROOT = Path(__file__).parent.parent
MODELS = sorted(file.stem for file in (ROOT / "conf/model").glob("*.yaml"))
# glibc gives memory back to the system and fetches it again, which makes eager steps up to three times slower, some of
# the time; everything that is compared is measured with these settings
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TOP_PAD_": str(2**26)}


def config(*overrides: str) -> dict:
    """Compose the configuration that `python run.py` would run."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return OmegaConf.to_container(compose("config", list(overrides)), resolve=True)


def options(
    parser: argparse.ArgumentParser, arguments: list[str], every_model: bool = True
) -> tuple[argparse.Namespace, Path]:
    """Parse the arguments of a benchmark, with the folder for its record and the page.

    Args:
        every_model: whether it measures them all, and can be told to measure some only.
    """
    parser.add_argument("--quick", action="store_true", help="little of everything, once: does it run?")
    if every_model:
        parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL", help="only these")
    parser.add_argument("--results", type=Path, help="folder for the record and the page (default: results)")
    given = parser.parse_args(arguments)
    if given.results is None and (given.quick or (every_model and given.models != MODELS)):
        parser.error("what is not measured whole does not go into results: say where with --results FOLDER")
    return given, given.results or ROOT / "results"


def finish(began: float) -> dict:
    """Write the end of a benchmark's record: its duration, the machine and the code."""
    environment = records.environment()
    del environment["peak_memory_mb"]  # of this process; what each thing that is measured holds is in its own figures
    seconds = round(time.monotonic() - began, 1)
    return {"wall_seconds": seconds, "environment": environment, **records.commit_of_code(Path("results"))}


class Stopwatch:
    """A clock that adds up the seconds that functions take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable) -> Callable:
        def timed(*args: object, **options: object) -> object:  # whatever the function takes
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def times_in(seconds: float, action: Callable[[], object], most: int = 1000) -> int:
    """Count how often `action` fits into a measurement, at least once; this also warms it up."""
    taken = seconds_of(action)
    if taken < 1:
        taken = seconds_of(action)
    return max(1, min(most, round(seconds / taken)))


def evenly(things: Sequence, count: int) -> list:
    """Choose `count` of the things, spread over all of them."""
    return [things[int((i + 0.5) * len(things) / count)] for i in range(count)]


def peak_memory() -> int:
    """Read the peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Measurer:
    """A process for one measured thing: its peak memory is that of this thing, and it measures only when it is asked.

    Args:
        prepare: runs in the process, and returns the functions that can be asked for, by name.
        given: to `prepare`.
    """

    def __init__(self, prepare: Callable[..., dict[str, Callable]], *given: object) -> None:
        os.environ.update(ALLOCATOR)
        # a server that has imported everything forks the processes: they start at once, and hold little of their own
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.sides"])
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_measure, args=(other, prepare, given), daemon=True)
        self.process.start()
        other.close()
        self._receive()

    def ask(self, name: str, threads: int = 1) -> object:
        self.pipe.send((name, threads))
        return self._receive()

    def _receive(self) -> object:
        try:
            failed, got = self.pipe.recv()
        except EOFError:
            raise MemoryError("a measuring process was killed, perhaps for want of memory") from None
        if failed:
            raise RuntimeError(f"a measuring process failed:\n{got}")
        return got

    def close(self) -> int:
        """End the process, and return the peak of bytes beyond those that it began with."""
        self.pipe.send(None)
        held = self._receive()
        self.process.join()
        return held


def _measure(pipe: object, prepare: Callable[..., dict[str, Callable]], given: tuple) -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    began = peak_memory()
    try:
        torch.set_num_threads(1)
        functions = prepare(*given)
        pipe.send((False, None))
        while (asked := pipe.recv()) is not None:
            name, threads = asked
            torch.set_num_threads(threads)
            pipe.send((False, functions[name]()))
        pipe.send((False, peak_memory() - began))
    except Exception:
        pipe.send((True, traceback.format_exc()))
