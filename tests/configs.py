"""What stands in conf/, for tests that sweep it."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

ROOT = Path(__file__).parent.parent
MODELS = sorted(file.stem for file in (ROOT / "conf/model").glob("*.yaml"))
EXPERIMENTS = sorted(
    str(file.relative_to(ROOT / "conf/experiment").with_suffix(""))
    for file in (ROOT / "conf/experiment").rglob("*.yaml")
)
ON_TASKS = sorted(
    (file.stem, file.parent.name) for file in (ROOT / "conf/model_on_task").glob("*/*.yaml")
)  # model, task


def config(*overrides: str) -> dict:
    """The configuration that `python run.py` would run."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
