"""Key-value memory network as its equations stand in the paper (arXiv:1606.03126, section 3): loops, no batches."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import encode as position


def bag(sentence: list[int], words: Tensor) -> Tensor:
    return sum((words[word] for word in sentence), torch.zeros(words.shape[1], dtype=words.dtype))


def encode(sentence: list[int], words: Tensor, length: int | None) -> Tensor:
    return bag(sentence, words) if length is None else position(sentence, words, length)


def memories(network, story: list[list[int]], length: int | None) -> list[tuple[int, Tensor, Tensor]]:
    """For each memory its sentence, its key and its value."""
    found = []
    A_V = network.A if network.A_V is None else network.A_V
    for place, sentence in enumerate(story):
        ago = len(story) - 1 - place  # 0 for the last sentence
        key_time, value_time = network.key_times[ago], network.value_times[ago]
        if network.triples:
            found.append((place, bag(sentence[1:], network.A) + key_time, A_V[sentence[0]] + value_time))
        elif network.centre is None:
            key, value = (encode(sentence, words, length) for words in (network.A, A_V))
            found.append((place, key + key_time, value + value_time))
        else:
            for i, word in enumerate(sentence):
                others = sentence[:i] + sentence[i + 1 :]
                key = bag(others, network.A) + network.centre[word]
                found.append((place, key + key_time, A_V[word] + value_time))
    return found


def answer(network, story: list[list[int]], question: list[int], length: int | None) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and the attention to the sentences at each hop.

    `length` is the task's longest sentence where the encoding has positions; of a bag None.
    """
    story = story[-network.window :]
    held = memories(network, story, length)
    if network.hashing:
        rare = {word for word in question if sum(word in sentence for sentence in story) <= len(story) / 2}
        hit = [m for m in held if set(story[m[0]]) & rare]
        held = hit or held
    q = encode(question, network.A, length)
    attention = []
    for R, bias in zip(network.R, network.R_bias, strict=True):
        scores = torch.stack([q @ key for _, key, _ in held])
        p = scores if network.linear else torch.softmax(scores, dim=0)
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
