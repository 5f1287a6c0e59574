"""Trainings in worker processes."""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

import torch

from tasks import tensors
from tasks.errors import UserError
from zoo import records
from zoo.kinds import Kind
from zoo.runs.cells import Maker, folder_of, train_cell
from zoo.runs.progress import Progress
from zoo.training import FIGURES

# what a process imports before it can train, which takes seconds
LOADED = ["zoo.runs.run", "zoo.training.train", "pytorch_lightning.loggers"]


def processes() -> ForkServerContext | SpawnContext:
    """Choose how processes begin: on Linux as copies of one that has loaded the libraries, else anew."""
    forks = sys.platform == "linux"
    context = multiprocessing.get_context("forkserver") if forks else multiprocessing.get_context("spawn")
    context.set_forkserver_preload(LOADED)
    return context


def workers_of(config: dict, number: int) -> int:
    """Count the processes that so many packs keep busy."""
    return min(config["trainer"]["workers"] or records.cores(), number)


def train_all(config: dict, kind: Kind, packs: list[list[str]], work: Path, progress: Progress, maker: Maker) -> None:
    """Train every pack that nobody else is training.

    Args:
        config: the resolved configuration.
        kind: of the data.
        packs: the names of the trainings in each pack.
        work: holds a folder for each pack.
        progress: is told.
        maker: this command, with its processes.
    """
    threads = config["trainer"]["threads"]
    done: set[str] = set()

    def finish(got: dict[str, dict]) -> None:
        done.update(got)
        for name, of_training in got.items():
            curves = {curve: rows.tolist() for curve, rows in of_training["curves"].items()}
            progress.finish(name, kind.selected_figure(of_training), curves)

    torch.set_num_threads(threads)
    if maker.workers == 1:
        for names in packs:
            finish(train_cell(config, names, work, progress.report, maker) or {})
        return

    context = processes()
    reports = context.Queue()
    pool = ProcessPoolExecutor(maker.workers, context, _begin_worker, (reports, threads))
    try:
        futures = {pool.submit(_train_in_worker, config, names, work, maker): names for names in packs}
        waiting: set[Future] = set(futures)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            with contextlib.suppress(queue.Empty):
                while True:
                    name, state = reports.get_nowait()
                    if name not in done:
                        progress.report(name, state)
            for future in finished:
                if future.result():
                    # gone if another process has made the record meanwhile
                    with contextlib.suppress(FileNotFoundError):
                        finish(tensors.load(folder_of(work, futures[future]) / FIGURES))
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, perhaps for want of memory; the same command goes on from its last "
            "checkpoint, with fewer processes if you add trainer.workers=1"
        ) from None
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_reports: "multiprocessing.Queue | None" = None  # in a worker: the queue to the progress display


def _begin_worker(reports: multiprocessing.Queue, threads: int) -> None:
    global _reports
    _reports = reports
    torch.set_num_threads(threads)
    end_with_parent()
    # as without a handler, in whose place Lightning would put one that waits for the end of its batch
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))


def end_with_parent() -> None:
    """Leave interrupts to the process that started this one, and end when that process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def die_with_parent() -> None:
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=die_with_parent, daemon=True).start()


def _train_in_worker(config: dict, names: list[str], work: Path, maker: Maker) -> bool:
    """Tell whether the pack is trained; another process may be training it."""
    reports = _reports
    assert reports is not None
    return train_cell(config, names, work, lambda name, state: reports.put((name, state)), maker) is not None
