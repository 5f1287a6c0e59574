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
