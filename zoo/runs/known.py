"""The names that this installation registers: of models and of tasks. Nothing is imported to find them."""

import re
from functools import cache
from pathlib import Path

from tasks.errors import UserError, nearest
from zoo.paths import conf_folders
from zoo.records import Record
from zoo.records.weights import About

TARGET = re.compile(r"^_target_:\s*([\w.]+)\s*(?:#.*)?$", re.MULTILINE)


def check_known(record: Record | About) -> None:
    """Refuse a record whose model or task is registered by no yaml of this installation; nothing is imported."""
    for group in ("model", "task"):
        target, known = record.settings[group]["_target_"], registered(group)
        if target not in known:
            raise UserError(
                f"{record.file} names {target[:200]}, which no yaml in conf/{group}/ registers"
                f"{nearest(target[:200], list(known))}; nothing of it was loaded"
            )


def registered(group: str) -> dict[str, list[Path]]:
    """Find the yaml files of a group, by the `_target_` that they name."""
    return _registered(group, tuple(conf_folders()))


@cache
def _registered(group: str, folders: tuple[Path, ...]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for file in sorted([*(folder / group).glob("*.yaml"), *(folder / f"{group}_on_task").rglob("*.yaml")]):
            for target in TARGET.findall(file.read_text()):
                found.setdefault(target, []).append(file)
    return found
