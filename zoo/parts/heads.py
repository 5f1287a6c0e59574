"""Attention of several heads over the memories of a question, and relations between what they have found."""

import math

import torch
from torch import Tensor

from zoo import kernels
from zoo.kernels import Shape


def attend(memory: Tensor, u: Tensor, W_head: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Compute each head's read, z^h = sum_i a_i^h m_i, and attention, a^h = softmax_i tanh(W_h m_i) . u / sqrt d.

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


def _shapes(memory: Shape, u: Shape, W_head: Shape, seen: Shape) -> list[Shape]:
    N, T, d = memory
    heads = W_head[0] // d
    return [(N, W_head[0]), (N, heads, T), (N, T, heads * kernels.padded(d))]


_heads = kernels.Operator(
    "heads",
    inputs={"memory": 3, "u": 2, "W_head": 2, "seen": 2},
    outputs=("z", "a", "keys"),
    shapes=_shapes,
    gradients=("memory", "u", "W_head"),
    returned=2,
    whole=("memory", "u", "W_head"),
)


def relate(buffer: Tensor, q: Tensor, g_1: Tensor, g_2: Tensor, g_3: Tensor, bias: Tensor) -> Tensor:
    """sum over i, j of g([o_i; o_j; q]), (N, r): the first layer is a sum of a part for each of the three.

    Args:
        buffer: o, (N, K, d).
        q: (N, d)
        g_1: (r, 3d) weights of the first layer of g.
        g_2: (r, r)
        g_3: (r, r)
        bias: (3, r) of each layer.
    """
    if kernels.usable(buffer, q, g_1, g_2, g_3, bias):
        return _relate(buffer, q, g_1, g_2, g_3, bias)
    first, second, asked = g_1.split(q.shape[1], dim=1)
    x = (buffer @ first.T)[:, :, None] + (buffer @ second.T)[:, None] + (q @ asked.T)[:, None, None]
    x = (x + bias[0]).relu().flatten(1, 2)
    x = (x @ g_2.T + bias[1]).relu()
    return (x @ g_3.T + bias[2]).relu().sum(1)


_relate = kernels.Operator(
    "relate",
    inputs={"buffer": 3, "q": 2, "g_1": 2, "g_2": 2, "g_3": 2, "bias": 2},
    outputs=("sums",),
    shapes=lambda buffer, q, g_1, g_2, g_3, bias: [(buffer[0], g_1[0])],
    gradients=("buffer", "q", "g_1", "g_2", "g_3", "bias"),
    whole=("buffer", "q", "g_1", "g_2", "g_3", "bias"),
)
