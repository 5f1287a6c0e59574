"""QRN sentence by sentence (arXiv:1606.04582, section 2): two recurrences in time, one forwards and one backwards."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import encode


def answer(network, story: list[list[int]], question: list[int], length: int) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the update gates of every layer, averaged over dimensions."""
    d = network.words.shape[1]
    sentences = [encode(sentence, network.words, length) / 2 for sentence in story[-network.window :]]
    queries = [encode(question, network.words, length) / 2] * len(sentences)
    gates, h = [], torch.zeros(d, dtype=network.words.dtype)
    for layer in range(network.layers):
        last = layer == network.layers - 1
        z, c, reset = [], [], []
        for x, q in zip(sentences, queries, strict=True):
            z.append(1 / (1 + torch.exp(-(network.W_z @ (x * q) + network.b_z - 2.5))))
            c.append(torch.tanh(network.W_h @ torch.cat([x, q]) + network.b_h))
            if not last:
                reset.append(torch.sigmoid(network.W_r @ (x * q) + network.b_r))
        gates.append(torch.stack([gate.mean() for gate in z]))
        ways = []
        for way in (0,) if last else (0, 1):
            h, states = torch.zeros(d, dtype=network.words.dtype), {}
            times = range(len(sentences))
            for t in reversed(times) if way else times:
                r = 1 if last else reset[t][: len(z[t])] if way == 0 else reset[t][len(z[t]) :]
                h = z[t] * r * c[t] + (1 - z[t]) * h
                states[t] = h
            ways.append(states)
        if not last:
            queries = [ways[0][t] + ways[1][t] for t in range(len(sentences))]
    return network.W_y @ h, torch.stack(gates)
