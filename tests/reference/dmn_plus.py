"""DMN+ fact by fact and pass by pass (arXiv:1603.01417, section 3), without dropout."""

import torch
from torch import Tensor


def gru(network, which: int, x: Tensor, h: Tensor) -> Tensor:
    d = len(h)
    W, U, b = (table[which].split(d) for table in (network.W, network.U, network.b))
    z = torch.sigmoid(W[0] @ x + U[0] @ h + b[0])
    r = torch.sigmoid(W[1] @ x + U[1] @ h + b[1])
    candidate = torch.tanh(W[2] @ x + r * (U[2] @ h) + b[2])
    return (1 - z) * candidate + z * h


def encode(sentence: list[int], words: Tensor, length: int) -> Tensor:
    """Position encoding of the authors' code of MemN2N; `length` is the task's longest sentence."""
    d = words.shape[1]
    total = torch.zeros(d, dtype=words.dtype)
    for j, word in enumerate(sentence, start=1):
        weights = [1 + 4 * (k - (d + 1) / 2) * (j - (length + 1) / 2) / (d * length) for k in range(1, d + 1)]
        total = total + torch.tensor(weights, dtype=words.dtype) * words[word]
    return total


def answer(network, story: list[list[int]], question: list[int], length: int) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the attention of every pass."""
    d = network.dim
    nothing = network.words.new_zeros(d)
    sentences = [encode(sentence, network.words, length) for sentence in story[-network.window :]]
    forwards, backwards = [], []
    h = nothing
    for s in sentences:
        h = gru(network, 1, s, h)
        forwards.append(h)
    h = nothing
    for s in reversed(sentences):
        h = gru(network, 2, s, h)
        backwards.insert(0, h)
    facts = [a + b for a, b in zip(forwards, backwards, strict=True)]
    q = nothing
    for word in question:
        q = gru(network, 0, network.words[word], q)
    m, attention = q, []
    W_r, W_c = network.W_attend.split(d)
    U_r, U_c = network.U_attend.split(d)
    b_r, b_c = network.b_attend.split(d)
    for W_m, b_m in zip(network.W_m, network.b_m, strict=True):
        scores = []
        for f in facts:
            z = torch.cat([f * q, f * m, (f - q).abs(), (f - m).abs()])
            scores.append((network.W_2 @ torch.tanh(network.W_1 @ z + network.b_1))[0])
        g = torch.softmax(torch.stack(scores), dim=0)
        c = nothing
        for i, f in enumerate(facts):
            r = torch.sigmoid(W_r @ f + U_r @ c + b_r)
            c = g[i] * torch.tanh(W_c @ f + r * (U_c @ c) + b_c) + (1 - g[i]) * c
        m = torch.relu(W_m @ torch.cat([m, c, q]) + b_m)
        attention.append(g)
    return network.W_a @ torch.cat([m, q]), torch.stack(attention)
