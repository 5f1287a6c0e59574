"""Linear recurrences over time, h_t = a_t h_{t-1} + b_t from zero, without a loop over time.

All of b reaches h_t, shrunk on its way: h_t = sum over i <= t of b_i times the product of a_j, i < j <= t. With a number
a_t for all dimensions that is a product with a matrix of T by T. With a vector a_t it is a scan by doubling: after round
k each place holds the last 2^k terms.
"""

import torch
from torch import Tensor


def scan(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t-1} + b_t for every t, (B, T, d).

    Args:
        keep: (B, T, 1) or (B, T, d) log a_t, at most 0; 0 where nothing is told.
        new: (B, T, d) b_t; 0 where nothing is told.
    """
    return shrunk(keep) @ new if keep.shape[-1] == 1 else _doubled(keep.exp(), new)


def scan_back(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t+1} + b_t for every t, (B, T, d); see `scan`."""
    if keep.shape[-1] == 1:
        return shrunk(keep.flip(1)).flip(1, 2) @ new
    return _doubled(keep.exp().flip(1), new.flip(1)).flip(1)


def last(keep: Tensor, new: Tensor) -> Tensor:
    """Compute h_T alone, (B, d); see `scan`."""
    until = keep.cumsum(1)
    return ((until[:, -1:] - until).exp() * new).sum(1)


def shrunk(keep: Tensor) -> Tensor:
    """Compute what is left of b_i in h_t, (B, T, T): exp of the sum of log a_j, i < j <= t; 0 for i > t."""
    until = keep.cumsum(1)
    earlier = torch.ones(keep.shape[1], keep.shape[1], dtype=torch.bool, device=keep.device).tril()
    return torch.where(earlier, until - until.mT, -torch.inf).exp()


def _doubled(a: Tensor, h: Tensor) -> Tensor:
    """Compute h_t = a_t h_{t-1} + b_t, b given as h, in log2 T rounds."""
    length, step = h.shape[1], 1
    while step < length:
        h = torch.cat([h[:, :step], h[:, step:] + a[:, step:] * h[:, :-step]], dim=1)
        a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], dim=1)
        step *= 2
    return h
