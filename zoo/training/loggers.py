"""Where learning curves go while they grow; each training of a run is a run of the logger."""

import logging
import os
from pathlib import Path

from pytorch_lightning.loggers import CSVLogger, Logger

from tasks.errors import UserError


def csv(save_dir: str, run: str, training: str) -> Logger:
    return CSVLogger(save_dir, name=run, version=training, flush_logs_every_n_steps=10)


def tensorboard(save_dir: str, run: str, training: str) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(save_dir, name=run, version=training)
    except ModuleNotFoundError:
        raise UserError("logger=tensorboard needs a package: pip install -e '.[tensorboard]'") from None


def wandb(save_dir: str, run: str, training: str, project: str) -> Logger:
    import wandb as client
    from pytorch_lightning.loggers import WandbLogger

    logging.getLogger("wandb").setLevel(logging.ERROR)
    os.environ.setdefault("WANDB_SILENT", "true")
    logged_in = bool(os.environ.get("WANDB_API_KEY") or client.api.api_key)
    mode = os.environ.get("WANDB_MODE", "online" if logged_in else "offline")
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    return WandbLogger(name=f"{run} {training}", group=run, project=project, save_dir=save_dir, mode=mode)


def none(save_dir: str, run: str, training: str) -> None:
    return None


def close(logger: Logger | None) -> None:
    """Ends the logger's run: wandb would otherwise continue it with the next training of the process."""
    if logger is None:
        return
    logger.finalize("success")
    if type(logger).__name__ == "WandbLogger":
        import wandb as client

        client.finish()
