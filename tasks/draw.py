"""Random choices of the generators of stories; all that is random comes from one function, `Draw`."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Draw = Callable[[], float]  # uniform in [0, 1); `random.Random.random`, whose numbers Python promises to keep
Item = TypeVar("Item")


def pick(draw: Draw, among: Sequence[Item]) -> Item:
    """Choose one item, each as likely as the others."""
    return among[int(draw() * len(among))]


def other(draw: Draw, number: int, but: int) -> int:
    """Choose a number from 0 to `number` - 1 that is not `but`."""
    drawn = int(draw() * (number - 1))
    return drawn + (drawn >= but)
