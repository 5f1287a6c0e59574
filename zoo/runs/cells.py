"""Cells: the trainings of a run, each made by whoever holds its lease; the last one's maker makes the record.

A cell is a pack of trainings, and most packs are one training. It may be made anywhere, any number of times, killed at
any moment, and by two processes at once: what lies in the results folder decides, and nothing else is trusted.

    results/unfinished/RUN/N-CODE/TRAINING/     N records are there already; CODE is the fingerprint of the code
        lease.1         who makes it
        attempts        who began it, on which machine
        last.ckpt       how far it is
        figures.pt      its figures: the cell is done
    results/unfinished/RUN/N-CODE/record/       where the record is made
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from tasks import leases
from tasks.errors import UserError
from tasks.files import make_folder, write_atomically
from zoo import records
from zoo.runs.data import load_data
from zoo.runs.fingerprint import code_fingerprint
from zoo.runs.messages import is_out_of_memory
from zoo.runs.plan import Plan
from zoo.training import FIGURES

GONE = ".gone-"  # in the names of folders that are being removed


class BeingMade(UserError):  # noqa: N818
    """Other processes are making this very run, or the rest of it."""


class Maker(NamedTuple):
    """A command that makes cells, with several processes perhaps."""

    name: str
    workers: int

    @classmethod
    def new(cls, workers: int = 1) -> "Maker":
        return cls(uuid.uuid4().hex, workers)


# --- the folders of a run


def home_of(plan: Plan) -> Path:
    """Name the folder of a run's unfinished work."""
    return Path(plan.config["results_dir"]) / "unfinished" / f"{plan.title}-{plan.identity}"


def work_of(plan: Plan) -> Path:
    """Name the folder of the work that this code does on a run."""
    return home_of(plan) / f"{len(plan.recorded())}-{_code_of(plan)[:12]}"


def _code_of(plan: Plan) -> str:
    loggers = plan.config["logger"].get("targets", {}).values()
    return _fingerprint(plan.config["model"]["_target_"], plan.config["task"]["_target_"], *loggers)


@cache
def _fingerprint(*targets: str) -> str:
    return code_fingerprint(targets, str(records.versions()))


def folder_of(work: Path, names: list[str]) -> Path:
    """Name the folder of a cell."""
    return work / "+".join(names)


