"""Arguments of `python run.py` → its configuration, and the labels of its record. Loads no torch."""

import shlex

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, open_dict

from tasks.errors import UserError
from zoo.paths import CONF, conf_folders

# what changes where and how a run is made, not what comes out
FOLDERS = ("data_dir", "cache_dir", "results_dir")
SILENT = (*FOLDERS, "logger", "rerun", "trainer", "model", "task", "experiment", "hydra")
SILENT_DOTTED = (
    "trainer.workers", "trainer.threads", "trainer.checkpoint_seconds", "trainer.lightning", "task.source",
    "task.download", "task.ids",
)  # fmt: skip


def compose_config(arguments: list[str]) -> tuple[DictConfig, dict]:
    """Compose the configuration of `python run.py` with these arguments, and the labels of its record."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        own = [f"hydra.searchpath=[file://{folder}]" for folder in conf_folders()[1:]]
        config = compose("config", [*arguments, *own], return_hydra_config=True)
    job = config.hydra
    with open_dict(config):
        del config["hydra"]
    return config, labels_of(config, job.runtime.choices, job.overrides.task)


def labels_of(config: DictConfig, choices: DictConfig, arguments: ListConfig) -> dict:
    """Collect what a record is labelled with: model, experiment, changed options, command."""
    if not isinstance(config.published, DictConfig | None):
        raise UserError(f"published={config.published}: an experiment sets it, with its paper's figures; leave it out")
    keys = [argument.lstrip("+~").partition("=")[0] for argument in arguments]
    changed = [
        argument.lstrip("+")
        for key, argument in zip(keys, arguments, strict=True)
        if key not in SILENT and not key.startswith(SILENT_DOTTED)
    ]
    command = [argument for key, argument in zip(keys, arguments, strict=True) if key not in FOLDERS]
    return {
        "model": choices["model"],
        "experiment": choices.get("experiment"),
        "overrides": sorted(changed),
        "published": (config.published or {}).get("key"),
        "command": shlex.join(["python", "run.py", *command]),
    }
