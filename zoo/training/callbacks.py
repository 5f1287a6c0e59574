"""Lightning's hooks: checkpoints that are whole files, and reports to the progress display."""

import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO

from tasks import tensors
from tasks.files import replace
from tasks.leases import Lease, Stopped
from zoo.training.module import CURVES, EnsembleTraining


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are written whole; Lightning's own are torn if it is killed where /tmp is another disk."""

    def __init__(self, lease: Lease | None) -> None:
        """
        Args:
            lease: of the folder, which is checked before anything is written; without one the folder is made.
        """
        super().__init__()
        self.lease = lease

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options: object = None) -> None:
        save(Path(path), checkpoint, self.lease)

    def load_checkpoint(self, path: str | Path, map_location: object = None, weights_only: bool | None = None) -> dict:
        checkpoint: dict = tensors.load(Path(path))
        return checkpoint


def save(file: Path, value: dict, lease: Lease | None) -> None:
    """Write tensors into the folder of a lease, if it is still held; without a lease the folder is made."""
    if lease is None:
        tensors.save(file, value)
        return
    lease.check()
    try:
        tensors.save(file, value, replace)
    except FileNotFoundError:
        lease.check()  # the work was finished by another process in this very moment
        raise


class Checkpoint(pl.Callback):
    """A checkpoint at the end of an epoch, whenever `seconds` have passed since the last one.

    A process that is asked to stop does so here, behind its checkpoint; one that has lost its lease does so at once.
    """

    def __init__(self, file: Path, seconds: float, lease: Lease | None) -> None:
        self.file, self.seconds, self.lease, self.last = file, seconds, lease, time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.lease is not None:
            self.lease.look()
        # a training that has ended goes on to its test; a checkpoint of it would be trained for one epoch more
        if trainer.should_stop:
            return
        stop = self.lease is not None and self.lease.asked_to_stop
        if stop or time.monotonic() - self.last >= self.seconds:
            trainer.save_checkpoint(self.file)
            self.last = time.monotonic()
        if stop:
            raise Stopped(f"stopped after epoch {trainer.current_epoch + 1}")


class Report(pl.Callback):
    """News for the progress display and the trackers: where each training of a pack stands, and its new epochs."""

    def __init__(self, trainings: list[str], report: Callable[[str, dict], None]) -> None:
        self.trainings, self.report = trainings, report
        self.told = 0  # epochs; those before an interruption are told with the first one behind it

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, EnsembleTraining)
        curves = {name: getattr(pl_module, f"{name}_curve")[self.told : trainer.current_epoch + 1] for name in CURVES}
        errors = pl_module.valid_error_curve[trainer.current_epoch].chunk(len(self.trainings))
        bests = pl_module.best.error.chunk(len(self.trainings))
        linear = pl_module.schedule.linear.chunk(len(self.trainings))
        for number, (name, error, best, starts) in enumerate(zip(self.trainings, errors, bests, linear, strict=True)):
            state = {
                "epoch": trainer.current_epoch + 1,
                "epochs": trainer.max_epochs,
                "linear": bool(starts.any()),
                "error": float(error.mean()),
                "best": float(best.min()) if bool(best.isfinite().any()) else None,
                "told": self.told,
                "curves": {
                    curve: rows.chunk(len(self.trainings), dim=1)[number].tolist() for curve, rows in curves.items()
                },
            }
            self.report(name, state)
        self.told = trainer.current_epoch + 1


def undamaged(checkpoint: Path) -> str | None:
    """Return the path of a checkpoint that can be read; delete a damaged one, and return None."""
    if not checkpoint.exists():
        return None
    try:
        tensors.load(checkpoint)
    except (OSError, tensors.Damaged) as error:
        print(f"{error}: this training begins anew", file=sys.stderr)
        checkpoint.unlink()
        return None
    return str(checkpoint)


def hush() -> None:
    """Silence Lightning's hints (devices, workers of loaders), which do not apply to tables in memory."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
