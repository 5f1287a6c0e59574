"""The settings of a record → the plan of a run that makes it again.

A record is data: nothing that it names is trusted.
"""

from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tasks.errors import UserError
from zoo.records import Part, Record
from zoo.runs.compose import compose_config
from zoo.runs.known import check_known, registered
from zoo.runs.plan import Plan, plan

# options that change where and how a run is made, and not its figures
FREE = (
    "data_dir", "cache_dir", "results_dir", "rerun", "logger", "task.download", "trainer.workers", "trainer.threads",
    "trainer.checkpoint_seconds", "trainer.lease_seconds", "trainer.kernels",
)  # fmt: skip


def free_names(overrides: list[str]) -> set[str]:
    """Read what the overrides of a run that is made again set; refuse one that would change its figures."""
    given = {override.lstrip("+~").partition("=")[0]: override for override in overrides}
    for name, override in given.items():
        if not name.startswith(FREE):
            raise UserError(f"'{override}' would change the run; what may be set is {', '.join(FREE)}")
    return set(given)


def plan_again(
    record: Record, part: Part, overrides: list[str], ids: list[int] | None, rounding: dict[str, bool]
) -> Plan:
    """Plan to make one of the runs of a record again.

    Args:
        record: it is made from its settings, not from its command.
        part: the run.
        overrides: further options, which must not decide any figure.
        ids: the tasks; None for all.
        rounding: options of the trainer that only round otherwise, as they were; the overrides go before them.
    """
    check_known(record)
    given = free_names(overrides)
    config = cast(dict, OmegaConf.to_container(compose_config(overrides)[0], resolve=True))
    settings, task = record.settings, record.settings["task"]
    yamls = (cast(dict, OmegaConf.to_container(OmegaConf.load(file))) for file in registered("task")[task["_target_"]])
    usual: dict = next((of for of in yamls if of.get("name") in (None, task.get("name"))), {})
    together = max((len(names) for names in settings.get("together", [])), default=1)
    config |= {
        "model": settings["model"],
        # options that official data do not have, and where a run may look for them
        "task": {**usual, **task, "download": config["task"].get("download", False)},
        "protocol": settings["protocol"],
        "restarts": part.restarts,
        "seed": part.seed,
        "trainer": config["trainer"]
        | {name: settings[name] for name in ("max_epochs", "accelerator") if name in settings}
        | {"together": together}
        | {name: was for name, was in rounding.items() if f"trainer.{name}" not in given},
    }
    config["task"] = {name: value for name, value in config["task"].items() if name != "defaults"}
    if ids is not None:
        config["task"]["ids"] = ids
    labels = {name: getattr(record, name) for name in ("model", "experiment", "overrides", "published")}
    try:
        return plan(config, labels | {"command": part.command})
    except UserError as error:
        raise UserError(f"{record.file.name}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OmegaConfBaseException) as error:
        said = repr(error).partition("\n")[0][:200]
        raise UserError(f"the settings of {record.file.name} do not make a run ({said})") from None
