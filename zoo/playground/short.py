"""Weights that take less room on a page, of networks that answer as before."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from tasks.corpus import Corpus
from zoo.interface import MemoryNetwork
from zoo.kinds.stories import evaluation_batches
from zoo.playground import graph
from zoo.pretrained.network import Network
from zoo.training.ensemble import Ensemble

BITS = range(12, 24)  # significant ones, of rounded weights
SAME = 9e-5  # by which rounded weights may change a probability


def shortened(network: Network, corpus: Corpus) -> MemoryNetwork:
    """Round the weights of a network, and leave out those of words that no training sentence has.

    It answers every question of the test as before, and no probability changes by more than SAME.
    """
    if network.words != corpus.words:
        return network.model
    before = list(_probabilities(network.model, corpus))
    model = _without_unseen(network, corpus, before)
    for bits in BITS:
        short = deepcopy(model)
        for weights in short.parameters():
            weights.data = graph.shortened(weights.data, bits)
        if _alike(before, short, corpus):
            return short
    return model


def _without_unseen(network: Network, corpus: Corpus, before: Sequence[Tensor]) -> MemoryNetwork:
    """Put zeros in place of what a table says of unseen words, table by table, where no answer needs it."""
    model = deepcopy(network.model)
    if not network.unseen.any():
        return model
    for weights in model.parameters():
        if weights.dim() < 2 or weights.shape[-2] != len(network.unseen):
            continue
        for table in weights.data.view(-1, *weights.shape[-2:]):
            kept = table[network.unseen]
            table[network.unseen] = 0.0
            if not _alike(before, model, corpus):
                table[network.unseen] = kept
    return model


def _alike(before: Sequence[Tensor], network: MemoryNetwork, corpus: Corpus) -> bool:
    return all(
        torch.equal(said.argmax(-1), now.argmax(-1)) and float((said - now).abs().max()) <= SAME
        for said, now in zip(before, _probabilities(network, corpus), strict=True)
    )


@torch.no_grad()
def _probabilities(network: MemoryNetwork, corpus: Corpus) -> Iterator[Tensor]:
    """Compute the probability of each answer to the questions of the test, batch by batch."""
    for batch in evaluation_batches(corpus, corpus.test, network):
        yield Ensemble([network]).answer(batch).scores.softmax(-1)
