"""Memory networks behind one interface, and how they are trained; nothing here knows a file format.

The names below are loaded when they are first used, so that `import zoo` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.pretrained.load import load as load

_WHERE = {"load": "zoo.pretrained.load"}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)
