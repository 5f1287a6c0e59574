"""Interrupts that wait until something is whole."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold interrupts back until the block is done.

    One that comes while modules are loaded may be lost, and leave a module half made: pydantic, for one, goes on with
    a pattern that matches nothing.
    """
    came: list[int] = []
    before = {of: signal.signal(of, lambda number, _: came.append(number)) for of in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for of, handler in before.items():
            signal.signal(of, handler)
        if came:
            signal.raise_signal(came[0])
