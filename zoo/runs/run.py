"""A run: planned, trained, recorded, shown."""

import contextlib
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from tasks.errors import UserError
from tasks.files import Held, exclusive, make_folder, write_atomically
from zoo import records
from zoo.clock import clock
from zoo.families import family_of
from zoo.families.board import valid_error
from zoo.runs.compose import labels_of
from zoo.runs.fingerprint import code_fingerprint
from zoo.runs.plan import Plan, plan_config
from zoo.runs.progress import Progress
from zoo.runs.tracking import Tracking, complete
from zoo.runs.workers import train_all, workers_of


class BeingMade(UserError):  # noqa: N818
    """Another process is making this very run."""


def start(config: DictConfig) -> float:
    """Make the run of the configuration that Hydra has composed for `python run.py`.

    Returns:
        The error on validation, which a sweeper of Hydra may minimise.
    """
    job = HydraConfig.get()
    file = run(plan_config(config, labels_of(config, job), list(job.overrides.task)))
    return valid_error(records.read(file))


def run(plan: Plan) -> Path:
    """Make a run, or go on with one that was interrupted, and return the path of its record."""
    config, labels, data = plan.config, plan.labels, plan.data
    results = Path(config["results_dir"])
    if data.notice:
        print(data.notice, file=sys.stderr)
    home = _home_of(plan)
    make_folder(home.parent)
    with _alone(home):
        earlier = plan.recorded()
        records.remove_unrecorded(results, home.name)
        if earlier and not config["rerun"]:
            _clear(plan, home, earlier)
            show(records.read(earlier[-1]))
            print(f"this run has been made: {earlier[-1]} (add rerun=true to make it again)")
            return earlier[-1]
        if config["trainer"]["compile"] is True:
            raise UserError(
                "trainer.compile=true: there is no record of this run, and torch no longer compiles models; leave "
                "trainer.compile out, for kernels are faster"
            )
        began = time.monotonic()
        code = records.commit_of_code(results)
        if code["dirty"]:
            print(
                "git status shows changes beside results/: the leaderboard will mark this run as of uncommitted code",
                file=sys.stderr,
            )
        work = home / str(len(earlier))  # what a finished run may have left is not taken for the work of the next
        resumed = begun(work, config)
        restarts = f"{config['restarts']} restart{'s' if config['restarts'] > 1 else ''}"
        world = f" ({data.world})" if data.world else ""
        title = f"{labels['model']} on {data.source} {data.title}{world}, {config['protocol']}, {restarts}"
        if resumed:
            title += ", continued"
        epochs = dict.fromkeys(data.trainings, plan.recipe.all_epochs)
        with Tracking(plan, work) as tracking:
            with Progress(title, epochs, plan.weights, plan.family.measure, tracking) as progress:
                figures = train_all(config, plan.kind, plan.packs, work, progress)
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
                "workers": workers_of(config, len(plan.packs)),
                **code,
            }
            ordered = {name: figures[name] for name in data.trainings}
            file = records.write(results, plan.title, plan.kind.RECORDED, record, ordered, data.licence)
            tracking.end(records.read(file))
        shutil.rmtree(home)
    show(records.read(file))
    where = "" if results == Path("results") else f" results_dir={results}"
    print(f"record: {file}\n  zoo leaderboard{where}   puts it on the leaderboard")
    print(f"  {plan.family.look_inside(records.read(file)).format(where=where)}")
    for tracker in tracking.trackers:
        print(f"  {tracker.hint}")
    return file


def tidy(plan: Plan) -> None:
    """Remove what is left of a run that has its record: it was killed behind it."""
    home = _home_of(plan)
    if home.exists() or home.with_suffix(".lock").exists():
        with contextlib.suppress(BeingMade), _alone(home):
            _clear(plan, home, plan.recorded())


def _clear(plan: Plan, home: Path, recorded: list[Path]) -> None:
    """Remove what an attempt has left that was killed behind its record; its trackers get what they lack."""
    work = home / str(len(recorded) - 1)
    if work.exists():
        complete(plan, records.read(recorded[-1]), work)
    shutil.rmtree(home, ignore_errors=True)


def _home_of(plan: Plan) -> Path:
    """Name the folder of a run that has not ended."""
    return Path(plan.config["results_dir"]) / "unfinished" / f"{plan.title}-{plan.identity}"


def begun(work: Path, config: dict) -> bool:
    """Tell whether the code of this run has begun the work before; work of other code is thrown away."""
    loggers = config["logger"].get("targets", {}).values()
    targets = [config["model"]["_target_"], config["task"]["_target_"], *loggers]
    file, code = work / "code.txt", code_fingerprint(targets, str(records.versions())).encode()
    before = file.read_bytes() if file.exists() else None
    if before == code:
        return True
    if before is not None:
        whole = re.fullmatch(rb"[0-9a-f]{64}", before)
        why = "the code, or a version of a library, has changed since this run was interrupted"
        print(f"{why if whole else f'{file} is damaged'}: the run begins anew", file=sys.stderr)
    shutil.rmtree(work, ignore_errors=True)
    write_atomically(file, lambda stream: stream.write(code))
    return False


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Refuse to make a run that another process is making."""
    try:
        with exclusive(work.with_suffix(".lock")):
            yield
    except Held:
        raise BeingMade(
            f"another process is making this very run ({work.name}); wait for it, or change an option, seed for example"
        ) from None


def show(record: records.Record) -> None:
    """Print the figures of a record, with the paper's beside them."""
    family = family_of(record.family)
    print(family.heading(record))
    Console().print(family.terminal(record))
    published = family.published(record.file.parent.parent)
    print(family.against_paper(family.row_of(record, published)))
    speed = f"{record.examples_per_second:,} training examples per second in each, all restarts together"
    print(f"{clock(record.wall_seconds)} in {record.workers} process(es), {speed}")
