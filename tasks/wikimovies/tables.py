"""A knowledge base and its questions as tables: the story of a question is the memories that hashing finds for it.

The sentences are the empty one, then each triple in its two directions, then the questions. A triple is a sentence of
three words: first its value, then its key, which is subject and relation. In a reversed triple, the object is the key's
subject, the relation is another word, and the subject is the value. Each entity is one word.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tasks.batch import NONE, PAD, Questions, Sizes
from tasks.corpus import Corpus, Split
from tasks.lexicon import padded
from tasks.wikimovies import PARTS, RELATIONS
from tasks.wikimovies.index import Index
from tasks.wikimovies.text import Names, read_entities, read_knowledge, read_questions, words_of

WORDS = 3  # of a triple


class PartQuestions(NamedTuple):
    """The questions of a part, as numbers of words."""

    words: list[list[int]]  # of each question
    answers: list[list[int]]  # all right ones of each question


@dataclass(frozen=True)
class Store:
    """A knowledge base in memory, and the index by which the words of a question find its triples."""

    names: Names
    words: dict[str, int]  # of relations and of questions; the numbers of entities come before
    vocabulary: list[str]  # all words, by their numbers
    triples: Tensor  # (M, 3) value, subject, relation; first as in the knowledge base, then reversed
    index: Index
    slots: int  # greatest number of memories per question
    longest: int  # words of a question, or of a triple

    @property
    def sizes(self) -> Sizes:
        """The sizes that a network for these questions needs."""
        return Sizes(len(self.vocabulary), self.longest, self.slots)

    def question(self, text: str) -> Questions:
        """Make a batch of one question that somebody types, with its memories; unknown words are left out."""
        linked = self.names.link(words_of(text))
        known = [word if isinstance(word, int) else self.words.get(word, PAD) for word in linked]
        words = torch.tensor([[word for word in known if word != PAD] or [PAD]])
        memories, number = self.index.find(words, self.slots)
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
            sentences, stories, none, number, none + len(sentences) - 1, none, torch.empty(1, 0, dtype=torch.long)
        )


def read(
    files: dict[str, bytes], names_of: dict[str, str], slots: int, frequency: int
) -> tuple[Store, dict[str, PartQuestions]]:
    """Read the knowledge base and the questions of every part.

    Args:
        files: by their roles, as `official.read` returns them.
        names_of: their names in errors, by role.
        slots: greatest number of memories per question.
        frequency: a word that is in so many keys, or more, finds no memories.
    """
    names = read_entities(files["entities"], names_of["entities"])
    columns = read_knowledge(files["knowledge"], names_of["knowledge"], names)
    subject, relation, value = (torch.from_numpy(np.frombuffer(column, np.int64)) for column in columns)
    linked = {part: list(read_questions(files[part], names_of[part], names)) for part in PARTS}
    # all entities have numbers now, and the other words get the numbers behind
    words: dict[str, int] = {}

    def number(word: str | int) -> int:
        return word if isinstance(word, int) else words.setdefault(word, len(names) + 1 + len(words))

    first, *_ = [number(word) for word in (*RELATIONS, *(f"{relation} of" for relation in RELATIONS))]
    forward = torch.stack([value, subject, relation + first], dim=1)
    forward = forward[np.sort(np.unique(forward.numpy(), axis=0, return_index=True)[1])]  # each once
    value, subject, relation = forward.unbind(1)
    triples = torch.cat([forward, torch.stack([subject, value, relation + len(RELATIONS)], dim=1)])
    questions = {
        part: PartQuestions([[number(word) for word in question] for question, _ in of_part], [a for _, a in of_part])
        for part, of_part in linked.items()
    }
    vocabulary = ["", *names.number, *words]
    index = Index(triples[:, 1:], len(vocabulary), frequency)
    longest = max(WORDS, *(len(question) for of_part in questions.values() for question in of_part.words))
    return Store(names, words, vocabulary, triples, index, slots, longest), questions


def corpus_of(store: Store, questions: dict[str, PartQuestions]) -> Corpus:
    """Make the tables for training: every question with the memories that hashing finds for it."""
    tables = {part: padded(of_part.words) for part, of_part in questions.items()}
    pad = torch.nn.functional.pad
    rows = 1 + len(store.triples)
    splits: list[Split] = []
    for part, table in tables.items():
        memories, n_found = store.index.find(table, store.slots)
        golds = padded(questions[part].answers)
        number = torch.arange(len(table))
        splits.append(
            Split(
                memories + 1,
                pad(n_found.cumsum(0), (1, 0)),
                number,
                n_found,
                rows + number,
                golds[:, 0],
                answering(store.triples[memories, 0], n_found, golds),
                torch.ones_like(number),
                golds,
            )
        )
        rows += len(table)
    sentences = torch.cat(
        [
            torch.zeros(1, store.longest, dtype=torch.long),
            *(pad(table, (0, store.longest - table.shape[1])) for table in (store.triples, *tables.values())),
        ]
    )
    train, valid, test = splits
    return Corpus(store.vocabulary, sentences, train, valid, test)


def answering(values: Tensor, n_found: Tensor, golds: Tensor) -> Tensor:
    """The positions of each question's memories whose value is a right answer, (N, F), NONE where there are fewer.

    Args:
        values: (P,) of the memories, question after question.
        n_found: (N,) number of memories of each question.
        golds: (N, G) right answers, PAD where there are fewer.
    """
    question = torch.arange(len(n_found)).repeat_interleave(n_found)
    place = torch.arange(len(values)) - (n_found.cumsum(0) - n_found)[question]
    right = (golds[question] == values[:, None]).any(1)
    question, place = question[right], place[right]
    count = torch.bincount(question, minlength=len(n_found))
    support = torch.full((len(n_found), max(1, int(count.max()))), NONE)
    support[question, torch.arange(len(question)) - (count.cumsum(0) - count)[question]] = place
    return support


def recall(split: Split) -> float:
    """Percent of the questions for which hashing finds a memory whose value is a right answer."""
    return 100 * float((split.support != NONE).any(1).double().mean())
