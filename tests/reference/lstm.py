"""An LSTM word by word, gate by gate."""

import torch
from torch import Tensor


def step(network, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    d = len(h)
    W, U, b = (table.split(d) for table in (network.W, network.U, network.b))
    i = torch.sigmoid(W[0] @ x + U[0] @ h + b[0])
    f = torch.sigmoid(W[1] @ x + U[1] @ h + b[1])
    o = torch.sigmoid(W[2] @ x + U[2] @ h + b[2])
    c = f * c + i * torch.tanh(W[3] @ x + U[3] @ h + b[3])
    return o * torch.tanh(c), c


def answer(network, story: list[list[int]], question: list[int]) -> Tensor:
    """Scores of every word but the empty one."""
    h = c = network.words.new_zeros(network.U.shape[1])
    for sentence in [*story, question]:
        for word in sentence:
            h, c = step(network, network.words[word], h, c)
    return network.answers @ h


def bits(network, inputs: Tensor) -> Tensor:
    """Log-odds of every bit after every step of one sequence, (T, O); layer above layer."""
    d = network.U.shape[2]
    states = [tuple(state.split(d)) for state in network.first_state]
    scores = []
    for heard in inputs:
        for layer, (h, c) in enumerate(states):
            W = network.W if layer == 0 else network.W_up[layer - 1]
            gates = (W @ heard + network.U[layer] @ h + network.b[layer]).split(d)
            i, f, o = (torch.sigmoid(gate) for gate in gates[:3])
            c = f * c + i * torch.tanh(gates[3])
            heard = o * torch.tanh(c)
            states[layer] = heard, c
        scores.append(network.answers @ heard + network.b_answers)
    return torch.stack(scores)
