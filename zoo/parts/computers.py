"""Differentiable neural computers, run over stories or sequences step after step."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo import kernels
from zoo.kernels import Shape, padded
from zoo.parts.cells import rows
from zoo.parts.linked import Rows, sizes


class State(NamedTuple):
    """All that a computer holds between two steps."""

    h: Tensor  # (B, d) the controller's output as it goes back to it and on to the answer
    c: Tensor  # (B, d) the controller's cell
    rows: Rows


class Maps(NamedTuple):
    """The weights of a computer; see models/dnc.py. Gains and shifts are those of layer norm, if there is any."""

    W_r: Tensor
    U: Tensor
    b: Tensor
    W_said: Tensor
    b_said: Tensor
    gate_gain: Tensor | None
    cell_gain: Tensor | None
    cell_shift: Tensor | None
    said_gain: Tensor | None
    said_shift: Tensor | None


class Steps(NamedTuple):
    """Outputs and weightings of all steps, (B, T, ...), and the vectors that were read."""

    h: Tensor
    reading: Tensor
    writing: Tensor
    reads: Tensor


def run(
    step: Callable[[Tensor, Tensor | None, State], State], x: Tensor, heard: Tensor, kept: Tensor | None, state: State,
    asked: Tensor, maps: Maps,
) -> tuple[Steps, State]:  # fmt: skip
    """Take step after step; return what is known after each, and the states that are asked for.

    Args:
        step: from what is heard, (B, 4d), `kept` and a state to the next state; the kernel does the same.
        x: (V, 4d) what can be heard.
        heard: (B, T) the row of x that is heard in each step; negative where none is, and nobody asks for what follows.
        kept: (B, d) what dropout makes of the controller's output; None: it stays as it is.
        state: before the first step.
        asked: (N,) after which steps, each a number b T + t.
        maps: the weights.
    """
    if kernels.usable(x, state.h, state.c, *state.rows, *maps):
        return _run(x, heard, kept, state, asked, maps)
    states = []
    for some in heard.unbind(1):
        state = step(rows(x, some.clamp(min=0)), kept, state)
        states.append(state)

    def after(*steps: Tensor) -> Tensor:
        each = torch.stack(steps, dim=1)
        return rows(each.flatten(2).flatten(0, 1), asked).view(len(asked), *each.shape[2:])

    memory = Rows(*map(after, *(state.rows for state in states)))
    then = State(after(*(state.h for state in states)), after(*(state.c for state in states)), memory)
    known = ((s.h, s.rows.reading, s.rows.writing, s.rows.reads) for s in states)
    return Steps(*(torch.stack(each, dim=1) for each in zip(*known, strict=True))), then


def _run(x: Tensor, heard: Tensor, kept: Tensor | None, state: State, asked: Tensor, maps: Maps) -> tuple[Steps, State]:
    held = state.rows
    (_, width, slots), links = held.memory.shape, held.links.shape[1]
    outer = torch.cat([state.h, held.reads.flatten(1), held.reading.flatten(1), held.writing], dim=1)
    inner = torch.cat([state.c, held.memory.flatten(1), held.usage, held.precedence, held.links.flatten(1)], dim=1)
    outer, inner = _computer(x, heard, asked, kept, outer, inner, *maps, slots, width)
    d, heads = state.h.shape[1], held.reads.shape[1]

    def parts(outer: Tensor) -> Steps:
        h, reads, reading, writing = outer.split([d, heads * width, heads * slots, slots], dim=-1)
        return Steps(h, reading.unflatten(-1, (heads, slots)), writing, reads.unflatten(-1, (heads, width)))

    then = parts(rows(outer.flatten(0, 1), asked))
    c, memory, usage, precedence, pairs = inner.split([d, width * slots, slots, links, links * links], dim=1)
    memory, pairs = memory.unflatten(1, (width, slots)), pairs.view(len(asked), links, links)
    return parts(outer), State(
        then.h, c, Rows(memory, usage, then.writing, precedence, pairs, then.reading, then.reads)
    )


def _shapes(
    x: Shape, heard: Shape, asked: Shape, kept: Shape | None, outer: Shape, inner: Shape, W_r: Shape, U: Shape,
    b: Shape, W_said: Shape, b_said: Shape, gate_gain: Shape | None, cell_gain: Shape | None,
    cell_shift: Shape | None, said_gain: Shape | None, said_shift: Shape | None, slots: int, width: int,
) -> list[Shape]:  # fmt: skip
    (B, T), (A,), (said, d), heads = heard, asked, W_said, W_r[1] // width
    linked = said > sum(sizes(heads, width, links=False))
    memory = (width + 2 + heads + (1 + slots if linked else 0)) * padded(slots)
    said, times = padded(said), 1 if gate_gain is None else 2
    row = padded(W_r[1] + d) + times * (4 * padded(d) + said) + 2 * padded(d) + memory + padded(1)
    return [(B, T, outer[1]), (A, inner[1]), (B * T, row)]


_computer = kernels.Operator(
    "computer",
    inputs={
        "x": 2, "heard": 2, "asked": 1, "kept": 2, "outer": 2, "inner": 2, "W_r": 2, "U": 2, "b": 1, "W_said": 2,
        "b_said": 1, "gate_gain": 1, "cell_gain": 1, "cell_shift": 1, "said_gain": 1, "said_shift": 1,
    },
    outputs=("after", "then", "planes"),
    shapes=_shapes,
    gradients=(
        "x", "outer", "inner", "W_r", "U", "b", "W_said", "b_said", "gate_gain", "cell_gain", "cell_shift", "said_gain",
        "said_shift",
    ),
    returned=2,
    numbers=("slots", "width"),
)  # fmt: skip
