"""Long stories told to a trained network: right answers, speed, time of a question and memory, by length.

A network is told in up to three ways: all sentences as they are; through an index of words, asked for the words of the
question and of the facts that the network looks at; and behind a keyword filter, which keeps the sentences that share
a word with the question, and those that share one with these. The rule needs no network: the answer is the last word
that may be one in the last sentence that has the question's rarest word.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from tasks.corpus import Corpus, LongStory
from zoo.interface import MemoryNetwork
from zoo.kinds.listening import Found, Index, Listener, Searching, Sentences, can_search, keeps_all

PATIENCE = 10.0  # seconds that a question may take
FIRST_TRIAL, EVERY = 256, 4  # sentences after which a question is tried, and how many times as many before the next
RULE = "rule"


class TooSlow(Exception):  # noqa: N818
    """A question would take longer than PATIENCE."""


def ways_of(network: MemoryNetwork) -> dict[str, Callable[[int, Tensor], Any]]:
    """List the ways in which a network can be told a long story, each with what makes a listener of it."""
    ways: dict[str, Callable[[int, Tensor], Any]] = {"all": lambda J, unseen: Listener(network, J, unseen)}
    if can_search(network):
        ways["index"] = lambda J, unseen: Searching(network, J, unseen)
    if not network.goes_on:  # it keeps sentences, of which some can be left out
        ways["filter"] = lambda J, unseen: Searching(network, J, unseen, follow="words")
    return ways


def figures(network: MemoryNetwork, corpus: Corpus) -> list[dict[str, Any]]:
    """Tell a network the long stories of a task in every way, and the rule too; one entry for each way and length."""
    J, unseen = corpus.sentences.shape[1], corpus.unseen.cpu()
    found = []
    for length in sorted({story.length for story in corpus.long}):
        stories = [story for story in corpus.long if story.length == length]
        found.append(_told(RULE, stories, J, lambda: Rule(J, corpus), lambda rule, question: rule.ask(question)))
        for way, make in ways_of(network).items():
            if way == "all" and not keeps_all(network) and network.window < length:
                found.append(_refused(way, stories[0], f"sees the last {network.window} sentences"))
                continue
            found.append(
                _told(
                    way, stories, J, partial(make, J, unseen), lambda listener, question: _said(listener.ask(question))
                )
            )
    return found


def _said(found: Found) -> int:
    return int(found.scores.argmax())


def _refused(way: str, story: LongStory, why: str) -> dict[str, Any]:
    return {
        "task": story.task, "kind": story.kind, "length": story.length, "way": way, "asked": 0, "right": 0,
        "ms_median": 0.0, "ms_p99": 0.0, "sentences_per_second": 0, "memory_mb": 0, "refused": why,
    }  # fmt: skip


def _told(
    way: str,
    stories: Sequence[LongStory],
    length: int,
    make: Callable[[], Any],
    ask: Callable[[Any, np.ndarray], int],
) -> dict[str, Any]:
    """Tell all stories of one length, and ask their questions."""
    seconds, told, right, memory = 0.0, 0, 0, 0
    waited: list[float] = []
    for story in stories:
        listener = make()
        trial = _Trial(ask, listener, _filled(story.questions[0].question, length))
        for block in story.blocks():
            block = _filled(block, length)
            began = time.perf_counter()
            listener.tell(block)
            seconds += time.perf_counter() - began
            told += len(block)
            try:
                if isinstance(listener, Listener):  # what an index finds is as much in any story
                    trial.at(listener.count)
            except TooSlow as slow:
                return _refused(way, story, str(slow))
        for asked in story.questions:
            began = time.perf_counter()
            said = ask(listener, _filled(asked.question, length))
            waited.append(1000 * (time.perf_counter() - began))
            right += said == asked.answer
        memory = max(memory, resident())
    return _refused(way, stories[0], "") | {
        "asked": len(waited),
        "right": right,
        "ms_median": round(statistics.median(waited), 3),
        "ms_p99": round(float(np.percentile(waited, 99)), 3),
        "sentences_per_second": round(told / max(seconds, 1e-9)),
        "memory_mb": memory,
    }


class _Trial:
    """Tries a question now and then while a story is told, and stops where it would take too long at its end."""

    def __init__(self, ask: Callable[[Any, np.ndarray], int], listener: Any, question: np.ndarray) -> None:
        self.ask, self.listener, self.question = ask, listener, question
        self.next, self.before = FIRST_TRIAL, 0.0

    def at(self, count: int) -> None:
        if count < self.next:
            return
        began = time.perf_counter()
        self.ask(self.listener, self.question)
        took = time.perf_counter() - began
        growth = min(max(took / self.before, 1.0), EVERY**2) if self.before else 1.0
        if took * growth > PATIENCE:
            raise TooSlow(f"a question would take over {PATIENCE:g} s from {EVERY * count:,} sentences on")
        self.before = took
        while self.next <= count:
            self.next *= EVERY


def _filled(rows: np.ndarray, length: int) -> np.ndarray:
    """Fill rows of word ids up to so many words."""
    short = length - rows.shape[-1]
    return np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, short)]) if short else rows


class Rule:
    """The last sentence that names him: its last word that may be an answer."""

    def __init__(self, length: int, corpus: Corpus) -> None:
        self._index, self._sentences = Index(length), Sentences(length)
        answers = corpus.train.answer.cpu()
        self._answers = np.zeros(len(corpus.words), bool)
        self._answers[answers.numpy()] = True
        self._usual = int(answers.bincount().argmax())

    def tell(self, sentences: np.ndarray) -> None:
        self._index.append(sentences)
        self._sentences.append(sentences)

    def ask(self, question: np.ndarray) -> int:
        """Answer a question, (J,) word ids; if nothing is found, with the most usual answer."""
        place = self._index.last(question)
        if place is None:
            return self._usual
        row = int(self._sentences.told[place])
        words = self._sentences.table[row].numpy()
        fitting = [int(word) for word in words if self._answers[word] and word not in question]
        return fitting[-1] if fitting else self._usual


def resident() -> int:
    """Measure the memory of this process, in MB."""
    try:
        with open("/proc/self/statm") as statm:
            return round(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
    except OSError:  # a system without it
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
