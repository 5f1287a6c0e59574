"""Sentences as sums of word vectors.

A sum over the words of a sentence is a product of a matrix of word counts with the word vectors. For the whole table
of distinct sentences that is one dense product, forward and backward, where looking words up and adding them would
gather and scatter row by row. Only where a task has thousands of words, looking them up is faster. A kernel adds the
vectors of the words that are there and multiplies nothing.
"""

from functools import cache

import torch
from torch import Tensor

from tasks.batch import PAD
from zoo import kernels
from zoo.parts.cells import rows

# sum_j l_j * f_j * x_j for each sentence, l constant and f learned; either may be missing
_encode = kernels.Operator(
    "encode",
    inputs={"sentences": 2, "words": 3, "constant": 2, "masks": 2},
    outputs=("sums",),
    shapes=lambda sentences, words, constant, masks: [(words[0], sentences[0], words[2])],
    gradients=("words", "masks"),
)

LOOKED_UP = 60  # words of the vocabulary, for each word of a sentence, above which words are looked up


def count_words(sentences: Tensor, vocabulary: int, weights: Tensor) -> Tensor:
    """Count each word in each sentence; place j counts `weights[j]` times.

    Args:
        sentences: (U, J) word ids.
        vocabulary: V.
        weights: (J,) of each place.

    Returns:
        (U, V); the column of the empty word is zero, so that its vector says nothing and gets no gradient from here.
    """
    counted = torch.where(sentences == PAD, 0.0, weights)
    return counted.new_zeros(*sentences.shape[:-1], vocabulary).scatter_add(-1, sentences, counted)


def weighted_sum(sentences: Tensor, words: Tensor, terms: list[tuple[Tensor, Tensor | None]]) -> Tensor:
    """Compute sum_j l_j * x_j for each sentence, l_j a vector for place j: (U, J) and (..., V, d) to (..., U, d).

    Args:
        sentences: (U, J) word ids.
        words: (..., V, d) tables of word vectors.
        terms: summands of l. Each is a product of a number per place, (J,), and one per dimension, (d,); None
            is 1 for all dimensions.
    """
    lead, (vocabulary, dim) = words.shape[:-2], words.shape[-2:]
    if vocabulary <= LOOKED_UP * sentences.shape[-1]:  # one product for all terms and tables
        counts = torch.cat([count_words(sentences, vocabulary, place) for place, _ in terms], dim=-1)
        tables = torch.cat([words if scale is None else words * scale for _, scale in terms], dim=-2)
        summed = counts @ tables.movedim(-2, 0).flatten(1)
    else:
        tables = words.movedim(-2, 0).reshape(vocabulary, -1)
        found = rows(tables, sentences).unflatten(-1, (-1, dim))  # (U, J, ..., d)
        weights = sum(place[:, None, None] * (1.0 if scale is None else scale) for place, scale in terms)  # (J, 1, d)
        summed = torch.where(sentences[..., None, None] == PAD, 0.0, found * weights).sum(1)
    return summed.view(len(sentences), *lead, dim).movedim(0, -2)


def feature_sum(numbers: Tensor, often: Tensor, table: Tensor) -> Tensor:
    """Compute sum_p often_p * x_p for each sentence, x_p the vector of feature p: (U, P) both and (D, d) to (U, d)."""
    if len(table) <= LOOKED_UP * numbers.shape[-1]:
        return often.new_zeros(len(numbers), len(table)).scatter_add(1, numbers, often) @ table
    return (rows(table, numbers) * often[..., None]).sum(1)


def bag_of_words(sentences: Tensor, words: Tensor) -> Tensor:
    """sum_j x_j for each sentence: (U, J) and tables of vectors (..., V, d) to (..., U, d)."""
    if kernels.usable(words):
        return _encode_each(sentences, words, None)
    ones = torch.ones(sentences.shape[-1], dtype=words.dtype, device=words.device)
    return weighted_sum(sentences, words, [(ones, None)])


def position_encoding(sentences: Tensor, words: Tensor) -> Tensor:
    """Compute sum_j l_j * x_j for each sentence, with l_kj = 1 + 4 (k - (d+1)/2) (j - (J+1)/2) / (d J).

    That is the formula of the authors' code of MemN2N. The paper prints (1 - j/J) - (k/d) (1 - 2j/J), which is half of
    it but for terms of order 1/d and 1/J. In l, place and dimension meet in one product only, so the sum splits into
    two bags of words: sum_j x_j + (4/d) (k - (d+1)/2) sum_j ((j - (J+1)/2) / J) x_j.

    Args:
        sentences: (U, J) word ids; J is the longest sentence of the task, as in the authors' code.
        words: (..., V, d) tables of word vectors.

    Returns:
        (..., U, d)
    """
    length, dim = sentences.shape[-1], words.shape[-1]
    if kernels.usable(words):
        return _encode_each(sentences, words, position_weights(length, dim))
    j = torch.arange(1, length + 1, dtype=words.dtype, device=words.device)
    k = torch.arange(1, dim + 1, dtype=words.dtype, device=words.device)
    tilt = (j - (length + 1) / 2) / length, 4 / dim * (k - (dim + 1) / 2)
    return weighted_sum(sentences, words, [(torch.ones_like(j), None), tilt])


def masked_sum(sentences: Tensor, words: Tensor, masks: Tensor) -> Tensor:
    """Compute sum_j f_j * x_j for each sentence, f_j a vector for place j: (U, J), (V, d) and (J, d) to (U, d).

    One product: the place and the word of a sentence's entry choose a row among all f_j * x_v.
    """
    if kernels.usable(words, masks):
        return _encode(sentences, words[None], None, masks)[0]
    vocabulary, dim = words.shape
    chosen = words.new_zeros(*sentences.shape, vocabulary).scatter(2, sentences[..., None], 1.0)
    chosen = torch.where(sentences[..., None] == PAD, 0.0, chosen)
    return chosen.flatten(1) @ (masks[:, None] * words).view(-1, dim)


def _encode_each(sentences: Tensor, words: Tensor, constant: Tensor | None) -> Tensor:
    """Sums with each table of word vectors: (U, J) and (..., V, d) to (..., U, d)."""
    sums = _encode(sentences, words.reshape(-1, *words.shape[-2:]), constant, None)
    return sums.view(*words.shape[:-2], *sums.shape[1:])


@cache
def position_weights(length: int, dim: int) -> Tensor:
    """l of the position encoding, (J, d)."""
    with torch.inference_mode(False):  # it is kept, and others may need a gradient
        j, k = torch.arange(1.0, length + 1), torch.arange(1.0, dim + 1)
        return 1 + 4 / dim * (k - (dim + 1) / 2) * ((j - (length + 1) / 2) / length)[:, None]


ENCODERS = {"bag": bag_of_words, "position": position_encoding}
