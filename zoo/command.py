"""From Hydra's configuration to a run."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from zoo.runner import run

# what changes where and how a run is made, not what comes out
FOLDERS = ("data_dir", "cache_dir", "results_dir")
SILENT = (*FOLDERS, "logger", "rerun", "trainer", "model", "task", "experiment", "hydra")
SILENT_DOTTED = ("trainer.workers", "trainer.threads", "trainer.checkpoint_seconds", "task.source", "task.download")


def start(config: DictConfig) -> None:
    job = HydraConfig.get()
    choices = job.runtime.choices
    said = [override for override in job.overrides.task if not override.startswith("~")]
    named = (override.partition("=") for override in said)
    overrides = [
        f"{key.lstrip('+')}={value}"
        for key, _, value in named
        if key not in SILENT and not key.startswith(SILENT_DOTTED) and key != "task.ids"
    ]
    labels = {
        "model": choices["model"],
        "experiment": choices.get("experiment"),
        "overrides": sorted(overrides),
        "published": (config.published or {}).get("key"),
        "command": " ".join(["python run.py", *(o for o in said if o.lstrip("+").partition("=")[0] not in FOLDERS)]),
    }
    run(OmegaConf.to_container(config, resolve=True, throw_on_missing=True), labels)
