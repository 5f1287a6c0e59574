"""A walk over the memories of a question, each compared with the best so far."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo import kernels

COUNTED = 2**24  # memories that a float can number


def walk(prefers: Callable[..., Tensor], candidates: Any, there: Tensor, times: Tensor, walked: int) -> Tensor:
    """Find the winner of a walk, (B,): y gives way to y' where `prefers(y, y', times)` is negative.

    Args:
        prefers: eq. 10 of memnn.py, between candidates; the kernel does the same.
        candidates: match, younger and place, (B, M) each.
        there: (B, M) memories that there are.
        times: (B, 3) weights of x for the time features.
        walked: memories that are compared, the first ones.
    """
    if kernels.usable(candidates.match, candidates.place, times) and walked < COUNTED:
        return _walk(candidates.match, candidates.younger, candidates.place, there, times, walked).long()
    winner = torch.zeros_like(there[:, :1], dtype=torch.long)
    for other in range(1, walked):
        rival = type(candidates)(*(of_all[:, other, None] for of_all in candidates))
        loses = prefers(candidates.at(winner), rival, times) < 0
        winner = torch.where(loses & there[:, other, None], other, winner)
    return winner[:, 0]


_walk = kernels.Operator(
    "walk",
    inputs={"match": 2, "younger": 2, "place": 2, "there": 2, "times": 2},
    outputs=("winner",),
    shapes=lambda match, *others: [(match[0],)],
    gradients=(),
    numbers=("walked",),
)
