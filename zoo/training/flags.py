"""Flags of Lightning's Trainer: three are options under `trainer.lightning`, the others are refused with a reason.

A flag is an option if it leaves all figures as they are, since the identity of a run does not tell it.
"""

import inspect
from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate

from tasks.errors import UserError, check_type, nearest

FLAGS = ("callbacks", "detect_anomaly", "profiler")
PROFILERS = {"simple": "SimpleProfiler", "advanced": "AdvancedProfiler", "pytorch": "PyTorchProfiler"}

ONE_DEVICE = "all restarts are one program on one device; for more processes type trainer.workers=N"
WHOLE_EPOCHS = "a restart is trained and compared on whole epochs; for a shorter run type trainer.max_epochs=N"
REFUSED = {
    "precision": "restarts share one table of float32 weights, which an interrupted run goes on from to the bit",
    **dict.fromkeys(("devices", "num_nodes", "strategy", "sync_batchnorm", "use_distributed_sampler"), ONE_DEVICE),
    "accelerator": "type trainer=cpu or trainer=gpu",
    "logger": "type logger=csv, tensorboard, wandb or none",
    "gradient_clip_val": "each restart is clipped by itself; type model.recipe.clip=NORM",
    "gradient_clip_algorithm": "each restart is clipped by its norm; type model.recipe.clip=NORM",
    "accumulate_grad_batches": "type model.recipe.batch_size=N",
    "enable_checkpointing": "a run keeps a checkpoint of its own; type trainer.checkpoint_seconds=N",
    "enable_progress_bar": "the progress display shows all trainings of a run",
    "default_root_dir": "type results_dir=FOLDER",
    "deterministic": "a run is deterministic on CPUs; on GPUs the algorithms decide its figures",
    **dict.fromkeys(("fast_dev_run", "overfit_batches", "limit_train_batches", "limit_val_batches"), WHOLE_EPOCHS),
    **dict.fromkeys(("limit_test_batches", "limit_predict_batches", "val_check_interval"), WHOLE_EPOCHS),
    **dict.fromkeys(("min_epochs", "max_steps", "min_steps", "max_time", "check_val_every_n_epoch"), WHOLE_EPOCHS),
}


def reason_against(flag: str) -> str:
    """Say why a flag of Lightning's Trainer is not an option, and what to type instead if there is anything."""
    if flag == "max_epochs":
        return "type trainer.max_epochs=N"
    return REFUSED.get(flag, f"of Lightning's flags only {', '.join(FLAGS)} leave all figures as they are")


def check_flags(given: object) -> None:
    """Refuse a value of `trainer.lightning` that cannot be handed to Lightning's Trainer."""
    if not isinstance(given, dict):
        raise UserError(f"trainer.lightning={given}: expected {', '.join(FLAGS)}")
    for name in given:
        if name not in FLAGS:
            near = "" if name in REFUSED else nearest(str(name), list(FLAGS))
            raise UserError(f"trainer.lightning.{name} is not an option{near}: {reason_against(name)}")
    check_type("trainer.lightning.detect_anomaly", given.get("detect_anomaly", False), bool, "true")
    if (profiler := given.get("profiler")) is not None and profiler not in PROFILERS:
        raise UserError(
            f"trainer.lightning.profiler={profiler}: expected {' or '.join(PROFILERS)}"
            f"{nearest(str(profiler), list(PROFILERS))}"
        )
    for number, callback in enumerate(_callbacks(given)):
        _check_callback(f"trainer.lightning.callbacks.{number}", callback)


def trainer_flags(given: dict, folder: Path) -> dict[str, Any]:
    """Make arguments for Lightning's Trainer.

    Args:
        given: `trainer.lightning`, checked.
        folder: gets the profile.
    """
    from pytorch_lightning import profilers

    profiler = given.get("profiler")
    return {
        "callbacks": [instantiate(callback) for callback in _callbacks(given)],
        "detect_anomaly": given.get("detect_anomaly", False),
        "profiler": profiler and getattr(profilers, PROFILERS[profiler])(dirpath=folder, filename="profile"),
    }


def _callbacks(given: dict) -> list[dict]:
    callbacks = given.get("callbacks") or []
    if not isinstance(callbacks, list):
        raise UserError(
            f"trainer.lightning.callbacks={callbacks}: expected a list, as in "
            "trainer.lightning.callbacks=[{_target_:pytorch_lightning.callbacks.DeviceStatsMonitor}]"
        )
    return callbacks


def _check_callback(option: str, callback: object) -> None:
    from pytorch_lightning import Callback

    target = callback.get("_target_") if isinstance(callback, dict) else None
    try:
        kind = get_class(str(target))
    except (ImportError, ValueError) as error:
        raise UserError(f"{option}._target_={target}: {str(error).splitlines()[0]}") from None
    if not issubclass(kind, Callback):
        raise UserError(f"{option}._target_={target}: expected a class derived from pytorch_lightning.Callback")
    known = list(inspect.signature(kind).parameters)
    assert isinstance(callback, dict)  # else it had no target
    for name in callback:
        if name != "_target_" and name not in known:
            raise UserError(f"{option}.{name} is not an option of {kind.__name__}{nearest(str(name), known)}")
