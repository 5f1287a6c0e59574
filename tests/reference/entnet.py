"""EntNet as its equations stand in the paper (arXiv:1612.03969, section 2): loops, no batches."""

import torch
from torch import Tensor


def encode(sentence: list[int], words: Tensor, mask: Tensor) -> Tensor:
    """Eq. 1: s = sum_i f_i * e_i."""
    total = torch.zeros(words.shape[1], dtype=words.dtype)
    for i, word in enumerate(sentence):
        total = total + mask[i] * words[word]
    return total


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.stack([value if value > 0 else slope[i] * value for i, value in enumerate(x)])


def answer(network, story: list[list[int]], question: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of every word but the empty one, attention over the slots, and the gates of every sentence."""
    words = network.words
    keys = words[1:] if network.keys is None else network.keys
    slots = [keys[j] for j in range(len(keys))]
    gates = []
    for sentence in story:
        s = encode(sentence, words, network.story_mask)
        gates.append([])
        for j, w in enumerate(keys):
            h = slots[j]
            gate = torch.sigmoid(s @ h + s @ w + network.gate_bias[j])  # eq. 2
            candidate = network.U @ h + network.U_bias + network.V @ w + network.W @ s
            h = h + gate * prelu(candidate, network.slope)  # eq. 3 and 4
            slots[j] = h / torch.sqrt((h * h).sum())  # eq. 5
            gates[-1].append(gate)
    q = encode(question, words, network.question_mask)
    p = torch.softmax(torch.stack([q @ h for h in slots]), dim=0)  # eq. 6
    u = sum(p[j] * h for j, h in enumerate(slots))
    y = network.R @ prelu(q + network.H @ u, network.slope)
    return y, p, torch.stack([torch.stack(of_one) for of_one in gates])
