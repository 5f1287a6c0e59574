"""Loggers of Lightning, which each training opens for itself; `zoo/runs/tracking.py` has what a run opens once.

A file of conf/logger/ lists functions of this module as its `targets`; several files may be chosen together. A function
takes, beside the folder and the names, the options of its file that it has as arguments.
"""

import inspect

from hydra.utils import get_method
from pytorch_lightning.loggers import CSVLogger, Logger


def open_all(config: dict, save_dir: str, run: str, training: str) -> list[Logger]:
    """Open every logger of a configuration.

    Args:
        config: the key `logger`: `targets`, by name, and their options.
        save_dir: the folder of all logs.
        run: name and identity of the run.
        training: its name within the run.
    """
    options = {name: value for name, value in config.items() if name not in ("targets", "trackers")}
    loggers = []
    for target in config["targets"].values():
        method = get_method(target)  # called directly, so that its errors arrive as they are
        wanted = inspect.signature(method).parameters
        loggers.append(method(save_dir, run, training, **{k: v for k, v in options.items() if k in wanted}))
    return loggers


def csv(save_dir: str, run: str, training: str) -> Logger:
    """Write the file metrics.csv, which a continued training begins anew."""
    return CSVLogger(save_dir, name=run, version=training, flush_logs_every_n_steps=10)


def begins_anew(logger: object) -> bool:
    """Tell whether a logger keeps nothing of an interrupted training, and so needs its curves again."""
    return isinstance(logger, CSVLogger)


def close(loggers: list[Logger]) -> None:
    """End the loggers of a training."""
    for logger in loggers:
        logger.finalize("success")
