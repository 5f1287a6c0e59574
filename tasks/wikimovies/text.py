"""The text format of WikiMovies: a knowledge base of triples, a list of entities, and questions with their answers.

Entities differ by case, words of questions do not. Several answers or objects are separated by a comma and a blank,
which occur in some titles too: parts that are an entity when joined are joined.
"""

import re
from array import array
from collections.abc import Iterator

from tasks.errors import UserError
from tasks.lines import Lines
from tasks.wikimovies import PLOT, RELATIONS

TRIPLE = re.compile(rf"([0-9]{{1,9}}) (.+?) ({'|'.join((*RELATIONS, PLOT))}) (.+)")
COMMA = ", "


class Names:
    """Numbers entities from 1, in the order in which they are first met."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.longest = 1  # words of an entity

    def __len__(self) -> int:
        return len(self.number)

    def add(self, name: str) -> int:
        """Return the number of an entity; a new one gets the next number."""
        number = self.number.setdefault(name, len(self.number) + 1)
        if number == len(self.number):
            self.longest = max(self.longest, name.count(" ") + 1)
        return number

    def several(self, text: str) -> list[str]:
        """Split a list of entities; where several readings are possible, the longest known entity is taken."""
        parts, names = text.split(COMMA), []
        while parts:
            joined = (size for size in range(len(parts), 1, -1) if COMMA.join(parts[:size]) in self.number)
            size = next(joined, 1)
            names.append(COMMA.join(parts[:size]))
            del parts[:size]
        return names

    def link(self, words: list[str]) -> Iterator[str | int]:
        """Replace entities among the words of a question by their numbers: the longest first, then the leftmost."""
        taken: dict[int, tuple[int, int]] = {}  # number and end of an entity, by its beginning
        free = [True] * len(words)
        for size in range(min(self.longest, len(words)), 0, -1):
            for begin in range(len(words) - size + 1):
                end = begin + size
                text = " ".join(words[begin:end])
                number = self.number.get(text) or self.number.get(text.removesuffix(","))
                if number and all(free[begin:end]):
                    taken[begin] = number, end
                    free[begin:end] = [False] * size
        place = 0
        while place < len(words):
            if place in taken:
                number, place = taken[place]
                yield number
            else:
                yield words[place].lower()
                place += 1


def read_entities(data: bytes, name: str) -> Names:
    """Read the list of entities, one per line."""
    names = Names()
    for _, line in Lines(data, name, "list of entities"):
        if line.strip():
            names.add(line.strip())
    if not len(names):
        raise UserError(f"{name}: expected entities, one a line, found none")
    return names


def read_knowledge(data: bytes, name: str, names: Names) -> tuple[array, array, array]:
    """Read triples as three columns of numbers: subjects, relations, objects; new entities get numbers."""
    lines = Lines(data, name, "knowledge base")
    subjects, relations, objects = array("q"), array("q"), array("q")
    number_of = {relation: number for number, relation in enumerate(RELATIONS)}
    position = 0  # within the block of a film
    for number, line in lines:
        if not line:
            position = 0
            continue
        match = TRIPLE.fullmatch(line)
        if not match:
            raise lines.wrong(number, "a number, a film, a relation (directed_by …) and its objects")
        position += 1
        if int(match[1]) != position:
            raise lines.wrong(number, f"the line of its film that has the number {position}")
        relation = number_of.get(match[3])
        if relation is None:  # a plot
            continue
        subject = names.add(match[2])
        for value in names.several(match[4]):
            subjects.append(subject)
            relations.append(relation)
            objects.append(names.add(value))
    if not subjects:
        raise UserError(f"{name}: expected triples, found none")
    return subjects, relations, objects


def read_questions(data: bytes, name: str, names: Names) -> Iterator[tuple[list[str | int], list[int]]]:
    """Read questions: the words of each, entities as numbers, and the numbers of its answers, each once."""
    lines = Lines(data, name, "file of questions")
    number = 0
    for number, line in lines:
        question, tab, answers = line.partition("\t")
        words = words_of(question.removeprefix("1 "))
        if not question.startswith("1 ") or not tab or not words or not answers.strip():
            raise lines.wrong(number, "the ID 1, a question, a tab and its answers")
        yield list(names.link(words)), list(dict.fromkeys(map(names.add, names.several(answers.strip()))))
    if not number:
        raise UserError(f"{name}: expected questions, found an empty file")


def words_of(question: str) -> list[str]:
    """The words of a question, without its question mark."""
    return question.strip().removesuffix("?").split()
