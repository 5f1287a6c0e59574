"""Attention of several heads over the memories of a question."""

import math

import torch
from torch import Tensor

from zoo import kernels


def attend(memory: Tensor, u: Tensor, W_head: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The read of each head, z^h = sum_i a_i^h m_i, and its weights, a^h = softmax_i tanh(W_h m_i) . u / sqrt d.

    Args:
        memory: m, (N, T, d).
        u: (N, d)
        W_head: (heads d, d) the W_h, one below the other.
        seen: (N, T) which memories there are.

    Returns:
        (N, heads d) and (N, heads, T).
    """
    if kernels.usable(memory, u, W_head):
        return _heads(memory, u, W_head, seen)
    count, slots, d = memory.shape
    k = torch.tanh(memory @ W_head.T).view(count, slots, -1, d)
    scores = (k * u[:, None, None]).sum(-1).transpose(1, 2) / math.sqrt(d)
    a = torch.where(seen[:, None], scores, -torch.inf).softmax(dim=-1)
    return (a @ memory).flatten(1), a


def _shapes(memory, u, W_head, seen) -> list[tuple[int, ...]]:
    N, T, d = memory
    heads = W_head[0] // d
    return [(N, W_head[0]), (N, heads, T), (N, T, heads * -(-d // 16) * 16)]


_heads = kernels.Operator(
    "heads",
    inputs={"memory": 3, "u": 2, "W_head": 2, "seen": 2},
    outputs=("z", "a", "keys"),
    shapes=_shapes,
    gradients=("memory", "u", "W_head"),
    returned=2,
)
