"""Layers of the transformer."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from zoo import kernels


class Layer(NamedTuple):
    """The weights of a layer; gain and shift are those of its two sublayers."""

    gain: Tensor  # (2, d)
    shift: Tensor  # (2, d)
    W_Q: Tensor  # (d, d)
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor
    W_1: Tensor  # (f, d)
    b_1: Tensor  # (f,)
    W_2: Tensor  # (d, f)
    b_2: Tensor  # (d,)


def transform(x: Tensor, seen: Tensor, layer: Layer, heads: int, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """A layer: attention, then two maps; both read normalised tokens, and their output is added to the tokens.

    Args:
        x: (N, T, d) tokens.
        seen: (N, T) those that are attended to. Of others than these and the last of a question, anything may be
            returned.
        layer: the weights.
        heads: of the attention.
        kept: (N, 2, d) what the output of each sublayer is multiplied with, for dropout.

    Returns:
        The tokens after the layer, and the attention of the last token, (N, T), averaged over the heads.
    """
    if kernels.usable(x, *layer):
        return _layer(x, seen, *layer, kept, heads)
    found, weights = attend(normalise(x, layer.gain[0], layer.shift[0]), seen, layer, heads)
    x = x + (found if kept is None else found * kept[:, :1])
    hidden = (normalise(x, layer.gain[1], layer.shift[1]) @ layer.W_1.T + layer.b_1).relu()
    found = hidden @ layer.W_2.T + layer.b_2  # eq. 2
    return x + (found if kept is None else found * kept[:, 1:]), weights[:, :, -1].mean(1)


def attend(x: Tensor, seen: Tensor, layer: Layer, heads: int) -> tuple[Tensor, Tensor]:
    """Eq. 1 for every head: softmax(Q K^T / sqrt(d_k)) V; the heads are joined by W_O (section 3.2.2)."""
    batch, tokens, d = x.shape
    Q, K, V = ((x @ W.T).view(batch, tokens, heads, -1).transpose(1, 2) for W in (layer.W_Q, layer.W_K, layer.W_V))
    scores = Q @ K.transpose(2, 3) / math.sqrt(d // heads)
    weights = torch.where(seen[:, None, None], scores, -torch.inf).softmax(dim=-1)
    return (weights @ V).transpose(1, 2).reshape(batch, tokens, d) @ layer.W_O.T, weights


def normalise(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain + shift


_layer = kernels.Operator(
    "layer",
    inputs={
        "x": 3, "seen": 2, "gain": 2, "shift": 2, "W_Q": 2, "W_K": 2, "W_V": 2, "W_O": 2, "W_1": 2, "b_1": 1, "W_2": 2,
        "b_2": 1, "kept": 3,
    },
    outputs=("y", "attention"),
    shapes=lambda x, seen, *others: [x, seen],
    gradients=("x", "gain", "shift", "W_Q", "W_K", "W_V", "W_O", "W_1", "b_1", "W_2", "b_2"),
    returned=2,
    numbers=("heads",),
)  # fmt: skip
