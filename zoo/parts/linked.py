"""The memory of a differentiable neural computer: rows that are allocated, freed and linked."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6


class Rows(NamedTuple):
    """All that the memory holds between two steps; without links, `precedence` and `links` hold nothing."""

    memory: Tensor  # M, (B, W, N) a row is a column here, so that the longer axis is the inner one, which is faster
    usage: Tensor  # u, (B, N)
    writing: Tensor  # w^w, (B, N)
    precedence: Tensor  # p, (B, N)
    links: Tensor  # L, (B, N, N)
    reading: Tensor  # w^r, (B, R, N)
    reads: Tensor  # r, (B, R, W)


class Said(NamedTuple):
    """The controller's words to the memory. Without links `modes` is empty."""

    read_keys: Tensor  # (..., R, W)
    read_strengths: Tensor  # (..., R)
    write_key: Tensor  # (..., 1, W)
    write_strength: Tensor  # (..., 1)
    erase: Tensor  # e, (..., W)
    add: Tensor  # v, (..., W)
    free: Tensor  # f, (..., R)
    allocate: Tensor  # g^a, (..., 1)
    write: Tensor  # g^w, (..., 1)
    modes: Tensor  # pi, (..., R, 3) backward, by content, forward


def sizes(heads: int, width: int, links: bool) -> list[int]:
    """Count the numbers of each part of `Said`."""
    return [heads * width, heads, width, 1, width, width, heads, 1, 1, 3 * heads if links else 0]


def heard(xi: Tensor, heads: int, width: int) -> Said:
    """Take apart and squash what the controller says, (..., P)."""
    linked = xi.shape[-1] > sum(sizes(heads, width, links=False))
    keys, strengths, key, strength, erase, add, free, allocate, write, modes = xi.split(
        sizes(heads, width, linked), dim=-1
    )
    return Said(
        keys.unflatten(-1, (heads, width)),
        1 + F.softplus(strengths),
        key[..., None, :],
        1 + F.softplus(strength),
        torch.sigmoid(erase),
        add,
        torch.sigmoid(free),
        torch.sigmoid(allocate),
        torch.sigmoid(write),
        modes.unflatten(-1, (heads, 3)).softmax(dim=-1) if linked else modes,
    )


def turn(xi: Tensor, rows: Rows) -> Rows:
    """Compute the memory after one step: written to, then read.

    Args:
        xi: (B, P) what the controller says.
        rows: the memory before.
    """
    heads, width = rows.reads.shape[1:]
    said = heard(xi, heads, width)
    usage = use(said.free, rows)
    by_content = look_up(said.write_key, said.write_strength, rows.memory)[:, 0]
    w = said.write * (said.allocate * allocation(usage) + (1 - said.allocate) * by_content)
    M = rows.memory * (1 - said.erase[:, :, None] * w[:, None]) + said.add[:, :, None] * w[:, None]
    reading = look_up(said.read_keys, said.read_strengths, M)
    p, L = rows.precedence, rows.links
    if L.shape[1]:
        L = link(w, p, L)
        p = (1 - w.sum(-1, keepdim=True)) * p + w
        backward, content, forward = said.modes.unbind(-1)
        reading = (
            backward[:, :, None] * (rows.reading @ L)  # L^T w^r
            + content[:, :, None] * reading
            + forward[:, :, None] * (rows.reading @ L.mT)  # L w^r
        )
    return Rows(M, usage, w, p, L, reading, reading @ M.mT)


def use(free: Tensor, rows: Rows) -> Tensor:
    """Compute the usage of the rows: what was in use or was written to, and was not freed when it was read."""
    retained = torch.ones_like(rows.usage)  # psi
    for f, w in zip(free.unbind(1), rows.reading.unbind(1), strict=True):
        retained = retained * (1 - f[:, None] * w)
    written = rows.writing.detach()
    return (rows.usage + written - rows.usage * written) * retained


def look_up(keys: Tensor, strengths: Tensor, memory: Tensor) -> Tensor:
    """Compute c = softmax(beta cos(k, M_i)) over the rows, (B, heads, N).

    Args:
        keys: (B, heads, W)
        strengths: beta, (B, heads).
        memory: (B, W, N)
    """
    lengths = ((memory * memory).sum(1, keepdim=True) + EPSILON).sqrt()
    of_keys = ((keys * keys).sum(-1, keepdim=True) + EPSILON).sqrt()
    return (strengths[:, :, None] * (keys @ memory) / (of_keys * lengths + EPSILON)).softmax(dim=-1)


def allocation(usage: Tensor) -> Tensor:
    """Compute a: the rows by rising usage, phi, each get (1 - u) of what is left of those before, (B, N)."""
    u, phi = (EPSILON + (1 - EPSILON) * usage).sort(dim=-1, stable=True)
    each = u.log()
    a = (1 - u) * (each.cumsum(-1) - each).exp()  # the product of those before, whose gradient is fast under vmap
    return torch.zeros_like(a).scatter(-1, phi, a)


def link(w: Tensor, p: Tensor, links: Tensor) -> Tensor:
    """Compute L_ij = (1 - w_i - w_j) L_ij + w_i p_j, (B, N, N), with nothing on the diagonal."""
    off_diagonal = 1 - torch.eye(w.shape[1], dtype=w.dtype, device=w.device)
    return off_diagonal * ((1 - w[:, :, None] - w[:, None]) * links + w[:, :, None] * p[:, None])
