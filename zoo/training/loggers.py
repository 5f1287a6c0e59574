"""Where learning curves go while they grow; each training of a run is a run of the logger.

A file of conf/logger/ lists functions of this module as its `targets`; several files may be chosen together. A function
takes, beside the folder and the names, the options of its file that it has as arguments.
"""

import hashlib
import inspect
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from hydra.utils import get_method
from pytorch_lightning.loggers import CSVLogger, Logger

from tasks.errors import UserError


def open_all(config: dict, save_dir: str, run: str, training: str) -> list[Logger]:
    """Open every logger of a configuration.

    Args:
        config: the key `logger`: `targets`, by name, and their options.
        save_dir: the folder of all logs.
        run: name and identity of the run.
        training: its name within the run.
    """
    options = {name: value for name, value in config.items() if name != "targets"}
    loggers = []
    for target in config["targets"].values():
        method = get_method(target)  # called directly, so that its errors arrive as they are
        wanted = inspect.signature(method).parameters
        loggers.append(method(save_dir, run, training, **{k: v for k, v in options.items() if k in wanted}))
    return loggers


def csv(save_dir: str, run: str, training: str) -> Logger:
    """Write the file metrics.csv, which a continued training begins anew."""
    return CSVLogger(save_dir, name=run, version=training, flush_logs_every_n_steps=10)


def tensorboard(save_dir: str, run: str, training: str) -> Logger:
    """Write event files; a continued training adds one more."""
    from pytorch_lightning.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(save_dir, name=run, version=training)
    except ModuleNotFoundError:
        raise UserError("logger=tensorboard needs a package: pip install -e '.[tensorboard]'") from None


def wandb(save_dir: str, run: str, training: str, project: str) -> Logger:
    """Log to Weights & Biases, offline unless the user is logged in.

    A continued training goes on in the same wandb run. Offline, wandb cannot go on: the files that a killed training
    has left of this run are removed, and the curves are logged again from the checkpoint.
    """
    import wandb as client
    from pytorch_lightning.loggers import WandbLogger

    logging.getLogger("wandb").setLevel(logging.ERROR)
    os.environ.setdefault("WANDB_SILENT", "true")
    logged_in = bool(os.environ.get("WANDB_API_KEY") or client.api.api_key)
    mode = os.environ.get("WANDB_MODE", "online" if logged_in else "offline")
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    run_id = wandb_id(run, training)
    again: dict[str, Any] = {}
    if mode == "online":
        again = {"resume": "allow"}
    else:
        for left in Path(save_dir, "wandb").glob(f"offline-run-*-{run_id}"):
            shutil.rmtree(left)
    return WandbLogger(
        name=f"{run} {training}", id=run_id, group=run, project=project, save_dir=save_dir, mode=mode, **again
    )


def wandb_id(run: str, training: str) -> str:
    """The id of a training at wandb: every attempt at it has the same."""
    return hashlib.sha256(f"{run} {training}".encode()).hexdigest()[:16]


def begins_anew(logger: object) -> bool:
    """Tell whether a logger keeps nothing of an interrupted training, and so needs its curves again."""
    return isinstance(logger, CSVLogger) or getattr(logger, "_wandb_init", {}).get("mode") == "offline"


def close(loggers: list[Logger]) -> None:
    """End the loggers' runs: wandb would otherwise go on with its run in the next training of the process."""
    for logger in loggers:
        logger.finalize("success")
        if type(logger).__name__ == "WandbLogger":
            import wandb as client

            client.finish()
