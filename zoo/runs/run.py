"""A run: planned, trained, recorded, shown."""

import contextlib
import inspect
import sys
import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig
from rich.console import Console

from zoo import records
from zoo.clock import clock
from zoo.families import family_of
from zoo.families.board import valid_error
from zoo.runs import cells
from zoo.runs.compose import labels_of
from zoo.runs.plan import Plan, plan_config
from zoo.runs.progress import Progress
from zoo.runs.tracking import Tracking, complete
from zoo.runs.workers import train_all, workers_of


def start(config: DictConfig) -> float:
    """Make the run of the configuration that Hydra has composed for `python run.py`.

    Returns:
        The error on validation, which a sweeper of Hydra may minimise.
    """
    job = HydraConfig.get()
    file = run(plan_config(config, labels_of(config, job), list(job.overrides.task)))
    return valid_error(records.read(file))


def run(plan: Plan) -> Path:
    """Make a run, or go on with one that was interrupted, and return the path of its record.

    Other processes may make the same run: each training is made by one of them, and one of them makes the record.
    """
    config, data = plan.config, plan.data
    results = Path(config["results_dir"])
    if data.notice:
        print(data.notice, file=sys.stderr)
    earlier = plan.recorded()
    if earlier and not config["rerun"]:
        clean_up(plan, earlier)
        record = records.read(earlier[-1])
        show(record)
        print(f"this run has been made: {earlier[-1]} (add rerun=true to make it again)")
        model = Path(inspect.getfile(get_class(config["model"]["_target_"])))
        if record.dirty or not records.is_as_committed(model, record.commit):
            print(f"  {model.name} may have changed since; rerun=true makes the run with it as it is now")
        return earlier[-1]
    cells.check_here(config)
    began = time.monotonic()
    if cells.commit(results)["dirty"]:
        print(
            "git status shows changes beside results/: the leaderboard will mark this run as of uncommitted code",
            file=sys.stderr,
        )
    work, continued = cells.begin(plan)
    if continued and not cells.holders(work):
        with contextlib.suppress(FileNotFoundError):
            (work / "resumed").touch()
    restarts = f"{config['restarts']} restart{'s' if config['restarts'] > 1 else ''}"
    world = f" ({data.world})" if data.world else ""
    title = f"{plan.labels['model']} on {data.source} {data.title}{world}, {config['protocol']}, {restarts}"
    if continued:
        title += ", continued"
    maker = cells.Maker.new(workers_of(config, len(plan.packs)))
    epochs = dict.fromkeys(data.trainings, plan.recipe.all_epochs)
    with Tracking(plan, work) as tracking:
        measure = plan.family.measure_while_training or plan.family.measure
        with Progress(title, epochs, plan.weights, measure, tracking) as progress:
            train_all(config, plan.kind, plan.packs, work, progress, maker)
        file = cells.finish(plan, work, maker, began, tracking.end)
        if file is None:
            raise cells.being_made(plan, work)
        if not tracking.completed:  # another process has made the record
            tracking.end(records.read(file))
    show(records.read(file))
    where = "" if results == Path("results") else f" results_dir={results}"
    print(f"record: {file}\n  zoo leaderboard{where}   puts it on the leaderboard")
    print(f"  {plan.family.look_inside(records.read(file)).format(where=where)}")
    for tracker in tracking.trackers:
        print(f"  {tracker.hint}")
    return file


def clean_up(plan: Plan, recorded: list[Path]) -> None:
    """Remove what is left of a run that was killed behind its record; its trackers are told what they lack."""
    for work in cells.home_of(plan).glob(f"{len(recorded) - 1}-*"):
        if not cells.holders(work):
            complete(plan, records.read(recorded[-1]), work)
    cells.tidy(plan)


def show(record: records.Record) -> None:
    """Print the figures of a record, with the paper's beside them."""
    family = family_of(record.family)
    print(family.heading(record))
    Console().print(family.terminal(record))
    published = family.published(record.file.parent.parent)
    print(family.against_paper(family.row_of(record, published)))
    speed = f"{record.examples_per_second:,} training examples per second in each, all restarts together"
    print(f"{clock(record.wall_seconds)} in {record.workers} process(es), {speed}")