def holders(work: Path) -> dict[str, leases.Holder]:
    """Find out who makes which cells now."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(work.iterdir()):
            holder = leases.holder(folder)
            if holder is not None and holder.live:
                found[folder.name] = holder
    return found


def is_done(work: Path, names: list[str]) -> bool:
    """Tell whether a cell has its figures."""
    return (folder_of(work, names) / FIGURES).exists()


def begin(plan: Plan) -> tuple[Path, bool]:
    """Make the folder of a run's work, or find it; work of other code is thrown away.

    Returns:
        The folder, and whether it was there.
    """
    work = work_of(plan)
    if (work / "code.txt").exists():
        return work, True
    number = work.name.partition("-")[0]
    for other in work.parent.glob(f"{number}-*"):
        if other == work:  # whose maker could write no file
            continue
        if others := holders(other):
            raise BeingMade(
                f"other code, or other versions of libraries, make this very run ({_said(others)}); wait for them, or "
                "use the same"
            )
        print(
            "the code, or a version of a library, has changed since this run was interrupted: it begins anew",
            file=sys.stderr,
        )
        remove(other)
        records.remove_unrecorded(work.parent.parent.parent, work.parent.name)  # its maker was killed at the very end
    make_folder(work.parent.parent)
    make_folder(work)
    # the whole fingerprint; a disk that takes no files says so here, before anything is trained
    write_atomically(work / "code.txt", lambda stream: stream.write(_code_of(plan).encode()))
    return work, False


def remove(folder: Path) -> None:
    """Remove a folder of work in one step: who still works in it finds it gone."""
    gone = folder.parent / f".{folder.name}{GONE}{uuid.uuid4().hex[:8]}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def tidy(plan: Plan) -> None:
    """Remove what is left of a run that has its record: somebody was killed behind it, or came too late."""
    home = home_of(plan)
    for left in home.parent.glob(f".*{GONE}*"):
        shutil.rmtree(left, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        if not any(holders(work) for work in home.iterdir()):
            remove(home)


def being_made(plan: Plan, work: Path) -> BeingMade:
    """Say who makes what is left of a run."""
    others = holders(work)
    who = f" ({_said(others)})" if others else ""
    rest = "this very run" if not any(is_done(work, names) for names in plan.packs) else "the rest of this run"
    return BeingMade(f"another process is making {rest}{who}; wait for it, or change an option, seed for example")


def _said(others: dict[str, leases.Holder]) -> str:
    return ", ".join(f"{name} on {of.host} since {moment(of.since)}" for name, of in others.items())


def moment(seconds: float) -> str:
    """Print a moment for people: day of the week, hour and minute."""
    return time.strftime("%a %H:%M", time.localtime(seconds))


# --- a cell


def check_here(config: dict) -> None:
    """Refuse a run that may be planned here, and shown if it has a record, and that cannot be made here."""
    if config["trainer"]["compile"] is True:
        raise UserError(
            "trainer.compile=true: there is no record of this run, and torch no longer compiles models; leave "
            "trainer.compile out, for kernels are faster"
        )
    if config["trainer"]["accelerator"] == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer=gpu: torch sees no GPU here; type trainer=cpu")


def train_cell(
    config: dict,
    names: list[str],
    work: Path,
    report: Callable[[str, dict], None],
    maker: Maker,
    stop: threading.Event | None = None,
) -> dict[str, dict] | None:
    """Train a pack, or go on with it, and return its figures; None if another process is making it.

    Args:
        config: the resolved configuration of the run.
        names: of the trainings in the pack.
        work: holds a folder for each pack.
        report: is called after every epoch.
        maker: the command that makes it.
        stop: set to ask it to stop; then `Stopped` is raised, behind a checkpoint.
    """
    from zoo.training.train import finished, train  # and Lightning with it, which takes seconds and only workers need

    check_here(config)
    folder = folder_of(work, names)
    if (figures := finished(folder)) is not None:
        return figures
    try:
        with leases.held(folder, config["trainer"]["lease_seconds"], stop) as lease:
            _refuse_recorded(config, work)  # whose work would be begun again
            # weights that decay, of units that are dead, become subnormal numbers, with which Intel's processors take
            # two to three times as long for a step of WMN; to AMD's they make no difference
            torch.set_flush_denormal(True)
            try:
                corpora = {name: load_data(config, name).trainings[name] for name in names}
                _note(folder, maker)
                return train(config, corpora, folder, report, lease)
            except FileNotFoundError:
                lease.check()  # another process has finished the run
                raise
            finally:
                torch.set_flush_denormal(False)
    except (leases.Held, leases.Lost, records.AlreadyMade):
        return None
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


def _refuse_recorded(config: dict, work: Path) -> None:
    run = config["run"]
    made = records.find_identity(Path(config["results_dir"]), run["name"], run["identity"])
    if len(made) > int(work.name.partition("-")[0]):
        raise records.AlreadyMade


def _note(folder: Path, maker: Maker) -> None:
    """Write down who begins a cell, and on what machine."""
    here = {name: value for name, value in records.environment().items() if name in ("processor", "gpu", "rounding")}
    text = json.dumps({"began": time.time(), "maker": maker.name, "workers": maker.workers} | here)
    line = f"{_digest(text)} {text}"
    handle = os.open(folder / "attempts", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


def _attempts(folder: Path) -> list[dict]:
    """Read who began a cell; a line that is damaged, or was cut by a kill, is left out."""
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / "attempts").read_text(errors="replace").splitlines()
        pairs = [line.partition(" ")[::2] for line in lines]
        return [json.loads(text) for digest, text in pairs if digest == _digest(text)]
    return []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- the record


def finish(
    plan: Plan, work: Path, maker: Maker, began: float, tell: Callable[[records.Record], None] = lambda record: None
) -> Path | None:
    """Make the record of a run whose cells are all done; None if they are not, or if another process makes it.

    Args:
        plan: of the run.
        work: its folder.
        maker: the command that asks for it.
        began: when this command began, by `time.monotonic`.
        tell: is told of the record before the work is removed; a kill between leaves the work, and all can be told.
    """
    from zoo.training.train import finished

    results, stage = Path(plan.config["results_dir"]), work / "record"
    if not all(is_done(work, names) for names in plan.packs):
        return _made(plan, work)
    figures: dict[str, dict] = {}
    for names in plan.packs:
        if (of_pack := finished(folder_of(work, names))) is None:
            return _made(plan, work)
        figures |= of_pack
    try:
        with leases.held(stage, plan.config["trainer"]["lease_seconds"]) as lease:

            def check() -> None:
                lease.check()
                _refuse_recorded(plan.config, work)

            check()
            attempts = [_attempts(folder_of(work, names)) for names in plan.packs]
            record = {
                "identity": plan.identity,
                **plan.labels,
                **plan.facts,
                "family": plan.data.family,
                "source": plan.data.source,
                "world": plan.data.world,
                **({"recall": plan.data.recall} if plan.data.recall else {}),
                "filled": {str(task): questions for task, questions in plan.data.filled.items()},
                "settings": plan.settings,
                "train_seconds": round(sum(got["seconds"] for got in figures.values()), 1),
                **_times(work, attempts, maker, began),
                **commit(results),
                "environment": _environment([one for of_pack in attempts for one in of_pack]),
            }
            ordered = {name: figures[name] for name in plan.data.trainings}
            kind = plan.kind.RECORDED
            licence = plan.data.licence
            file = records.write(results, plan.title, kind, record, ordered, licence, stage=stage, check=check)
            tell(records.read(file))
            remove(work.parent)
            return file
    except (leases.Held, leases.Lost, records.AlreadyMade):
        return _made(plan, work)
    except FileNotFoundError:  # another process has finished while this one was paused
        if (made := _made(plan, work)) is None:
            raise
        return made


@cache
def commit(results: Path) -> dict:
    """Ask git for the commit of the code, once: later it may be another than this process has loaded."""
    return records.commit_of_code(results)


def _made(plan: Plan, work: Path) -> Path | None:
    """Find the record that another process has made of this work."""
    made = plan.recorded()
    if len(made) <= int(work.name.partition("-")[0]):
        return None
    tidy(plan)
    return made[-1]


def _times(work: Path, attempts: list[list[dict]], maker: Maker, began: float) -> dict:
    """Say what a run took: by the clock, from its first cell on if several commands have made it."""
    makers = {one["maker"]: one["workers"] for of_pack in attempts for one in of_pack}
    resumed = (work / "resumed").exists() or any(len(of_pack) > 1 for of_pack in attempts)
    alone = resumed or not makers.keys() - {maker.name}
    first = min((one["began"] for of_pack in attempts for one in of_pack), default=time.time())
    return {
        "wall_seconds": round(time.monotonic() - began if alone else max(0.0, time.time() - first), 1),
        "resumed": resumed,
        "workers": maker.workers if alone else sum(makers.values()),
    }


def _environment(attempts: list[dict]) -> dict:
    """Describe the processors that have made the cells; where they differ, nobody's rounding can be expected."""
    described = [{name: one[name] for name in ("processor", "gpu", "rounding")} for one in attempts]
    if not described:
        return {}
    first = described[0]
    if all(one == first for one in described):
        return first
    several = {name: sorted({str(one[name]) for one in described if one[name]}) for name in ("processor", "gpu")}
    rounding = {
        name: value if all(one["rounding"].get(name) == value for one in described) else "several"
        for name, value in first["rounding"].items()
    }
    return {name: " and ".join(of) or None for name, of in several.items()} | {"rounding": rounding}
