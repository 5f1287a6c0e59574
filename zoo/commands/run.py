"""zoo run model=memn2n task=babi task.ids=[1] [name=value …]

Train a model on a task, or go on with a run that was interrupted. The same as python run.py.
zoo run --cfg job … shows a configuration whole.
"""

import yaml

from zoo.paths import CONF, choices

GROUPS = ("model", "task", "experiment", "trainer", "logger")


def main(arguments: list[str]) -> None:
    from zoo.runs.entry import main  # Hydra is loaded only now

    main(arguments)


def help_text() -> str:
    """Print what Hydra's --help prints, without loading Hydra."""
    template: str = yaml.safe_load((CONF / "config.yaml").read_text())["hydra"]["help"]["template"]
    groups = "\n".join(f"  {group}: {', '.join(choices(group))}" for group in GROUPS)
    return template.replace("$APP_CONFIG_GROUPS", f"Names to choose:\n{groups}\n")
