"""Interrupts that wait until something is whole."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold interrupts back until the block is done.

    One that comes while modules are loaded may be lost, and leave a module half made: pydantic, for one, goes on with
    a pattern that matches nothing.
    """
    came: list[tuple[int, Any]] = []
    before = {number: signal.signal(number, lambda *of: came.append(of)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            if callable(handler := before[signal.Signals(number)]):
                handler(number, frame)
