"""A knowledge base and its questions as tables: the story of a question is what hashing finds for it.

The sentences are the empty one, then each triple in its two directions, then the questions. A triple is a sentence of
three words: its value, which stands first, and its key, subject and relation. Reversed, the object is the subject, the
relation another word, and the subject the value. Entities are one word each.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.batch import NONE, PAD, Questions, Sizes
from tasks.corpus import Corpus, Split
from tasks.wikimovies import PARTS, RELATIONS
from tasks.wikimovies.index import Index
from tasks.wikimovies.text import Names, read_entities, read_knowledge, read_questions, words_of

WORDS = 3  # of a triple


class Asked(NamedTuple):
    words: list[list[int]]
    answers: list[list[int]]


@dataclass(frozen=True)
class Store:
    """A knowledge base in memory, and the index by which a question finds what it says about its words."""

    names: Names
    words: dict[str, int]  # of relations and of questions; entities have the numbers before theirs
    vocabulary: list[str]  # what the numbers stand for
    triples: Tensor  # (M, 3) value, subject, relation; first as they are told, then reversed
    index: Index
    slots: int
    longest: int  # words of a question, or of a triple

    @property
    def sizes(self) -> Sizes:
        return Sizes(len(self.vocabulary), self.longest, self.slots)

    def question(self, text: str) -> Questions:
        """A question that somebody types, with its memories, as a batch of one; unknown words are left out."""
        linked = self.names.link(words_of(text))
        known = [word if isinstance(word, int) else self.words.get(word, PAD) for word in linked]
        words = torch.tensor([[word for word in known if word != PAD] or [PAD]])
        memories, found = self.index.find(words, self.slots)
        wide = max(WORDS, words.shape[1])
        pad = torch.nn.functional.pad
        sentences = torch.cat(
            [
                torch.zeros(1, wide, dtype=torch.long),
                pad(self.triples[memories], (0, wide - WORDS)),
                pad(words, (0, wide - words.shape[1])),
            ]
        )
        stories = torch.zeros(1, self.slots, dtype=torch.long)
        stories[0, : len(memories)] = torch.arange(1, len(memories) + 1)
        none = torch.zeros(1, dtype=torch.long)
        return Questions(
            sentences, stories, none, found, none + len(sentences) - 1, none, torch.empty(1, 0, dtype=torch.long)
        )


def read(
    files: dict[str, bytes], names_of: dict[str, str], slots: int, frequency: int
) -> tuple[Store, dict[str, Asked]]:
    """The knowledge base and the questions of every part.

    Args:
        files: by their roles, as `official.read` returns them.
        names_of: how to call them in an error.
        slots: memories that a question gets at most.
        frequency: of a word, at which it finds no memories any more.
    """
    names = read_entities(files["entities"], names_of["entities"])
    columns = read_knowledge(files["knowledge"], names_of["knowledge"], names)
    subject, relation, value = (torch.from_numpy(np.frombuffer(column, np.int64)) for column in columns)
    said = {part: list(read_questions(files[part], names_of[part], names)) for part in PARTS}
    # now all entities are known, and the other words can get the numbers behind them
    words: dict[str, int] = {}

    def number(word: str | int) -> int:
        return word if isinstance(word, int) else words.setdefault(word, len(names) + 1 + len(words))

    first, *_ = [number(word) for word in (*RELATIONS, *(f"{relation} of" for relation in RELATIONS))]
    told = torch.stack([value, subject, relation + first], dim=1)
    told = told[np.sort(np.unique(told.numpy(), axis=0, return_index=True)[1])]  # each once
    value, subject, relation = told.unbind(1)
    triples = torch.cat([told, torch.stack([subject, value, relation + len(RELATIONS)], dim=1)])
    asked = {
        part: Asked([[number(word) for word in question] for question, _ in of_part], [a for _, a in of_part])
        for part, of_part in said.items()
    }
    vocabulary = ["", *names.number, *words]
    index = Index(triples[:, 1:], len(vocabulary), frequency)
    longest = max(WORDS, *(len(question) for of_part in asked.values() for question in of_part.words))
    return Store(names, words, vocabulary, triples, index, slots, longest), asked


def corpus_of(store: Store, asked: dict[str, Asked]) -> Corpus:
    """The tables for training: every question with the memories that hashing finds for it."""
    questions = {part: padded(of_part.words) for part, of_part in asked.items()}
    pad = torch.nn.functional.pad
    rows, splits = 1 + len(store.triples), {}
    for part, table in questions.items():
        memories, found = store.index.find(table, store.slots)
        golds = padded(asked[part].answers)
        number = torch.arange(len(table))
        splits[part] = Split(
            memories + 1,
            pad(found.cumsum(0), (1, 0)),
            number,
            found,
            rows + number,
            golds[:, 0],
            answering(store.triples[memories, 0], found, golds),
            torch.ones_like(number),
            golds,
        )
        rows += len(table)
    sentences = torch.cat(
        [
            torch.zeros(1, store.longest, dtype=torch.long),
            *(pad(table, (0, store.longest - table.shape[1])) for table in (store.triples, *questions.values())),
        ]
    )
    return Corpus(store.vocabulary, sentences, *(splits[part] for part in PARTS))


def padded(lists: list[list[int]]) -> Tensor:
    """(N, longest), 0 where a list is shorter."""
    lengths = torch.tensor([len(one) for one in lists])
    table = torch.zeros(len(lists), int(lengths.max()), dtype=torch.long)
    table[torch.arange(table.shape[1]) < lengths[:, None]] = torch.tensor([item for one in lists for item in one])
    return table


def answering(values: Tensor, found: Tensor, golds: Tensor) -> Tensor:
    """The positions of every question's memories whose value is a right answer, (N, F), NONE where there are fewer.

    Args:
        values: (P,) of the memories, question after question.
        found: (N,) memories of each question.
        golds: (N, G) right answers, PAD where there are fewer.
    """
    question = torch.arange(len(found)).repeat_interleave(found)
    place = torch.arange(len(values)) - (found.cumsum(0) - found)[question]
    right = (golds[question] == values[:, None]).any(1)
    question, place = question[right], place[right]
    count = torch.bincount(question, minlength=len(found))
    support = torch.full((len(found), max(1, int(count.max()))), NONE)
    support[question, torch.arange(len(question)) - (count.cumsum(0) - count)[question]] = place
    return support


def recall(split: Split) -> float:
    """Percent of the questions of which some right answer is the value of a memory that hashing has found."""
    return 100 * float((split.support != NONE).any(1).double().mean())
