"""Slots that every sentence of a story rewrites."""

from collections.abc import Callable

import torch
from torch import Tensor

from tasks.batch import Questions
from zoo import kernels
from zoo.kernels import Shape
from zoo.parts.cells import rows


def _shapes(features: Shape, stories: Shape, story: Shape, told: Shape, w: Shape, *others: Shape) -> list[Shape]:
    (B, T), (N,), (S, d) = stories, story, w
    wide = kernels.padded(d)
    return [(N, S, d), (B, T, S), (B, T + 1, S, wide), (B, T, S, wide), (B, T, S)]


_rewrite = kernels.Operator(
    "rewrite",
    inputs={"features": 2, "stories": 2, "story": 1, "told": 1, "w": 2, "key": 2, "U": 2, "slope": 1},
    outputs=("asked", "gates", "states", "candidates", "norms"),
    shapes=_shapes,
    gradients=("features", "w", "key", "U", "slope"),
    returned=2,
)


def rewrite(
    step: Callable, features: tuple[Tensor, Tensor, Tensor], batch: Questions, w: Tensor, key: Tensor, U: Tensor,
    slope: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The slots as every question sees them, (N, slots, d), and the gates of every sentence, (B, T, slots).

    The kernel reads each story as far as it is asked about.

    Args:
        step: from the slots, key and the features of a sentence to the next slots and the gates; the kernel does the
            same for EntNet's step.
        features: s, W s and s^T w_j with the bias of each gate, (U, d), (U, d) and (U, slots), of distinct sentences.
        batch: the stories and when the questions are asked.
        w: (slots, d) the slots before the first sentence.
        key: (slots, d) what a slot adds to each of its candidates.
        U: (d, d) map of the slots.
        slope: (d,) of PReLU.
    """
    table, length = torch.cat(features, dim=1), batch.stories.shape[1]
    if kernels.usable(table, w, key, U, slope):
        return _rewrite(table, batch.stories, batch.story, batch.told, w, key, U, slope)
    told = rows(table, batch.stories).split([part.shape[1] for part in features], dim=-1)
    h = w.expand(len(batch.stories), -1, -1)
    states, gates = [], []
    for s, Ws, sw in zip(*(part.unbind(1) for part in told), strict=True):
        h, g = step(h, key, s, Ws, sw)
        states.append(h)
        gates.append(g)
    every = torch.stack(states, dim=1)
    asked = rows(every.flatten(2).flatten(0, 1), batch.story * length + (batch.told - 1).clamp(min=0))
    return asked.view(-1, *w.shape), torch.stack(gates, dim=1)
