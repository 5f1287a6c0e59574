"""Trainings in worker processes."""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from tasks import tensors
from tasks.errors import UserError
from zoo import records
from zoo.kinds import Kind
from zoo.runs.data import load_data
from zoo.runs.messages import is_out_of_memory
from zoo.runs.progress import Progress


def workers_of(config: dict, number: int) -> int:
    """Count the processes that so many packs keep busy."""
    return min(config["trainer"]["workers"] or records.cores(), number)


def train_all(config: dict, kind: Kind, packs: list[list[str]], work: Path, progress: Progress) -> dict[str, dict]:
    """Train every pack, and return the figures of all trainings by their names.

    Args:
        config: the resolved configuration.
        kind: of the data.
        packs: the names of the trainings in each pack.
        work: holds a folder for each pack.
        progress: is told.
    """
    workers = workers_of(config, len(packs))
    threads = config["trainer"]["threads"]
    figures: dict[str, dict] = {}

    def finish(got: dict[str, dict]) -> None:
        figures.update(got)
        for name, of_training in got.items():
            curves = {curve: rows.tolist() for curve, rows in of_training["curves"].items()}
            progress.finish(name, kind.selected_figure(of_training), curves)

    torch.set_num_threads(threads)  # which the record says, of this process
    if workers == 1:
        for names in packs:
            finish(_train_some(config, names, work, progress.report))
        return figures

    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (reports, threads))
    try:
        futures = {pool.submit(_train_in_worker, config, names, work): names for names in packs}
        waiting: set[Future] = set(futures)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            with contextlib.suppress(queue.Empty):
                while True:
                    name, state = reports.get_nowait()
                    if name not in figures:
                        progress.report(name, state)
            for future in finished:
                future.result()
                finish(tensors.load(folder_of(work, futures[future]) / "figures.pt"))
        return figures
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


def folder_of(work: Path, names: list[str]) -> Path:
    """Name the folder of a program, for its checkpoint and its figures."""
    return work / "+".join(names)


def _train_some(config: dict, names: list[str], work: Path, report: Callable[[str, dict], None]) -> dict[str, dict]:
    from zoo.training.train import train  # and Lightning with it, which takes seconds and only workers need

    corpora = {name: load_data(config, name).trainings[name] for name in names}
    # weights that decay, of units that are dead, become subnormal numbers, with which Intel's processors take two to
    # three times as long for a step of WMN; to AMD's they make no difference
    torch.set_flush_denormal(True)
    try:
        return train(config, corpora, folder_of(work, names), report)
    except torch.OutOfMemoryError:
        less = f"trainer.together={len(names) // 2}" if len(names) > 1 else "a smaller model.recipe.batch_size"
        raise UserError(
            f"the GPU's memory does not hold {len(names)} × {config['restarts']} networks with their batches; "
            f"type {less}, or fewer restarts"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        less = f"trainer.together={len(names) // 2}" if len(names) > 1 else "a smaller model.recipe.batch_size"
        raise UserError(
            f"the memory of this machine does not hold {len(names)} × {config['restarts']} networks with their "
            f"batches; type {less}, fewer restarts, or trainer.workers=1"
        ) from None
    finally:
        torch.set_flush_denormal(False)


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


def _train_in_worker(config: dict, names: list[str], work: Path) -> None:
    reports = _reports
    assert reports is not None
    _train_some(config, names, work, lambda name, state: reports.put((name, state)))
