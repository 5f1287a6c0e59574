"""Key-value memory network as its equations stand in the paper (arXiv:1606.03126, section 3): loops, no batches."""

import torch
from torch import Tensor


def bag(sentence: list[int], words: Tensor) -> Tensor:
    return sum((words[word] for word in sentence), torch.zeros(words.shape[1], dtype=words.dtype))


def memories(network, story: list[list[int]]) -> list[tuple[int, Tensor, Tensor]]:
    """For each memory its sentence, its key and its value."""
    found = []
    A_V = network.A if network.A_V is None else network.A_V
    for place, sentence in enumerate(story):
        ago = len(story) - 1 - place  # 0 for the last sentence
        key_time, value_time = network.key_times[ago], network.value_times[ago]
        if network.triples:
            found.append((place, bag(sentence[1:], network.A) + key_time, A_V[sentence[0]] + value_time))
        elif network.centre is None:
            found.append((place, bag(sentence, network.A) + key_time, bag(sentence, A_V) + value_time))
        else:
            for i, word in enumerate(sentence):
                others = sentence[:i] + sentence[i + 1 :]
                key = bag(others, network.A) + network.centre[word]
                found.append((place, key + key_time, A_V[word] + value_time))
    return found


def answer(network, story: list[list[int]], question: list[int], common: set[int]) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the attention to the sentences at each hop.

    `common` are the words that hashing does not go by.
    """
    story = story[-network.window :]
    held = memories(network, story)
    if network.hashing:
        hit = [m for m in held if (set(story[m[0]]) & set(question)) - common]
        held = hit or held
    q = bag(question, network.A)
    attention = []
    for R, bias in zip(network.R, network.R_bias, strict=True):
        p = torch.softmax(torch.stack([q @ key for _, key, _ in held]), dim=0)
        o = sum(p[i] * value for i, (_, _, value) in enumerate(held))
        q = R @ (q + o) + bias
        attention.append(
            torch.stack(
                [sum(p[i] for i, m in enumerate(held) if m[0] == t) + q.new_zeros(()) for t in range(len(story))]
            )
        )
    A_V = network.A if network.A_V is None else network.A_V
    B = A_V[1:] if network.B is None else network.B
    return B @ q, torch.stack(attention)
