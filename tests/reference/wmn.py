"""Working memory network, head by head and pair by pair."""

import torch
from torch import Tensor


def gru(network, which: int, x: Tensor, h: Tensor) -> Tensor:
    d = len(h)
    W, U, b = (table[which].split(d) for table in (network.W, network.U, network.b))
    z = torch.sigmoid(W[0] @ x + U[0] @ h + b[0])
    r = torch.sigmoid(W[1] @ x + U[1] @ h + b[1])
    candidate = torch.tanh(W[2] @ x + r * (U[2] @ h) + b[2])
    return (1 - z) * candidate + z * h


def transition(network, x: Tensor) -> Tensor:
    return network.t_up @ (network.t_down @ x + network.t_down_bias) + network.t_up_bias


def answer(network, story: list[list[int]], question: list[int]) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the attention of every hop, averaged over heads."""
    d = network.dim
    story = story[-network.window :]
    nothing = network.words.new_zeros(d)
    memories = []
    for i, sentence in enumerate(story):
        h = nothing
        for word in sentence:
            h = gru(network, 0, network.words[word], h)
        memories.append(gru(network, 0, network.times[len(story) - 1 - i], h))
    q = nothing
    for word in question:
        q = gru(network, 1, network.question_words[word], q)
    u, outputs, attention = transition(network, q), [], []
    for hop in range(network.hops):
        reads, weights = [], []
        for head in range(network.heads):
            W = network.W_head[hop][head * d : (head + 1) * d]
            a = torch.softmax(torch.stack([torch.tanh(W @ m) @ u / d**0.5 for m in memories]), dim=0)
            reads.append(sum(a[i] * m for i, m in enumerate(memories)))
            weights.append(a)
        o = network.W_out[hop] @ torch.cat(reads)
        outputs.append(o)
        attention.append(sum(weights) / network.heads)
        u = transition(network, o)
    total = 0
    for o_i in outputs:
        for o_j in outputs:
            x = torch.relu(network.g_1 @ torch.cat([o_i, o_j, q]) + network.g_bias[0])
            x = torch.relu(network.g_2 @ x + network.g_bias[1])
            total = total + torch.relu(network.g_3 @ x + network.g_bias[2])
    return network.f @ total, torch.stack(attention)
