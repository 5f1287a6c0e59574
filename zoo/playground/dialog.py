"""The dialog of the page: a bot that takes orders for a restaurant table, and customers to start from."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import torch

from tasks.corpus import Corpus
from tasks.dialog import TASKS
from tasks.dialog.tables import BOT, USER
from zoo.playground import graph
from zoo.playground.short import shortened
from zoo.playground.words import following, spelled, text_of
from zoo.pretrained.network import Network

LENGTHS = (12, 36)  # lines of a dialog; each has a graph, and none may be longer
CUSTOMERS = 8


class Bot(NamedTuple):
    """A network that has learned dialogs, and the dialogs."""

    network: Network
    corpus: Corpus


def dialog_data(bot: Bot) -> dict:
    """Arrange what the page holds of a bot."""
    network, corpus = bot
    model, candidates = shortened(network, corpus), network.candidates
    assert candidates is not None
    graphs = graph.graphs_of(model, network.unseen, network.sizes.sentence_length, LENGTHS, candidates)
    replies = [[word for word in reply if word] for reply in candidates.words.tolist()]
    return {
        "task": TASKS[int(network.training)],
        "network": graph.as_page_data(graphs),
        "spoken": graph.packed(json.dumps({"words": network.words, "replies": replies}).encode()),
        "speakers": [USER, BOT],
        "customers": list(_customers(corpus)),
        "following": following(corpus, corpus.train.question),
        "longest": LENGTHS[-1],
    }


def _customers(corpus: Corpus) -> Iterator[list[dict]]:
    """Choose dialogs of the test, spread evenly: what the customer says, and the reply.

    They are short enough, and nothing is told between the turns, as results of a search would be.
    """
    assert corpus.candidates is not None
    test, replies = corpus.test, corpus.candidates.words
    turns = test.story.bincount(minlength=len(test.lengths))
    fitting = ((test.lengths <= LENGTHS[-1]) & (test.lengths == 2 * turns)).nonzero()[:, 0]
    for place in torch.linspace(0, len(fitting) - 1, min(CUSTOMERS, len(fitting))).round().long().tolist():
        yield [
            {
                "says": text_of(corpus, int(test.question[turn])),
                "reply": spelled(corpus, replies[test.answer[turn]].tolist()),
            }
            for turn in (test.story == fitting[place]).nonzero()[:, 0].tolist()
        ]
