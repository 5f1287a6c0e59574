"""Query reduction: questions that sentences turn into easier ones, by recurrences without a loop over time.

In h_t = a_t h_{t-1} + b_t from zero, b_i reaches h_t shrunk by all a_j, i < j <= t. Where a_t is one number for all
dimensions, that is a product with a matrix of T by T. Where it is a vector, it is a scan by doubling: after round k
each place holds the last 2^k terms. The kernel has the loop.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.batch import PAD
from zoo import kernels
from zoo.kernels import Shape
from zoo.parts.cells import rows


class Reduction(NamedTuple):
    """The weights of every layer; g is 1, or d for a gate of each dimension."""

    W_z: Tensor  # (g, d)
    b_z: Tensor  # (g,)
    W_r: Tensor | None  # (2 g, d) forwards, then backwards; None for a single layer, which resets nothing
    b_r: Tensor | None  # (2 g,)
    W_h: Tensor  # (d, d) the part of the question in a candidate


def reduce(
    features: Tensor, of_x: Tensor, stories: Tensor, question: Tensor, weights: Reduction, layers: int
) -> tuple[Tensor, Tensor]:
    """Reduce each question layer by layer, in both directions but for the last; numbers of equations are QRN's.

    Args:
        features: (U, d) every distinct sentence.
        of_x: (U, d) what it gives to candidates, with their bias.
        stories: (B, T) rows of `features`, PAD where nothing is told.
        question: (B,)
        weights: of each layer the same.
        layers: K.

    Returns:
        The question after the last sentence and layer, (B, d), and the update gates, (B, K, T), the mean over
        dimensions.
    """
    if kernels.usable(features, of_x, *weights):
        return _reduce(features, of_x, stories, question, *weights, layers)
    W_z, b_z, W_r, b_r, W_h = weights
    told = (stories != PAD)[..., None]
    x, of_x = rows(features, stories), rows(of_x, stories)
    q = rows(features, question)[:, None]  # (B, 1, d); later (B, T, d), a question for each sentence
    gates = []
    for _ in range(layers):
        met = x * q
        logit = met @ W_z.T + b_z  # eq. 1
        z = torch.where(told, logit.sigmoid(), 0.0)
        keep = torch.where(told, F.logsigmoid(-logit), 0.0)  # log (1 - z)
        gates.append(z.mean(-1))
        new = z * torch.tanh(of_x + q @ W_h.T)  # eq. 2
        if len(gates) < layers and W_r is not None and b_r is not None:
            forwards, backwards = (met @ W_r.T + b_r).sigmoid().chunk(2, dim=-1)
            q = scan(keep, forwards * new) + scan_back(keep, backwards * new)  # eq. 3, in both directions
    return last(keep, new), torch.stack(gates, dim=1)


def _shapes(features: Shape, of_x: Shape, stories: Shape, *others: Shape | int | None) -> list[Shape]:
    layers = others[-1]
    assert isinstance(layers, int)
    return [(stories[0], features[1]), (stories[0], layers, stories[1])]


_reduce = kernels.Operator(
    "reduce",
    inputs={
        "features": 2, "of_x": 2, "stories": 2, "question": 1, "W_z": 2, "b_z": 1, "W_r": 2, "b_r": 1, "W_h": 2,
    },
    outputs=("h", "gates"),
    shapes=_shapes,
    gradients=("features", "of_x", "W_z", "b_z", "W_r", "b_r", "W_h"),
    returned=2,
    numbers=("layers",),
)  # fmt: skip


def scan(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t-1} + b_t for every t, (B, T, d).

    Args:
        keep: (B, T, 1) or (B, T, d) log a_t, at most 0; 0 where nothing is told.
        new: (B, T, d) b_t; 0 where nothing is told.
    """
    if keep.shape[-1] > 1:
        return _doubled(keep.exp(), new)
    until = keep.cumsum(1)
    earlier = torch.ones(keep.shape[1], keep.shape[1], dtype=torch.bool, device=keep.device).tril()
    return torch.where(earlier, until - until.mT, -torch.inf).exp() @ new


def scan_back(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t+1} + b_t for every t, (B, T, d); see `scan`."""
    return scan(keep.flip(1), new.flip(1)).flip(1)


def last(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_T alone, (B, d); see `scan`."""
    until = keep.cumsum(1)
    return ((until[:, -1:] - until).exp() * new).sum(1)


def _doubled(a: Tensor, h: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t-1} + b_t, b given as h, in log2 T rounds."""
    length, step = h.shape[1], 1
    while step < length:
        h = torch.cat([h[:, :step], h[:, step:] + a[:, step:] * h[:, :-step]], dim=1)
        a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], dim=1)
        step *= 2
    return h
