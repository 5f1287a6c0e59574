"""Dynamic memory network, word by word, fact by fact, pass by pass (arXiv:1506.07285)."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import gru


class Plain:
    """One question: its story and itself as lists of words."""

    def __init__(self, network, story: list[list[int]], question: list[int]) -> None:
        self.network = network
        nothing = network.words.new_zeros(network.dim)
        h, self.facts = nothing, []
        for number, sentence in enumerate(story):
            if network.times is not None:
                h = nothing
            for word in sentence:
                h = gru(network, 0, network.words[word], h)
            self.facts.append(h if network.times is None else h + network.times[len(story) - number - 1])
        self.q = nothing
        for word in question:
            self.q = gru(network, 1, network.words[word], self.q)

    def score(self, c: Tensor, m: Tensor) -> Tensor:
        """What the gate of a fact is the sigmoid or softmax of."""
        network, q = self.network, self.q
        bilinear = torch.stack([c @ network.W_b @ q, c @ network.W_b @ m])
        z = torch.cat([c, m, q, c * q, c * m, (c - q).abs(), (c - m).abs(), bilinear])
        return (network.W_2 @ torch.tanh(network.W_1 @ z + network.b_1) + network.b_2)[0]

    def passes(self, count: int | None) -> tuple[Tensor, list[Tensor]]:
        """m after `count` passes, or until the end vector wins, and the scores of each pass, the end's last."""
        network, m, scores = self.network, self.q, []
        for number in range(network.passes):
            here = torch.stack([self.score(c, m) for c in [*self.facts, network.end]])
            stops = number >= count if count is not None else number > 0 and int(here.argmax()) == len(self.facts)
            scores.append(here)
            if stops:
                if count is None:
                    scores.pop()
                break
            h = torch.zeros_like(m)
            if network.by_gru:
                for c, score in zip(self.facts, here[:-1], strict=True):
                    g = torch.sigmoid(score)
                    h = g * gru(network, 4, c, h) + (1 - g) * h
            else:
                whole = torch.exp(here).sum()
                for c, score in zip([*self.facts, network.end], here, strict=True):
                    h = h + torch.exp(score) / whole * c
            m = gru(network, 2, h, m)
        return m, scores

    def answers(self, m: Tensor) -> Tensor:
        return self.network.W_a @ gru(self.network, 3, self.q, m)
