"""Families of tasks, by name: the meaning of a record's figures, and their place in tables.

A module of this folder with an instance FAMILY is a family; `register` adds one that lies elsewhere.
"""

from importlib import import_module
from pkgutil import iter_modules

from tasks.errors import UserError, nearest
from zoo.families.board import Family

FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family; its tables stand behind those of the families before it."""
    FAMILIES[family.name] = family


def family_of(name: str) -> Family:
    """Find a family by its name in records."""
    if name not in FAMILIES:
        raise UserError(f"family '{name}' is not known{nearest(name, list(FAMILIES))} ({', '.join(FAMILIES)})")
    return FAMILIES[name]


def _found() -> list[Family]:
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return sorted(found, key=lambda family: (family.place, family.name))


for _family in _found():
    register(_family)
