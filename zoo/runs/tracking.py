"""Trackers: a run of Weights & Biases, or a folder of TensorBoard, for each run of the zoo.

A file of conf/logger/ lists classes of this module as its `trackers`; several files may be chosen together. The process
that began the run writes to them; its workers only report. So a run has one run at the tracker, however its trainings
are shared out. Epochs are told as they are made. A run that goes on after an interruption tells what the tracker lacks.
"""

import hashlib
import inspect
import math
import os
import re
import secrets
import shutil
import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from hydra.utils import get_method

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import records
from zoo.clock import label
from zoo.families.board import Family
from zoo.records import Record
from zoo.runs.plan import Plan

Rows = Sequence[Sequence[float]]  # of a curve: a row per epoch, a value per restart
LONGEST = 64  # characters of a tag, and of no more


class About(NamedTuple):
    """A run, as a tracker introduces it."""

    name: str
    config: dict  # as composed
    tags: list[str]
    trainings: list[str]  # sections of its curves: task_1, task_2 …
    logs: Path  # the folder of all logs
    work: Path  # holds the unfinished run


class Outcome(NamedTuple):
    """A run that has its record."""

    summary: dict[str, float]
    columns: list[Any]  # their names
    table: list[list]  # a row for each restart of each task
    files: list[Path]  # the record, its arrays and its weights


class Tracker(ABC):
    """Anything that shows a run while it is made."""

    hint: str  # a command, or an address, that shows the run

    @abstractmethod
    def told(self, training: str) -> int:
        """Count the epochs that an interrupted attempt has told of a training, and that were kept."""

    @abstractmethod
    def tell(self, training: str, epoch: int, values: dict[str, float]) -> None:
        """Show the values of an epoch, counted from 1."""

    @abstractmethod
    def end(self, outcome: Outcome) -> None:
        """Show what came out."""

    @abstractmethod
    def close(self, completed: bool) -> None:
        """Let go of the run, which may not have come to its end."""


class Wandb(Tracker):
    """A run of Weights & Biases, offline unless the user is logged in.

    Online, a run that was interrupted goes on in the same run. Offline, wandb cannot go on: the folder of the
    interrupted attempt is removed, and all is told again.
    """

    def __init__(self, about: About, project: str, entity: str | None = None) -> None:
        import wandb as client

        self.client, self.name = client, about.name
        settings = client.Settings(silent=True, console="off")  # the terminal has a display of its own
        client.setup(settings)
        about.logs.mkdir(parents=True, exist_ok=True)  # elsewhere, wandb would write to a temporary folder
        run_id = _id_of(about)
        for left in about.logs.glob(f"wandb/offline-run-*-{run_id[:8]}*"):  # of this run, of older code too
            shutil.rmtree(left)
        mode: Any = os.environ.get("WANDB_MODE")
        try:
            if mode is None:
                mode = "online" if client.login(prompt=False, verify=False) else "offline"
            self.run = client.init(
                project=project, entity=entity, name=about.name, id=run_id, dir=str(about.logs), config=about.config,
                tags=about.tags, mode=mode, resume="allow" if mode == "online" else None, settings=settings,
            )  # fmt: skip
        except client.errors.Error as error:
            said = str(error).partition("\n")[0]
            raise UserError(f"wandb: {said}; WANDB_MODE=offline writes to {about.logs / 'wandb'} alone") from None
        folder = Path(self.run.dir).parent
        self.hint = f"wandb sync {folder}   uploads the curves" if mode == "offline" else self.run.url or "wandb is off"
        for training in about.trainings:
            self.run.define_metric(f"{training}/epoch", hidden=True)
            self.run.define_metric(f"{training}/*", step_metric=f"{training}/epoch")

    def told(self, training: str) -> int:
        return int(self.run.summary.get(f"{training}/epoch") or 0)

    def tell(self, training: str, epoch: int, values: dict[str, float]) -> None:
        self.run.log({f"{training}/epoch": epoch} | {f"{training}/{name}": value for name, value in values.items()})

    def end(self, outcome: Outcome) -> None:
        self.run.log({"restarts": self.client.Table(columns=outcome.columns, data=outcome.table)})
        self.run.summary.update(outcome.summary)
        artifact = self.client.Artifact(re.sub(r"[^\w.-]", "-", self.name), type="record")
        for file in outcome.files:
            artifact.add_file(str(file), policy="immutable")  # else it would be copied to the home folder
        self.run.log_artifact(artifact)

    def close(self, completed: bool) -> None:
        self.run.finish(exit_code=0 if completed else 1)


