"""Arguments of `python run.py` → its configuration, and the labels of its record. Loads no torch."""

import re
import shlex
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict

from tasks.errors import UserError
from zoo.paths import CONF, conf_folders
from zoo.runs.options import check

OPTIONS = (  # that a command may set: top level of the configuration
    "model", "task", "model_on_task", "trainer", "logger", "experiment", "protocol", "restarts", "seed", "rerun",
    "data_dir", "cache_dir", "results_dir",
)  # fmt: skip
# what changes where and how a run is made, not what comes out
FOLDERS = ("data_dir", "cache_dir", "results_dir")
SILENT = (*FOLDERS, "logger", "rerun", "trainer", "model", "task", "experiment", "hydra")
SILENT_DOTTED = (
    "trainer.workers", "trainer.threads", "trainer.checkpoint_seconds", "trainer.lease_seconds", "trainer.lightning",
    "task.source", "task.download", "task.ids", "logger.",
)  # fmt: skip


def arguments_of(command: str) -> list[str]:
    """Read the arguments of a record's command, which somebody else may have written.

    Only options of the configuration are let through: no option of Hydra, which could import packages or read files,
    no `_target_`, and no value that is looked up elsewhere.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    for word in words[2:]:
        name, equals, _ = word.partition("=")
        known = re.fullmatch(r"[+~]?[A-Za-z_][\w./]*", name) and name.lstrip("+~").split(".")[0] in OPTIONS
        is_said = equals or word.startswith("~")
        if not known or not is_said or any(hidden in word for hidden in ("_target_", "${", "..")):
            raise UserError(f"the command of a record holds '{word[:100]}', which is no option of a run")
    if words[:2] != ["python", "run.py"]:
        raise UserError(f"the command of a record is '{command[:100]}', expected python run.py …")
    return words[2:]


def compose_config(arguments: list[str]) -> tuple[DictConfig, dict]:
    """Compose the configuration of `python run.py` with these arguments, and the labels of its record."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        own = [f"hydra.searchpath=[file://{folder}]" for folder in conf_folders()[1:]]
        config = compose("config", [*arguments, *own], return_hydra_config=True)
    job = config.hydra
    with open_dict(config):
        del config["hydra"]
    return config, labels_of(config, job)


def labels_of(config: DictConfig, job: Any) -> dict:
    """Check a configuration, and collect what a record is labelled with: model, experiment, changed options, command.

    Args:
        config: as composed.
        job: what Hydra says of it, a HydraConf.
    """
    choices, arguments = job.runtime.choices, job.overrides.task
    check(config, choices, conf_folders())
    keys = [argument.lstrip("+~").partition("=")[0] for argument in arguments]
    changed = [
        argument.lstrip("+")
        for key, argument in zip(keys, arguments, strict=True)
        if key not in SILENT and not key.startswith(SILENT_DOTTED)
    ]
    private = (*FOLDERS, "logger.")  # a project and its owner are nobody else's
    command = [argument for key, argument in zip(keys, arguments, strict=True) if not key.startswith(private)]
    return {
        "model": choices["model"],
        "experiment": choices.get("experiment"),
        "overrides": sorted(changed),
        "published": (config.published or {}).get("key"),
        "command": shlex.join(["python", "run.py", *command]),
    }
