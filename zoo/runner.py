"""A run: trainings in worker processes, their figures in one record."""

import contextlib
import inspect
import multiprocessing
import os
import queue
import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock, Timeout
from hydra.utils import get_method, instantiate
from rich.console import Console
from rich.table import Table

from tasks.babi import PASS_MARK
from tasks.corpus import Data
from tasks.errors import UserError, check_type, check_whole, shown
from tasks.files import write_atomically
from zoo import records
from zoo.bounds import check_layers, check_networks
from zoo.interface import MemoryNetwork
from zoo.progress import Measure, Progress, clock, label
from zoo.training.build import build, check_fits, smallest
from zoo.training.recipe import Recipe
from zoo.training.together import programs


class Plan(NamedTuple):
    """A run before it is made."""

    config: dict
    labels: dict
    data: Data
    recipe: Recipe
    settings: dict  # all that decides its figures
    name: str  # of its record, without identity and moment
    identity: str
    facts: dict[str, str]  # of the model's class
    measure: Measure  # how its figures are shown on the way
    weights: dict[str, float]  # of each training, how long an epoch takes, relative to the others
    programs: list[list[str]]  # the trainings, those together that share a program

    def recorded(self) -> list[Path]:
        """Its records, the oldest first."""
        return records.files_of(Path(self.config["results_dir"]), self.name, self.identity)

    @property
    def examples(self) -> int:
        """Questions that its restarts are trained on, one epoch after another."""
        questions = sum(len(corpus.train) for corpus in self.data.trainings.values())
        return questions * self.recipe.all_epochs * self.config["restarts"]


def plan(config: dict, labels: dict) -> Plan:
    """
    Args:
        config: the resolved configuration.
        labels: names that the record carries and that decide nothing: model, experiment, overrides.
    """
    check(config)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    check_layers(config["model"])
    network = smallest(config["model"])  # refuses wrong options before any data are read
    check_networks(network, config["restarts"], recipe.batch_size)
    facts = {"memory": network.memory, "supervision": network.supervision, "paper": network.paper.link}
    data = load_data(config)
    check_fits(type(network), data)
    # what was found now is what every worker reads
    config = config | {"task": config["task"] | {"source": data.source, "download": False}}
    networks: dict[str, MemoryNetwork] = {}
    if data.family == "algorithmic":
        measure, weights = Measure("bits on validation", "bits", 3), dict.fromkeys(data.trainings, 1.0)
    else:
        measure, weights = Measure("test error", "%", 1), {}
        for training, corpus in data.trainings.items():
            with torch.device("meta"):  # their sizes are asked for, not their weights
                networks[training] = build(config["model"], corpus.sizes, seed=0)
            check_networks(networks[training], config["restarts"], recipe.batch_size)
            window, longest = networks[training].window, corpus.sizes.story_length
            if data.recall and window < longest:
                raise UserError(
                    f"model.memory_size={window}: a question has up to {longest} memories, and the recall of all of "
                    f"them is recorded; to show fewer, type task.slots={window}"
                )
            # the time of an epoch grows with the questions and, more slowly, with the slots
            weights[training] = len(corpus.train) * (20 + window) / 20
    order = sorted(data.trainings, key=lambda training: -weights[training])
    corpora = {training: data.trainings[training] for training in order}
    shared = programs(corpora, networks, recipe.batch_size, config["trainer"]["together"])
    settings = records.settings_of(config, labels["experiment"], data, shared)
    identity = records.identity(settings, data.family)
    name = f"{labels['model']}-{data.label}-{config['protocol']}"
    config = config | {"run": {"name": name, "identity": identity}}
    return Plan(config, labels, data, recipe, settings, name, identity, facts, measure, weights, shared)


