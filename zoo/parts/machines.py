"""Machines with a memory, run over stories or sequences step after step."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo import kernels
from zoo.kernels import Shape, padded
from zoo.parts.cells import rows


class State(NamedTuple):
    output: Tensor  # (B, d) h
    controller: Tensor  # (B, layers, 2d) hidden state and cell of each LSTM; of a feed-forward controller nothing
    memory: Tensor  # (B, W, N) a row is a column here, so that the longer axis is the inner one, which is faster
    weights: Tensor  # (B, heads, N) of the read heads, then of the write heads
    reads: Tensor  # (B, read heads, W)


class Maps(NamedTuple):
    """The weights of a machine with a feed-forward controller or one LSTM; see models/ntm.py."""

    W_r: Tensor
    b: Tensor
    U: Tensor | None
    W_head: Tensor
    b_head: Tensor
    W_write: Tensor
    b_write: Tensor


def run(
    step: Callable[[Tensor, State], State], x: Tensor, heard: Tensor, state: State, asked: Tensor, gaps: bool,
    maps: Maps | None,
) -> tuple[Tensor, Tensor, Tensor, State]:  # fmt: skip
    """Outputs, weightings and reads after every step, (B, T, ...), and the states that are asked for.

    Args:
        step: from what is heard, (B, gates d), and a state to the next state; the kernel does the same for NTM's step.
        x: (V, gates d) what can be heard.
        heard: (B, T) the row of x that is heard in each step; negative where none is.
        state: before the first step.
        asked: (N,) after which steps, each a number b T + t.
        gaps: whether the state stays where nothing is heard; if not, nobody asks for what comes behind.
        maps: the weights of the machine; None: no kernel knows it.
    """
    if maps is not None and kernels.usable(x, *state, *maps):
        return _run(x, heard, state, asked, maps)
    states = []
    for some in heard.unbind(1):
        after = step(rows(x, some.clamp(min=0)), state)
        if gaps:
            there = [(some >= 0).view(-1, *[1] * (part.dim() - 1)) for part in state]
            after = State(*(torch.where(here, new, old) for here, new, old in zip(there, after, state, strict=True)))
        state = after
        states.append(state)
    outputs, _, _, weights, reads = parts = [torch.stack(part, dim=1) for part in zip(*states, strict=True)]
    found = (rows(part.flatten(2).flatten(0, 1), asked).view(len(asked), *part.shape[2:]) for part in parts)
    return outputs, weights, reads, State(*found)


def _run(x: Tensor, heard: Tensor, state: State, asked: Tensor, maps: Maps) -> tuple[Tensor, Tensor, Tensor, State]:
    _, width, slots = state.memory.shape
    hidden, cell = state.output, state.controller
    if maps.U is not None:
        hidden, cell = state.controller[:, 0].chunk(2, dim=1)
    outer = torch.cat([hidden, state.reads.flatten(1), state.weights.flatten(1)], dim=1)
    inner = torch.cat([cell, state.memory.flatten(1)], dim=1)
    outer, inner = _machine(x, heard, asked, outer, inner, *maps, slots, width, state.reads.shape[1])
    sizes = hidden.shape[1], state.reads[0].numel(), state.weights[0].numel()

    def parts(outer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, reads, weights = outer.split(sizes, dim=-1)
        return output, reads.unflatten(-1, state.reads.shape[1:]), weights.unflatten(-1, state.weights.shape[1:])

    outputs, reads, weights = parts(outer)
    output, reads_then, weights_then = parts(rows(outer.flatten(0, 1), asked))
    cell, memory = inner.split([cell.shape[1], width * slots], dim=1)
    if maps.U is not None:
        cell = torch.cat([output, cell], dim=1)[:, None]
    return outputs, weights, reads, State(output, cell, memory.unflatten(1, (width, slots)), weights_then, reads_then)


def _shapes(
    x: Shape, heard: Shape, asked: Shape, outer: Shape, inner: Shape, W_r: Shape, b: Shape, U: Shape | None,
    W_head: Shape, b_head: Shape, W_write: Shape, b_write: Shape, slots: int, width: int, reading: int,
) -> list[Shape]:  # fmt: skip
    (B, T), (A,), (_, d) = heard, asked, W_head
    heads, wide, N = W_head[0] // (width + 6), padded(d), padded(slots)
    heard_of_itself, said = W_r[1] + (0 if U is None else d), W_head[0] + W_write[0]
    row = padded(heard_of_itself) + (wide if U is None else 6 * wide) + padded(said) + (width + 1 + 6 * heads) * N
    return [(B, T, outer[1]), (A, inner[1]), (B * T, row)]


_machine = kernels.Operator(
    "machine",
    inputs={
        "x": 2, "heard": 2, "asked": 1, "outer": 2, "inner": 2, "W_r": 2, "b": 1, "U": 2, "W_head": 2, "b_head": 1,
        "W_write": 2, "b_write": 1,
    },
    outputs=("after", "then", "kept"),
    shapes=_shapes,
    gradients=("x", "outer", "inner", "W_r", "b", "U", "W_head", "b_head", "W_write", "b_write"),
    returned=2,
    numbers=("slots", "width", "reading"),
)  # fmt: skip
