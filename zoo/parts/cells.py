"""Recurrent cells for `vmap`: the part of the input is computed beforehand, for every distinct word or sentence."""

import torch
from torch import Tensor

from tasks.batch import PAD
from zoo import kernels
from zoo.kernels import Shape


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


def recur(x: Tensor, words: Tensor, at: Tensor, h: Tensor, U: Tensor) -> Tensor:
    """States of a GRU or an LSTM where they are asked for; where nothing is heard, the state stays.

    Args:
        x: (V, 3d) W x + b of every word; of an LSTM (V, 4d).
        words: (B, L) word ids of each sequence, PAD where there is none.
        at: (N,) places of states: that of sequence b after l of its L places is b (L + 1) + l.
        h: (B, d) the state before; of an LSTM (B, 2d).
        U: (3d, d); of an LSTM (4d, d).

    Returns:
        (N, d) or (N, 2d).
    """
    if kernels.usable(x, h, U):
        return _recur(x, torch.where(words == PAD, -1, words), at, h, U, None)
    cell = lstm if len(U) == 4 * U.shape[1] else gru
    states = [h]
    for word, given in zip(words.unbind(1), rows(x, words).unbind(1), strict=True):
        h = torch.where(word[:, None] == PAD, h, cell(given, h, U))
        states.append(h)
    return rows(torch.stack(states, dim=1).flatten(0, 1), at)


def _shapes(x: Shape, words: Shape, at: Shape, h: Shape, U: Shape, gate: Shape | None) -> list[Shape]:
    (B, L), (N,), (_, S), (gates, d) = words, at, h, U
    wide = kernels.padded(d)
    return [(N, S), (B * (L + 1), S // d * wide), (B * L, (3 if gates == 2 * d else 4) * wide)]


_recur = kernels.Operator(
    "recur",
    inputs={"x": 2, "words": 2, "at": 1, "h": 2, "U": 2, "gate": 2},
    outputs=("asked", "states", "kept"),
    shapes=_shapes,
    gradients=("x", "h", "U", "gate"),
)


def after_words(sentences: Tensor) -> Tensor:
    """Places for `recur`, (B,): the end of each sequence (B, L)."""
    count, length = sentences.shape
    return torch.arange(count, device=sentences.device) * (length + 1) + length


def hear(sentences: Tensor, words: Tensor, h: Tensor, U: Tensor) -> Tensor:
    """Compute the state of a GRU or LSTM after the words of a sentence each; behind its end the state stays.

    Args:
        sentences: (B, J) word ids.
        words: (V, 3d) W x + b of every word; of an LSTM (V, 4d).
        h: (B, d) the state before; of an LSTM (B, 2d).
        U: (3d, d) or (4d, d).
    """
    return recur(words, sentences, after_words(sentences), h, U)


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Gather rows of a table (U, d) by an index of any shape, (..., d); the gradient adds up fast under vmap."""
    d = table.shape[-1]
    return table.gather(0, index.reshape(-1, 1).expand(-1, d)).view(*index.shape, d)


def let_in(x: Tensor, there: Tensor, U: Tensor, gate: Tensor) -> Tensor:
    """The last state of a GRU whose new states gates let in, (B, d): h + gate (GRU(x, h) - h), from zero.

    Args:
        x: (B, T, 3d) W x + b of every fact for `gru`, or (B, T, 2d) for `attention_gru`.
        there: (B, T) where there is a fact; elsewhere the gate is closed.
        U: (3d, d) or (2d, d).
        gate: (B, T) in [0, 1].
    """
    (count, length), d = there.shape, U.shape[1]
    h = x.new_zeros(count, d)
    if kernels.usable(x, U, gate):
        numbers = torch.arange(there.numel(), device=x.device).view(count, length)
        return _recur(x.flatten(0, 1), torch.where(there, numbers, -1), after_words(there), h, U, gate)
    for fact, open_ in zip(x.unbind(1), gate.unbind(1), strict=True):
        h = attention_gru(fact, h, U, open_) if len(U) == 2 * d else h + open_[:, None] * (gru(fact, h, U) - h)
    return h


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
