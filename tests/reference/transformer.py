"""A Transformer over sentences, token by token and head by head."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import encode


def normalise(network, x: Tensor, which: int) -> Tensor:
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return (
        torch.stack([(value - mean) / (variance + 1e-5) ** 0.5 for value in x]) * network.gain[which]
        + network.shift[which]
    )


def answer(network, story: list[list[int]], question: list[int], length: int) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the question's attention in every layer, averaged over heads."""
    story = story[-network.window :]

    def said(words: list[int], which: int) -> Tensor:
        if network.masks is None:
            return encode(words, network.words, length)
        return sum(network.masks[which, j] * network.words[word] for j, word in enumerate(words))

    tokens = [said(sentence, 0) + network.times[len(story) - 1 - i] for i, sentence in enumerate(story)]
    tokens.append(said(question, 1) + network.asked)
    d_k = network.words.shape[1] // network.heads
    attention = []
    for layer in range(len(network.W_Q)):
        plain = [normalise(network, x, 2 * layer) for x in tokens]
        found, of_question = [], []
        for x in plain:
            heads, of_question = [], []
            for head in range(network.heads):
                part = slice(head * d_k, (head + 1) * d_k)
                query = network.W_Q[layer][part] @ x
                seen = plain if network.sees_question else plain[:-1]
                scores = [query @ (network.W_K[layer][part] @ y) / d_k**0.5 for y in seen]
                weights = torch.softmax(torch.stack(scores), dim=0)
                heads.append(sum(w * (network.W_V[layer][part] @ y) for w, y in zip(weights, seen, strict=True)))
                of_question.append(weights[: len(story)])
            found.append(network.W_O[layer] @ torch.cat(heads))
        tokens = [x + more for x, more in zip(tokens, found, strict=True)]
        for i, x in enumerate(tokens):
            hidden = torch.relu(network.W_1[layer] @ normalise(network, x, 2 * layer + 1) + network.b_1[layer])
            tokens[i] = x + network.W_2[layer] @ hidden + network.b_2[layer]
        looks = sum(of_question) / network.heads
        attention.append(looks / looks.sum())
    ends = [normalise(network, x, -1) for x in tokens]
    return network.answers @ (sum(ends) / len(ends) if network.from_all else ends[-1]), torch.stack(attention)
