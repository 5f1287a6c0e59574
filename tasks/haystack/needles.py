"""Needles: stories of bAbI whose facts are told at random places of a much longer stream.

A stream holds several stories. Each has people, places and objects of its own, drawn from pools that all streams share.
So no word tells the sentences that matter from those that do not: who is asked about in one stream is a stranger in the
next. A seed decides every byte.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.babi import words
from tasks.babi.generator import CASTS, MORE
from tasks.babi.text import Question
from tasks.babi.walks import WALKS, Cast
from tasks.draw import Draw

TASKS = (1, 2, 3, 5, 6, 7, 8, 11, 12, 13)
PEOPLE, PLACES, OBJECTS = 4, 6, 3  # of a story, as in the release
STORIES = 3  # of a stream, if it is long enough
SENTENCES = {1: 8, 2: 14, 3: 30, 5: 14, 6: 8, 7: 14, 8: 14, 11: 8, 12: 8, 13: 8}  # of a story
OF_A_WORLD = 1000  # sentences that strangers tell of one world
TRIES = 1000  # stories in a row without a question, before the generator gives up


def pool(kind: str) -> tuple[str, ...]:
    """List the names of a kind, "people", "places" or "objects", that stories and strangers have."""
    usual = [name for task in TASKS for name in getattr(CASTS[task], kind)]
    more = words.TOWN + MORE[kind] if kind == "places" else MORE[kind]
    return tuple(dict.fromkeys([*usual, *more]))


class Needle(NamedTuple):
    """A story, and questions about all of it."""

    statements: list[str]
    questions: list[Question]


class Asked(NamedTuple):
    """A question about a stream."""

    question: str
    answer: str
    support: tuple[int, ...]  # places of the supporting facts in the stream


def together(task: int) -> int:
    """Count the sentences that must follow one another: a pronoun stands for somebody of the sentence before."""
    return 2 if task in (11, 13) else 1


def needle(draw: Draw, task: int, cast: Cast, questions: int) -> Needle:
    """Tell a story, and ask up to so many different questions after its last sentence."""
    walk = WALKS[task](draw, cast, 0)
    for _ in range(TRIES):
        walk.begin_story()
        while walk.told < SENTENCES[task]:
            walk.step()
        possible: dict[str, Question] = {}
        for clue in list(walk.clues):
            asked = walk.ask(*clue)
            if asked is not None:
                possible.setdefault(asked.question, asked)
        chosen = shuffled(draw, list(possible.values()))[:questions]
        if chosen:
            return Needle([str(line) for line in walk.lines], chosen)
    raise AssertionError(f"no story of task {task} can be asked about")


def shuffled(draw: Draw, items: Sequence) -> list:
    """Return the items in a random order."""
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        place = int(draw() * (last + 1))
        order[last], order[place] = order[place], order[last]
    return order


class Stream:
    """A story as long as wanted, made while it is read, with questions that are asked at its end.

    Args:
        task: of bAbI.
        seed: decides all of it.
        length: sentences; at least those of one story.
        filler: makes the sentences around the stories; without it, strangers do what the people asked about do.
        questions: about each story, at most.
    """

    def __init__(
        self, task: int, seed: object, length: int, filler: Iterator[str] | None = None, questions: int = 8
    ) -> None:
        self.task, self.length = task, length
        draw = random.Random(f"haystack {task} {seed} {length}").random
        self._draw, self._size = draw, together(task)
        count = max(1, min(STORIES, length // (2 * SENTENCES[task])))
        names = {kind: shuffled(draw, pool(kind)) for kind in Cast._fields}
        casts = []
        for number in range(count):
            first = (number * PEOPLE, number * PLACES, number * OBJECTS)
            sizes = (PEOPLE, PLACES, OBJECTS)
            casts.append(
                Cast(*(tuple(names[kind][a : a + n]) for kind, a, n in zip(Cast._fields, first, sizes, strict=True)))
            )
        taken = (count * PEOPLE, count * PLACES, count * OBJECTS)
        rest = Cast(*(tuple(names[kind][a:]) for kind, a in zip(Cast._fields, taken, strict=True)))
        needles = [needle(draw, task, cast, questions) for cast in casts]
        self._filler = strangers(draw, task, rest) if filler is None else filler
        # a place for each part of a story; parts of one story keep their order
        parts = [story for story, of in enumerate(needles) for _ in range(0, len(of.statements), self._size)]
        places = sorted(distinct(draw, len(parts), length // self._size))
        self._at: dict[int, list[str]] = {}
        where: list[list[int]] = [[] for _ in needles]  # of each sentence of a story in the stream
        for place, story in zip(places, shuffled(draw, parts), strict=True):
            begin = len(where[story])
            self._at[place] = needles[story].statements[begin : begin + self._size]
            where[story] += range(place * self._size, place * self._size + len(self._at[place]))
        self.questions = [
            Asked(asked.question.strip(), asked.answer, tuple(where[story][fact] for fact in asked.support))
            for story, of in enumerate(needles)
            for asked in of.questions
        ]

    def __iter__(self) -> Iterator[str]:
        """Tell the sentences, once."""
        told, place = 0, 0
        while told < self.length:
            part = self._at.get(place)
            if part is None:
                part = [next(self._filler) for _ in range(min(self._size, self.length - told))]
            yield from part
            told, place = told + len(part), place + 1


def distinct(draw: Draw, count: int, below: int) -> set[int]:
    """Draw so many different numbers from 0 to `below` - 1."""
    found: set[int] = set()
    while len(found) < count:
        found.add(int(draw() * below))
    return found


def strangers(draw: Draw, task: int, cast: Cast) -> Iterator[str]:
    """Tell without end what other people do, in the language of the task."""
    walk = WALKS[task](draw, cast, 0)
    while True:
        walk.begin_story()  # now and then, since a world remembers all that was told of it
        said = 0
        while walk.told < OF_A_WORLD:
            walk.step()
            yield from map(str, walk.lines[said:])
            said = len(walk.lines)


def prose_sentences(draw: Draw, sentences: Sequence[str]) -> Iterator[str]:
    """Tell a text from a random place on, again and again."""
    place = int(draw() * len(sentences))
    while True:
        yield sentences[place]
        place = (place + 1) % len(sentences)
