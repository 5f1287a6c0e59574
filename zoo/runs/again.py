"""The settings of a record → the plan of a run that makes it again.

A record is data: nothing that it names is trusted.
"""

from typing import cast

from omegaconf import OmegaConf

from tasks.errors import UserError, nearest
from zoo.paths import conf_folders
from zoo.records import Part, Record
from zoo.runs.compose import compose_config
from zoo.runs.plan import Plan, plan

# options that change where and how a run is made, and not its figures
FREE = (
    "data_dir", "cache_dir", "results_dir", "rerun", "logger", "task.download", "trainer.workers", "trainer.threads",
    "trainer.checkpoint_seconds", "trainer.compile", "trainer.kernels",
)  # fmt: skip


def check_known(record: Record) -> None:
    """Refuse a record whose model or task is registered by no yaml of this installation; nothing is imported."""
    for group in ("model", "task"):
        target, known = record.settings[group]["_target_"], targets(group)
        if target not in known:
            raise UserError(
                f"{record.file.name} names {target}, which no yaml in conf/{group}/ registers"
                f"{nearest(target, list(known))}; nothing of it was loaded"
            )


def targets(group: str) -> dict[str, list[dict]]:
    """Find what the yaml files of a group register: their options, by `_target_`."""
    found: dict[str, list[dict]] = {}
    for folder in conf_folders():
        for file in sorted([*(folder / group).glob("*.yaml"), *(folder / f"{group}_on_task").rglob("*.yaml")]):
            options = OmegaConf.to_container(OmegaConf.load(file))
            if isinstance(options, dict) and isinstance(options.get("_target_"), str):
                found.setdefault(options["_target_"], []).append(options)
    return found


def plan_again(
    record: Record, part: Part, overrides: list[str], ids: list[int] | None, rounding: dict[str, bool]
) -> Plan:
    """Plan to make one of the runs of a record again.

    Args:
        record: it is made from its settings, not from its command.
        part: the run.
        overrides: further options, which must not decide any figure.
        ids: the tasks; None for all.
        rounding: options of the trainer that only round otherwise, as they were.
    """
    check_known(record)
    for override in overrides:
        name = override.lstrip("+~").partition("=")[0]
        if not name.startswith(FREE):
            raise UserError(f"'{override}' would change the run; what may be set is {', '.join(FREE)}")
    config = cast(dict, OmegaConf.to_container(compose_config(overrides)[0], resolve=True))
    settings, task = record.settings, record.settings["task"]
    usual: dict = next(
        (of for of in targets("task")[task["_target_"]] if of.get("name") in (None, task.get("name"))), {}
    )
    together = max((len(names) for names in settings.get("together", [])), default=1)
    config |= {
        "model": settings["model"],
        # options that official data do not have, and where a run may look for them
        "task": {**usual, **task, "download": config["task"].get("download", False)},
        "protocol": settings["protocol"],
        "restarts": part.restarts,
        "seed": part.seed,
        "trainer": config["trainer"]
        | {name: settings[name] for name in ("max_epochs", "accelerator")}
        | {"together": together}
        | rounding,
    }
    config["task"] = {name: value for name, value in config["task"].items() if name != "defaults"}
    if ids is not None:
        config["task"]["ids"] = ids
    labels = {name: getattr(record, name) for name in ("model", "experiment", "overrides", "published")}
    return plan(config, labels | {"command": part.command})
