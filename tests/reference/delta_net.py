"""Fast weights as tensors, entry by entry (arXiv:1811.12143, section 3, and the delta rule): loops, no batches."""

import torch
from torch import Tensor


def encode(sentence: list[int], words: Tensor, mask: Tensor) -> Tensor:
    total = torch.zeros(words.shape[1], dtype=words.dtype)
    for j, word in enumerate(sentence):
        total = total + mask[j] * words[word] / len(mask)
    return total


def nets(network, s: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Entities and relations of a sentence, by a network of two layers each."""
    hidden = [torch.tanh(A @ s + a[0]) for A, a in zip(network.A, network.a, strict=True)]
    outer = [*zip(network.B_e, network.b_e, strict=True), *zip(network.B_r, network.b_r, strict=True)]
    out = [torch.tanh(B @ h + b[0]) for h, (B, b) in zip(hidden, outer, strict=True)]
    return out[: len(network.B_e)], out[len(network.B_e) :]


def at(F: Tensor, e: Tensor, r: Tensor) -> Tensor:
    """F[e, r] = sum_ij F_ij. e_i r_j."""
    total = torch.zeros(F.shape[2], dtype=F.dtype)
    for i in range(len(e)):
        for j in range(len(r)):
            total = total + F[i, j] * e[i] * r[j]
    return total


def put(F: Tensor, e: Tensor, r: Tensor, D: Tensor) -> Tensor:
    return F + torch.stack([torch.stack([e[i] * r[j] * D for j in range(len(r))]) for i in range(len(e))])


def unit(x: Tensor) -> Tensor:
    return x / torch.sqrt(sum(value * value for value in x))


def tell(network, F: Tensor, sentence: list[int]) -> Tensor:
    """The memory after one more sentence."""
    s = encode(sentence, network.words, network.mask)
    e, r = nets(network.of_sentence, s)
    if network.rule == "tpr":
        (e1, e2), (r1, r2, r3) = e, r
        w, m, b = at(F, e1, r1), at(F, e1, r2), at(F, e2, r3)
        return put(put(put(F, e1, r1, e2 - w), e1, r2, w - m), e2, r3, e1 - b)
    if network.w_alpha is not None:
        F = F * torch.exp(-torch.log(1 + torch.exp(network.w_alpha[0] @ s + network.b_alpha[0])))
    for n in range(network.writes):
        key, relation, value = unit(e[n]), unit(r[n]), e[network.writes + n]
        beta = 1 / (1 + torch.exp(-(network.W_beta[n] @ s + network.b_beta[n])))
        F = put(F, key, relation, beta * (value - at(F, key, relation)))
    return F


def ask(network, F: Tensor, question: list[int]) -> tuple[list[Tensor], Tensor]:
    """Find what every hop reads before it is normalised, and score all words but the empty one."""
    (entity,), relations = nets(network.of_question, encode(question, network.words, network.mask))
    found, total = [], 0
    for hop, r in enumerate(relations):
        x = at(F, entity, r)
        found.append(x)
        mean = sum(x) / len(x)
        variance = sum((value - mean) ** 2 for value in x) / len(x)
        entity = network.gain[hop] * (x - mean) / torch.sqrt(variance + 1e-7) + network.shift[hop]
        total = total + entity
    return found, network.Z @ total


def answer(network, story: list[list[int]], question: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Scores of every word but the empty one, and what every hop finds."""
    F = torch.zeros(network.entity, network.relation, network.entity, dtype=network.words.dtype)
    for sentence in story:
        F = tell(network, F, sentence)
    found, scores = ask(network, F, question)
    return scores, found
