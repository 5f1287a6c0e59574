"""From Hydra's configuration to a run."""

import shlex
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from zoo.options import CONF, check, check_data_dir
from zoo.runner import Plan, plan, run

# what changes where and how a run is made, not what comes out
FOLDERS = ("data_dir", "cache_dir", "results_dir")
SILENT = (*FOLDERS, "logger", "rerun", "trainer", "model", "task", "experiment", "hydra")
SILENT_DOTTED = (
    "trainer.workers", "trainer.threads", "trainer.checkpoint_seconds", "task.source", "task.download", "task.ids",
)  # fmt: skip


def start(config: DictConfig) -> None:
    """Make the run of the configuration that Hydra has composed."""
    job = HydraConfig.get()
    labels = _labels(config, job)
    check_data_dir(config, list(job.overrides.task))
    run(_plan(config, labels))


def composed(overrides: list[str]) -> tuple[DictConfig, dict]:
    """The configuration of `python run.py` with these arguments, and what its record is labelled with."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides, return_hydra_config=True)
    job = config.hydra
    with open_dict(config):
        del config["hydra"]
    return config, _labels(config, job)


def planned(overrides: list[str]) -> Plan:
    """The run that `python run.py` with these arguments would make."""
    config, labels = composed(overrides)
    check_data_dir(config, overrides)
    return _plan(config, labels)


def _plan(config: DictConfig, labels: dict) -> Plan:
    return plan(OmegaConf.to_container(config, resolve=True, throw_on_missing=True), labels)


def _labels(config: DictConfig, job: DictConfig) -> dict:
    choices, arguments = job.runtime.choices, job.overrides.task
    folders = [Path(source.path) for source in job.runtime.config_sources if source.schema == "file"]
    check(config, choices, [CONF, *folders])
    keys = [override.lstrip("+~").partition("=")[0] for override in arguments]
    overrides = [
        override.lstrip("+")
        for key, override in zip(keys, arguments, strict=True)
        if key not in SILENT and not key.startswith(SILENT_DOTTED)
    ]
    command = [override for key, override in zip(keys, arguments, strict=True) if key not in FOLDERS]
    return {
        "model": choices["model"],
        "experiment": choices.get("experiment"),
        "overrides": sorted(overrides),
        "published": (config.published or {}).get("key"),
        "command": shlex.join(["python", "run.py", *command]),
    }