def run(plan: Plan) -> Path:
    """Makes a run, or goes on with one that was interrupted, and returns the path of its record."""
    config, labels, data, weights = plan.config, plan.labels, plan.data, plan.weights
    results = Path(config["results_dir"])
    if data.notice:
        print(data.notice, file=sys.stderr)
    home = results / "unfinished" / f"{plan.name}-{plan.identity}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        earlier = plan.recorded()
        if earlier and not config["rerun"]:
            show(records.read(earlier[-1]))
            print(f"this run has been made: {earlier[-1]} (add rerun=true to make it again)")
            return earlier[-1]
        began = time.monotonic()
        code = records.commit(results)
        if code["dirty"]:
            print(
                "git status shows changes beside results/: the table will mark this run as of uncommitted code",
                file=sys.stderr,
            )
        work = home / str(len(earlier))  # what a finished run may have left is not taken for the work of the next
        resumed = begun(work)
        restarts = f"{config['restarts']} restart{'s' if config['restarts'] > 1 else ''}"
        world = f" ({data.world})" if data.world else ""
        title = f"{labels['model']} on {data.source} {data.title}{world}, {config['protocol']}, {restarts}"
        if resumed:
            title += ", continued"
        with Progress(title, dict.fromkeys(data.trainings, plan.recipe.all_epochs), weights, plan.measure) as progress:
            figures = _train_all(config, plan.programs, work, progress)
        record = {
            "identity": plan.identity,
            **labels,
            **plan.facts,
            "family": data.family,
            "source": data.source,
            "world": data.world,
            **({"recall": data.recall} if data.recall else {}),
            "filled": {str(task): questions for task, questions in data.filled.items()},
            "settings": plan.settings,
            "train_seconds": round(sum(got["seconds"] for got in figures.values()), 1),
            "wall_seconds": round(time.monotonic() - began, 1),
            "resumed": resumed,
            "workers": workers_of(config, len(plan.programs)),
            **code,
        }
        file = records.write(results, plan.name, record, {name: figures[name] for name in data.trainings})
        shutil.rmtree(home)
    show(records.read(file))
    folder = "" if results.resolve() == records.ROOT / "results" else f" {results}"  # where zoo.leaderboard looks
    print(f"record: {file}   (python -m zoo.leaderboard{folder} puts it on the table)")
    return file


def begun(work: Path) -> bool:
    """Whether this code has begun the work before; what other code has left there is thrown away."""
    file, code = work / "code.txt", records.fingerprint()
    if file.exists() and file.read_text() == code:
        return True
    if work.exists():
        print(
            "the code, or a version of a library, has changed since this run was interrupted: it begins anew",
            file=sys.stderr,
        )
        shutil.rmtree(work)
    write_atomically(file, lambda stream: stream.write(code.encode()))
    return False


def check(config: dict) -> None:
    check_whole("restarts", config["restarts"], 1)
    check_whole("seed", config["seed"], 0, 2**31 - 1)
    trainer = config["trainer"]
    for name in ("workers", "threads", "together", "max_epochs"):
        if trainer[name] is not None or name in ("threads", "together"):
            check_whole(f"trainer.{name}", trainer[name], 1)
    if not isinstance(trainer["compile"], bool) and trainer["compile"] != "auto":
        raise UserError(f"trainer.compile={trainer['compile']}: expected true, false or auto")
    check_type("trainer.checkpoint_seconds", trainer["checkpoint_seconds"], float, 20)
    check_type("rerun", config["rerun"], bool, "true")
    if trainer["accelerator"] not in ("cpu", "gpu"):
        raise UserError(f"trainer.accelerator={shown(trainer['accelerator'])}: expected cpu or gpu, as in trainer=cpu")
    if trainer["accelerator"] == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer=gpu: torch sees no GPU here; type trainer=cpu")


def load_data(config: dict, training: str | None = None) -> Data:
    """The data of a run, or of one of its trainings only."""
    task = dict(config["task"])
    if training is not None and config["protocol"] == "per_task":
        task["ids"] = [int(training)]
    given = task | {name: config[name] for name in ("protocol", "data_dir", "cache_dir")}
    wanted = inspect.signature(get_method(task["_target_"])).parameters  # what is drawn needs no folder
    return instantiate({name: value for name, value in given.items() if name in ("_target_", *wanted)}, _convert_="all")


