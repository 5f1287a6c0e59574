"""Records of runs and published figures → one table per data source, size and protocol. Nothing else is read.

`zoo.leaderboard("babi")` gives a family's table to pandas.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that is called as a function, because `zoo.leaderboard` is both."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        from zoo.notebook import leaderboard

        return leaderboard(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