class TensorBoard(Tracker):
    """A folder of TensorBoard, with the settings and the result among its hparams.

    The event file of an interrupted attempt is removed, and all is told again.
    """

    def __init__(self, about: About) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:
            raise UserError("logger=tensorboard needs a package: pip install -e '.[tensorboard]'") from None
        folder = about.logs / about.name
        for left in folder.glob("events.out.tfevents.*"):
            left.unlink()
        self.config, self.hint = about.config, f"tensorboard --logdir {about.logs}   shows the curves"
        self.writer: Any = SummaryWriter(str(folder), flush_secs=10)

    def told(self, training: str) -> int:
        return 0

    def tell(self, training: str, epoch: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(f"{training}/{name}", value, epoch)

    def end(self, outcome: Outcome) -> None:
        from torch.utils.tensorboard.summary import hparams

        rows = [outcome.columns, ["---"] * len(outcome.columns), *outcome.table]
        self.writer.add_text("restarts", "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows))
        result = {f"summary/{name}": value for name, value in outcome.summary.items()}
        for name, value in result.items():
            self.writer.add_scalar(name, value)
        # not by `add_hparams`, which would write them to a folder of their own
        for summary in hparams(dict(_flat(self.config)), result):
            self.writer.file_writer.add_summary(summary)

    def close(self, completed: bool) -> None:
        self.writer.close()


class Tracking:
    """The trackers of a run.

    They are closed in any case, and as failed where `end` was not reached.
    """

    def __init__(self, plan: Plan, work: Path) -> None:
        """
        Args:
            plan: of the run.
            work: its folder while it is unfinished.
        """
        self.family, self.results, self.completed = plan.family, Path(plan.config["results_dir"]), False
        self.trackers: list[Tracker] = []
        self.epochs: dict[str, list[int]] = {}  # that each tracker has been told, per training
        config, task = plan.config, plan.config["task"]
        tags = [plan.labels["model"], task.get("name") or plan.family.name, plan.family.name, task.get("size")]
        tags += [config["protocol"], plan.data.source, plan.labels["experiment"]]
        self.about = About(
            name=f"{plan.title}-{plan.identity}",
            config=config,
            tags=[str(tag)[:LONGEST] for tag in dict.fromkeys(tags) if tag],
            trainings=[_section(name) for name in plan.data.trainings],
            logs=self.results / "logs",
            work=work,
        )
        self.options = {name: of for name, of in config["logger"].items() if name not in ("targets", "trackers")}
        self.targets = list(config["logger"].get("trackers", {}).values())

    def __enter__(self) -> Self:
        try:
            for target in self.targets:
                tracker = get_method(target)  # called directly, so that its errors arrive as they are
                wanted = inspect.signature(tracker).parameters
                given = {name: of for name, of in self.options.items() if name in wanted}
                self.trackers.append(tracker(self.about, **given))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for tracker in self.trackers:
            tracker.close(self.completed)

    def report(self, training: str, first: int, curves: Mapping[str, Rows]) -> None:
        """Tell the trackers those of some epochs that they have not been told.

        Args:
            training: its name within the run.
            first: the epoch of the first row of each curve, counted from 0.
            curves: by the names that they have in records.
        """
        section = _section(training)
        told = self.epochs.setdefault(training, [tracker.told(section) for tracker in self.trackers])
        for row in range(len(curves["valid_error"])):
            epoch = first + row + 1
            for number, tracker in enumerate(self.trackers):
                if epoch > told[number]:
                    tracker.tell(section, epoch, self._values({name: curve[row] for name, curve in curves.items()}))
                    told[number] = epoch

    def _values(self, restarts: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Take means over the restarts, and the lowest error of them."""
        error = f"validation_{self.family.error}"
        return {
            "training_loss": _mean(restarts["train_loss"]),
            "validation_loss": _mean(restarts["valid_loss"]),
            error: _mean(restarts["valid_error"]),
            f"{error}_lowest": min(filter(math.isfinite, restarts["valid_error"]), default=math.nan),
        }

    def end(self, record: Record) -> None:
        """Tell the trackers what came out."""
        if self.trackers:
            error = self.family.error
            outcome = Outcome(
                self.family.summary(record),
                ["task", "restart", "selected", "epoch", f"validation_{error}", f"test_{error}"],
                list(_table(self.family, record)),
                [record.file, record.file.with_suffix(".npz"), records.weights_of(record.file)],
            )
            for tracker in self.trackers:
                tracker.end(outcome)
        self.completed = True


def complete(plan: Plan, record: Record, work: Path) -> None:
    """Tell the trackers of a run what it has not told before it was killed, behind its record."""
    with Tracking(plan, work) as tracking:
        arrays = records.arrays(record) if tracking.trackers else {}
        for training in record.trainings if tracking.trackers else ():
            tracking.report(training, 0, {name: arrays[f"{training}/{name}"].tolist() for name in records.CURVES})
        tracking.end(record)


def _id_of(about: About) -> str:
    """Find the id of a run at wandb, which all attempts at it share, or draw one.

    Its first half follows from the name and, after `rerun=true`, from the number of records. The second half keeps
    apart runs of other folders and of other code.
    """
    file = about.work / "wandb.txt"
    if file.exists() and re.fullmatch(r"[0-9a-f]{16}", found := file.read_text()):
        return found
    drawn = hashlib.sha256(f"{about.name} {file.parent.name}".encode()).hexdigest()[:8] + secrets.token_hex(4)
    write_atomically(file, lambda stream: stream.write(drawn.encode()))
    return drawn


def _section(training: str) -> str:
    """Name the section of a training's curves."""
    return label(training).replace(" ", "_")


def _mean(values: Sequence[float]) -> float:
    """Take the mean over the restarts that have not diverged."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.fmean(finite) if finite else math.nan


def _table(family: Family, record: Record) -> Iterator[list]:
    for part in family.parts_of(record).values():
        columns = zip(part.best_epochs, part.valid, part.test, strict=True)
        for restart, (epoch, valid, test) in enumerate(columns):
            yield [part.title, restart, restart == part.selected, epoch + 1, valid, test]


def _flat(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the options of a configuration by their dotted names, as hparams can hold them."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}", value if isinstance(value, bool | int | float | str) else str(value)
