"""Recurrent cells for `vmap`: the part of the input is computed beforehand, for every distinct word or sentence."""

import torch
from torch import Tensor

from tasks.batch import PAD


def lstm(x: Tensor, state: Tensor, U: Tensor) -> Tensor:
    """Compute a step of an LSTM.

    Args:
        x: (..., 4d) W x + b of the input, forget and output gate and of the candidate.
        state: (..., 2d) hidden state and cell.
        U: (4d, d), or one for each of several cells, (..., 4d, d)

    Returns:
        The next state, (..., 2d).
    """
    h, c = state.chunk(2, dim=-1)
    d = h.shape[-1]
    gates, candidate = (x + h @ U.mT).split([3 * d, d], dim=-1)
    i, f, o = torch.sigmoid(gates).chunk(3, dim=-1)
    c = f * c + i * torch.tanh(candidate)
    return torch.cat([o * torch.tanh(c), c], dim=-1)


def gru(x: Tensor, h: Tensor, U: Tensor) -> Tensor:
    """Compute a step of a GRU: z and r, then the candidate tanh(W x + b + r * (U h)), then (1 - z) candidate + z h.

    Args:
        x: (..., 3d) W x + b of the update gate, the reset gate and the candidate.
        h: (..., d) hidden state.
        U: (3d, d)
    """
    d = h.shape[-1]
    of_gates, candidate = x.split([2 * d, d], dim=-1)
    more_of_gates, of_candidate = (h @ U.T).split([2 * d, d], dim=-1)
    z, r = torch.sigmoid(of_gates + more_of_gates).chunk(2, dim=-1)
    candidate = torch.tanh(candidate + r * of_candidate)
    return candidate + z * (h - candidate)


def hear(sentences: Tensor, words: Tensor, h: Tensor, U: Tensor) -> Tensor:
    """Compute the state of a GRU after the words of a sentence each; behind the end of a sentence the state stays.

    Args:
        sentences: (B, J) word ids.
        words: (V, 3d) W x + b of every word.
        h: (B, d) the state before.
        U: (3d, d)
    """
    for word, x in zip(sentences.unbind(1), rows(words, sentences).unbind(1), strict=True):
        h = torch.where(word[:, None] == PAD, h, gru(x, h, U))
    return h


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Gather rows of a table (U, d) by an index of any shape, (..., d); the gradient adds up fast under vmap."""
    d = table.shape[-1]
    return table.gather(0, index.reshape(-1, 1).expand(-1, d)).view(*index.shape, d)


def attention_gru(x: Tensor, h: Tensor, U: Tensor, gate: Tensor) -> Tensor:
    """Compute a step of DMN+'s GRU, whose update gate is given: r, then tanh(W x + b + r * (U h)), let in by `gate`.

    Args:
        x: (..., 2d) W x + b of the reset gate and of the candidate.
        h: (..., d)
        U: (2d, d)
        gate: (...) in [0, 1]
    """
    reset, candidate = x.chunk(2, dim=-1)
    of_reset, of_candidate = (h @ U.T).chunk(2, dim=-1)
    candidate = torch.tanh(candidate + torch.sigmoid(reset + of_reset) * of_candidate)
    return h + gate[..., None] * (candidate - h)
