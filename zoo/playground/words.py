"""Sentences of a corpus as text, and which words follow each other."""

from collections import Counter, defaultdict
from itertools import pairwise

from torch import Tensor

from tasks.corpus import Corpus

FOLLOWING = 40  # words at most that are offered behind a word


def text_of(corpus: Corpus, row: int) -> str:
    """Spell a sentence of the table."""
    return spelled(corpus, corpus.sentences[row].tolist())


def spelled(corpus: Corpus, sentence: list[int]) -> str:
    """Spell word ids, without the empty word."""
    return " ".join(corpus.words[word] for word in sentence if word)


def following(corpus: Corpus, said: Tensor) -> dict[str, list[str]]:
    """List the words that follow each word in some sentences, the most frequent first; "" is the begin and the end.

    Args:
        corpus: has the words.
        said: rows of the sentence table.
    """
    after: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows, counts = said.unique(return_counts=True)
    for sentence, count in zip(corpus.sentences[rows].tolist(), counts.tolist(), strict=True):
        words = ["", *(corpus.words[word] for word in sentence if word), ""]
        for word, follower in pairwise(words):
            after[word][follower] += count
    return {word: [one for one, _ in of.most_common(FOLLOWING)] for word, of in sorted(after.items())}
