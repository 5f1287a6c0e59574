"""Options that conf/ declares. Every other name, and every value that no run can have, is refused."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from tasks.errors import UserError, nearest, shown
from zoo.paths import CONF, choices, conf_folders
from zoo.training.flags import FLAGS, REFUSED, reason_against

GROUPS = ("model", "task", "trainer", "logger")  # a run needs one of each
UNSET = ("experiment", "campaign", "engine")  # groups whose files declare no options of their own
FOLDERS = {"data_dir": "data", "cache_dir": "~/.cache/memory-zoo", "results_dir": "results"}


def _load(file: Path) -> DictConfig:
    return cast(DictConfig, OmegaConf.load(file))  # no yaml of conf/ is a list


def walk(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys below a node of a configuration."""
    for key in node:
        if key in ("defaults", "hydra"):
            continue
        yield f"{prefix}{key!s}"
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            yield from walk(child, f"{prefix}{key!s}.")


def declared() -> dict[str, list[str]]:
    """List every option of the command line, for every choice of the groups, with the files that declare it."""
    keys: dict[str, list[str]] = {key: [] for key in walk(_load(CONF / "config.yaml"))}
    groups = (path for folder in conf_folders() for path in sorted(folder.iterdir()) if path.is_dir())
    for group in (path for path in groups if path.name not in UNSET):
        name = group.name.removesuffix("_on_task")  # model_on_task sets options of the model
        keys.setdefault(name, [])
        for file in sorted(group.rglob("*.yaml")):
            for key in walk(_load(file), f"{name}."):
                keys.setdefault(key, []).append(f"conf/{file.relative_to(group.parent).as_posix()}")
    return keys | {"experiment": []}


def unknown(key: str, known: list[str], everywhere: list[str]) -> str:
    """Write the sentence about an option that no file declares.

    Args:
        key: its dotted name.
        known: the options that stand beside it.
        everywhere: the options of the whole configuration.
    """
    parent, _, name = key.rpartition(".")
    if parent == "trainer" and name in FLAGS:
        return f"'{key}' is a flag of Lightning's Trainer; type trainer.lightning.{name}="
    if parent in ("trainer", "trainer.lightning") and name in REFUSED:
        return f"'{key}' is not an option: {reason_against(name)}\n  there are: {', '.join(known)}"
    near = nearest(key, known) or nearest(key, everywhere)
    return f"'{key}' is not an option{near}\n  there are: {', '.join(known)}"


def check(config: DictConfig, picked: DictConfig, folders: list[Path]) -> None:
    """Refuse names that conf/ does not declare, with a plus or without, and values that no run can have.

    Options of the model are left to its class, which knows them all (`zoo.training.build`).

    Args:
        config: as composed.
        picked: the name chosen in each group.
        folders: where yamls lie: conf/, and those of `hydra.searchpath`.
    """
    for group in GROUPS:
        if not isinstance(config.get(group), DictConfig):
            raise UserError(f"{group}={shown(config.get(group))}: expected one of {', '.join(choices(group))}")
    root = [str(key) for key in _load(CONF / "config.yaml") if key not in ("defaults", "hydra")]
    _check_names(list(config), [*root, *GROUPS])
    _check_present(root, config, "")
    for group in ("task", "trainer", "logger"):
        # several loggers may be chosen, whose options then stand side by side
        chosen = choices(group) if group == "logger" else [picked[group]]
        files = [file for name in chosen for file in _files_of(group, name, folders)]
        if files:
            known = [key for file in files for key in walk(_load(file), f"{group}.")]
            _check_names(list(walk(config[group], f"{group}.")), list(dict.fromkeys(known)))
        if group != "logger":
            _check_present([str(key) for file in files for key in _load(file)], config[group], f"{group}.")
    for name, usual in FOLDERS.items():
        value = config.get(name)
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"{name}={shown(value)}: expected a folder, as in {name}={usual}")
    for group in ("model", "task"):
        target = config[group].get("_target_")
        if not isinstance(target, str) or "." not in target.strip("."):
            raise UserError(f"{group}._target_={target}: expected a module and a name in it; leave it out")
    if not isinstance(config.logger.get("targets"), DictConfig):
        raise UserError(f"logger.targets={config.logger.get('targets')}: expected functions by name; leave it out")
    if not isinstance(config.published, DictConfig | None):
        raise UserError(f"published={config.published}: an experiment sets it, to a row of results/; leave it out")


def check_data_dir(config: DictConfig, overrides: list[str]) -> None:
    """Refuse a folder of data that was named, by `data_dir=` or ZOO_DATA, and that is not there."""
    task = config.task
    if task.get("source", "generated") == "generated" or task.get("download"):
        return
    if Path(config.data_dir).expanduser().exists():
        return
    named = any(override.lstrip("+").startswith("data_dir=") for override in overrides)
    if not named and not os.environ.get("ZOO_DATA"):
        return
    where = f"{'data_dir' if named else 'ZOO_DATA'}={config.data_dir}"
    raise UserError(
        f"{where}: there is no such folder\n"
        "  to download the data into it:  add task.download=true\n"
        "  to do without:                 add task.source=generated (bAbI and WikiMovies)"
    )


def _check_names(given: list[str], known: list[str]) -> None:
    for key in given:
        if key not in known:
            parent = key.rpartition(".")[0]
            beside = [name for name in known if name.rpartition(".")[0] == parent and not name.endswith("_target_")]
            raise UserError(unknown(key, beside, known))


def _check_present(wanted: list[str], given: DictConfig, above: str) -> None:
    for name in wanted:
        if name != "defaults" and name not in given:
            raise UserError(f"~{above}{name} takes away what a run needs; leave it out")


def _files_of(group: str, name: str, folders: list[Path]) -> list[Path]:
    """Find the yaml of a choice, and those that its defaults list names; empty if no folder that we can read has it."""
    file = next((found for folder in folders if (found := folder / group / f"{name}.yaml").exists()), None)
    if file is None:
        return []
    below = [entry for entry in _load(file).get("defaults", []) if isinstance(entry, str)]
    others = [entry.removeprefix(f"/{group}/") for entry in below if entry != "_self_"]
    return [file, *(found for other in others for found in _files_of(group, other, folders))]
