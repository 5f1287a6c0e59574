"""Memory networks behind one interface: trained, compared, and taken home.

    net = zoo.load("gated_memn2n", task=2)
    net.answer(["Mary went to the kitchen.", "Mary took the milk."], "Where is the milk?")

A name is loaded when it is first used, so `import zoo` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.notebook import create, leaderboard, list_models, list_pretrained, train
    from zoo.pretrained.load import load

__all__ = ["create", "leaderboard", "list_models", "list_pretrained", "load", "train"]


def __getattr__(name: str) -> Any:
    if name == "leaderboard":  # a package too, which can be called
        return import_module("zoo.leaderboard")
    if name in __all__:
        return getattr(import_module("zoo.pretrained.load" if name == "load" else "zoo.notebook"), name)
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