def workers_of(config: dict, number: int) -> int:
    """How many processes so many programs keep busy."""
    return min(config["trainer"]["workers"] or records.cores(), number)


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Refuses to make a run that another process is making."""
    lock = FileLock(work.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another process is making this very run ({work.name}); wait for it, or change an option, seed for example"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _train_all(config: dict, shared: list[list[str]], work: Path, progress: Progress) -> dict[str, dict]:
    """The figures of all trainings, by their names.

    Args:
        config: the resolved configuration.
        shared: the trainings of each program.
        work: holds a folder for each program.
        progress: is told.
    """
    workers = workers_of(config, len(shared))
    threads = config["trainer"]["threads"]
    figures: dict[str, dict] = {}

    def finish(got: dict[str, dict]) -> None:
        figures.update(got)
        for name, of_training in got.items():
            progress.finish(name, selected_error(of_training))

    if workers == 1:
        torch.set_num_threads(threads)
        for names in shared:
            finish(_train_some(config, names, work, progress.report))
        return figures

    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (reports, threads))
    try:
        futures = {pool.submit(_train_in_worker, config, names, work): names for names in shared}
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
                finish(torch.load(_folder(work, futures[future]) / "figures.pt", weights_only=True))
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


def selected_error(figures: dict) -> float:
    """Mean test error over the tasks of a training, of the restart that validation selected; of sequences its bits."""
    if "tapes" in figures:
        return float(figures["valid"]["bits"][figures["selected"]])
    errors = [float(of_all[figures["selected"]]) for of_all in figures["errors"]["test"].values()]
    return sum(errors) / len(errors)


def _folder(work: Path, names: list[str]) -> Path:
    """Of a program: for its checkpoint and its figures."""
    return work / "+".join(names)


def _train_some(config: dict, names: list[str], work: Path, report: Callable[[str, dict], None]) -> dict[str, dict]:
    from zoo.training.train import train  # and Lightning with it, which takes seconds and only workers need

    corpora = {name: load_data(config, name).trainings[name] for name in names}
    # weights that decay, of units that are dead, become subnormal numbers, with which Intel's processors take two to
    # three times as long for a step of WMN; to AMD's they make no difference
    torch.set_flush_denormal(True)
    try:
        return train(config, corpora, _folder(work, names), report)
    except torch.OutOfMemoryError:
        less = f"trainer.together={len(names) // 2}" if len(names) > 1 else "a smaller model.recipe.batch_size"
        raise UserError(
            f"the GPU's memory does not hold {len(names)} × {config['restarts']} networks with their batches; "
            f"type {less}, or fewer restarts"
        ) from None
    finally:
        torch.set_flush_denormal(False)


_reports = None  # in a worker: the queue to the progress display


def _begin_worker(reports: multiprocessing.Queue, threads: int) -> None:
    global _reports
    _reports = reports
    torch.set_num_threads(threads)
    end_with_parent()


def end_with_parent() -> None:
    """Leaves it to the process that started this one what an interrupt means, and ends when that one is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def die_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=die_with_parent, daemon=True).start()


def _train_in_worker(config: dict, names: list[str], work: Path) -> None:
    _train_some(config, names, work, lambda name, state: _reports.put((name, state)))


def show(record: dict) -> None:
    """The figures of a record, as a table in the terminal."""
    (_show_sequences if record.get("family") == "algorithmic" else _show_stories)(record)
    speed = f"{record['examples_per_second']:,} training examples a second in each, all restarts together"
    print(f"{clock(record['wall_seconds'])} in {record['workers']} process(es), {speed}")


def _show_sequences(record: dict) -> None:
    k, validation = record["validation"]["selected"], record["validation"]
    print(
        f"{record['model']}, {record['settings']['task']['name']}: bits a sequence, and how many of its bits are wrong"
    )
    table = Table()
    for column in ("test", "selected", "wrong", "median of restarts", "wrong", "optimum"):
        table.add_column(column, justify="left" if column == "test" else "right")
    for form, got in record["tests"].items():
        cells = []
        for choose in (lambda of_all: of_all[k], statistics.median):
            cells += [f"{choose(got['bits']):.3f}", f"{choose(got['wrong_bits']):.2f}"]
        table.add_row(form, *cells, "0" if got["optimal_bits"] is None else f"{got['optimal_bits']:.3f}")
    Console().print(table)
    print(f"selected by {validation['bits'][k]:.3f} bits on validation, in epoch {validation['best_epochs'][k] + 1}")


def _show_stories(record: dict) -> None:
    world = f" ({record['world']})" if record.get("world") else ""
    print(f"{record['model']}, {record['source']} data{world}: error in %, of the restart that validation selects")
    table = Table()
    seen = dict.fromkeys(key for got in record["tasks"].values() for key in got if key.endswith("_errors"))
    further = [key for key in seen if key not in ("valid_errors", "test_errors", "valid_dialog_errors")]
    named = [key.removesuffix("_errors").replace("_", " ") for key in further]  # test dialog, oov, oov dialog
    for column in ("task", "validation", "test", "mean of restarts", "epoch", *named):
        table.add_column(column, justify="left" if column == "task" else "right")
    can_fail = record.get("family", "babi") == "babi"  # records of bAbI are older than the other families
    chosen = []
    for task, got in record["tasks"].items():
        k, errors = got["selected"], got["test_errors"]
        chosen.append(errors[k])
        mark = " [red]failed[/red]" if can_fail and errors[k] > PASS_MARK else ""
        if task in record.get("filled", {}):
            mark += f" ({record['filled'][task]:,} of the training questions generated)"
        table.add_row(
            label(task) + mark,
            f"{got['valid_errors'][k]:.1f}",
            f"{errors[k]:.1f}",
            f"{sum(errors) / len(errors):.1f}",
            str(got["best_epochs"][k] + 1),
            *(f"{got[key][k]:.1f}" if key in got else "" for key in further),
        )
    if len(chosen) > 1:
        failed = f", {sum(error > PASS_MARK for error in chosen)} of {len(chosen)} failed" if can_fail else ""
        table.add_section()
        table.add_row(f"mean{failed}", "", f"{sum(chosen) / len(chosen):.2f}")
    Console().print(table)
