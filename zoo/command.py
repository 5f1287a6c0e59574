"""From Hydra's configuration to a run."""

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from zoo.runner import run

# what changes where and how a run is made, not what comes out
FOLDERS = ("data_dir", "cache_dir", "results_dir")
SILENT = (*FOLDERS, "logger", "rerun", "trainer", "model", "task", "experiment", "hydra")
SILENT_DOTTED = (
    "trainer.workers", "trainer.threads", "trainer.checkpoint_seconds", "task.source", "task.download", "task.ids",
)  # fmt: skip


def start(config: DictConfig) -> None:
    job = HydraConfig.get()
    choices = job.runtime.choices
    said = [override.lstrip("+") for override in job.overrides.task if not override.startswith("~")]
    keys = [override.partition("=")[0] for override in said]
    overrides = [
        override
        for key, override in zip(keys, said, strict=True)
        if key not in SILENT and not key.startswith(SILENT_DOTTED)
    ]
    command = [override for key, override in zip(keys, said, strict=True) if key not in FOLDERS]
    labels = {
        "model": choices["model"],
        "experiment": choices.get("experiment"),
        "overrides": sorted(overrides),
        "published": (config.published or {}).get("key"),
        "command": " ".join(["python run.py", *command]),
    }
    run(OmegaConf.to_container(config, resolve=True, throw_on_missing=True), labels)
