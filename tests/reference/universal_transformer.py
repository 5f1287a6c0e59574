"""A Universal Transformer token by token, head by head and step by step (arXiv:1807.03819, arXiv:2107.05407)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tests.reference.entnet import encode


class Told(NamedTuple):
    scores: list[Tensor]  # of every word, the empty one included, after each step that may answer
    looks: Tensor  # (K, T) the question's attention to sentences, shares of their sum
    halts: list[Tensor]  # with `ponder`, the probability of each step
    cost: Tensor | float  # of halting


def normalise(network, x: Tensor, which: int) -> Tensor:
    centred = x - x.sum() / len(x)
    return centred / ((centred**2).sum() / len(x) + 1e-5) ** 0.5 * network.gain[which] + network.shift[which]


def coordinate(index: int, d: int) -> list[float]:
    angles = [index * 10_000 ** (-i / (d // 2 - 1)) for i in range(d // 2)]
    return [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]


def tell(network, story: list[list[int]], question: list[int], kept: list[list[Tensor]] | None = None) -> Told:
    """Everything from the words to the scores. `kept` has for each step what is kept behind both sublayers."""
    d = network.words.shape[1]
    words = network.words * d**0.5
    story = story[-network.window :]
    tokens = [encode(sentence, words, network.story_mask) for sentence in story]
    tokens.append(encode(question, words, network.question_mask))
    places = [*range(len(story)), network.index]
    P = [torch.tensor(coordinate(place, d), dtype=words.dtype) for place in places]
    looks, scores, means = [], [], []
    out = [torch.zeros_like(x) for x in tokens]  # ACT: of each token
    spent, halted, costs = [0.0] * len(tokens), [False] * len(tokens), [0.0] * len(tokens)
    for step in range(network.steps):
        y = [x + p + network.of_step[step] * d**0.5 for x, p in zip(tokens, P, strict=True)]
        tokens, looked = layer(network, y, None if kept is None else kept[step])
        looks.append(looked[:-1] / looked[:-1].sum())
        if network.halting == "act":
            for i, x in enumerate(tokens):
                if halted[i]:
                    continue
                p = torch.sigmoid(network.w_halt[0] @ y[i] + network.b_halt[0])
                halted[i] = bool(spent[i] + p > 0.99)
                rest = 1 - spent[i]
                w = rest if halted[i] else p
                costs[i] = costs[i] + 1 + (rest if halted[i] else 0)
                spent[i] = spent[i] + w
                out[i] = w * x + (1 - w) * out[i]
        if network.halting == "ponder":
            means.append(mean(network, tokens))
    if network.halting != "ponder":
        means = [mean(network, out if network.halting == "act" else tokens)]
    for pooled in means:
        scores.append(torch.cat([pooled.new_zeros(1), network.answers @ pooled + network.b_answer]))
    halts, left = [], 1.0
    if network.halting == "ponder":
        for pooled in means[:-1]:
            lambda_n = torch.sigmoid(network.w_halt[0] @ pooled + network.b_halt[0])
            halts.append(left * lambda_n)
            left = left * (1 - lambda_n)
        halts.append(torch.as_tensor(left, dtype=words.dtype))
    return Told(scores, torch.stack(looks), halts, sum(costs) / len(costs))


def mean(network, tokens: list[Tensor]) -> Tensor:
    return sum(normalise(network, x, 2) for x in tokens) / len(tokens)


def layer(network, tokens: list[Tensor], kept: list[Tensor] | None) -> tuple[list[Tensor], Tensor]:
    """The tokens after a step, and the attention of the last, averaged over the heads."""
    d_k = len(tokens[0]) // network.heads
    plain = [normalise(network, x, 0) for x in tokens]
    after, of_last = [], []
    for x, token in zip(plain, tokens, strict=True):
        heads, of_last = [], []
        for head in range(network.heads):
            part = slice(head * d_k, (head + 1) * d_k)
            query = network.W_Q[part] @ x
            weights = torch.softmax(
                torch.stack([query @ (network.W_K[part] @ other) / d_k**0.5 for other in plain]), dim=0
            )
            heads.append(sum(w * (network.W_V[part] @ other) for w, other in zip(weights, plain, strict=True)))
            of_last.append(weights)
        found = network.W_O @ torch.cat(heads)
        a = token + (found if kept is None else found * kept[0])
        found = network.W_2 @ torch.relu(network.W_1 @ normalise(network, a, 1) + network.b_1) + network.b_2
        after.append(a + (found if kept is None else found * kept[1]))
    return after, sum(of_last) / network.heads
