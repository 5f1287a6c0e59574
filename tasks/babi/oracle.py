"""A second reading of bAbI's stories: answers and supporting facts, inferred from the sentences alone.

No part of the data path: tests and benchmarks/generator.py compare it with generated and released stories. It shares
only the format with the generator, knows no name, place or object beforehand, and takes one sentence at a time.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import NamedTuple

from tasks.babi.text import Question, Story
from tasks.errors import UserError


class Reading(NamedTuple):
    """The answers to a question that a story allows."""

    answers: frozenset[str]  # none if the sentences say nothing about it
    support: tuple[int, ...] = ()  # positions of the sentences that say so, in the order of the release

    @property
    def decided(self) -> bool:
        """Tell whether there is one answer only."""
        return len(self.answers) == 1


NOTHING = Reading(frozenset())


def one(answer: str, *support: int) -> Reading:
    """The reading with one answer and its supporting sentences."""
    return Reading(frozenset([answer]), support)


WALK = r"(?:went|went back|journeyed|travelled|moved) to the (?P<place>\w+)"
MOVE = re.compile(rf"(?P<who>\w+) {WALK}\.")
GET = re.compile(r"(?P<who>\w+) (?:got|took|grabbed|picked up) the (?P<what>\w+)(?: there)?\.")
DROP = re.compile(r"(?P<who>\w+) (?:dropped|left|discarded|put down) the (?P<what>\w+)(?: there)?\.")
GIVE = re.compile(r"(?P<who>\w+) (?:gave|handed|passed) the (?P<what>\w+) to (?P<whom>\w+)\.")


class Reader:
    """Hears a story sentence by sentence, then answers questions about it."""

    understands: tuple[tuple[re.Pattern[str], str], ...] = ()  # patterns of sentences, and the method for each

    def __init__(self) -> None:
        self.now = -1  # position of the last sentence

    def tell(self, sentence: str) -> None:
        """Take the next sentence of the story."""
        self.now += 1
        for pattern, action in self.understands:
            match = pattern.fullmatch(sentence)
            if match:
                getattr(self, action)(**match.groupdict())
                return
        if not MOVE.fullmatch(sentence):  # people walk through every story
            raise UserError(f"{type(self).__name__} does not understand {sentence!r}")

    def ask(self, question: str) -> Reading:
        """Answer a question by the sentences so far."""
        raise NotImplementedError

    def parts(self, pattern: str, question: str) -> tuple[str, ...]:
        """The groups of a pattern in a question."""
        match = re.fullmatch(pattern, question.strip())
        if not match:
            raise UserError(f"{type(self).__name__} does not understand {question!r}")
        return match.groups()


class Places(Reader):
    """Tasks 1 and 12: the place that somebody went to last."""

    understands: tuple[tuple[re.Pattern[str], str], ...] = (
        (re.compile(rf"(?P<first>\w+) and (?P<second>\w+) {WALK}\."), "both_go"),
        (MOVE, "go"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, tuple[str, int]] = {}

    def go(self, who: str, place: str) -> None:
        """Note that somebody went to a place."""
        self.at[who] = place, self.now

    def both_go(self, first: str, second: str, place: str) -> None:
        """Note that two people went to a place."""
        self.go(first, place)
        self.go(second, place)

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"Where is (\w+)\?", question)
        return one(*self.at[who]) if who in self.at else NOTHING


class Things(Places):
    """Tasks 2, 3, 5, 6, 7 and 8: people carry things."""

    understands = ((MOVE, "go"), (GET, "get"), (DROP, "drop"), (GIVE, "give"))

    def __init__(self) -> None:
        super().__init__()
        self.holder: dict[str, str | None] = {}
        self.touched: dict[str, int] = {}
        self.journey: dict[str, list[tuple[str, int]]] = defaultdict(list)  # places of a thing, and since when
        self.hands: dict[str, list[tuple[int, str]]] = defaultdict(list)  # things that somebody handled, and when
        self.gifts: list[tuple[str, str, str, int]] = []

    def go(self, who: str, place: str) -> None:
        super().go(who, place)
        for what, holder in self.holder.items():
            if holder == who:
                self.journey[what].append((place, self.now))

    def get(self, who: str, what: str) -> None:
        """Note that somebody took a thing."""
        self._touch(what, who)
        self.holder[what] = who
        if who in self.at:
            if self.journey[what] and self.journey[what][-1][0] == self.at[who][0]:
                self.journey[what].pop()  # it has not moved; its finder says where it is now
            self.journey[what].append(self.at[who])

    def drop(self, who: str, what: str) -> None:
        """Note that somebody put a thing down."""
        self._touch(what, who)
        self.holder[what] = None

    def give(self, who: str, what: str, whom: str) -> None:
        """Note that somebody gave a thing to somebody."""
        self._touch(what, who, whom)
        self.holder[what] = whom
        self.gifts.append((who, what, whom, self.now))

    def _touch(self, what: str, *people: str) -> None:
        self.touched[what] = self.now
        for who in people:
            self.hands[who].append((self.now, what))

    def carried(self, who: str) -> list[str]:
        """The things that somebody carries."""
        return [what for what, holder in self.holder.items() if holder == who]


class WhereThing(Things):
    """Task 2: a thing is at the place where it was carried last."""

    def ask(self, question: str) -> Reading:
        (what,) = self.parts(r"Where is the (\w+)\?", question)
        if not self.journey[what]:
            return NOTHING
        place, since = self.journey[what][-1]
        return one(place, self.touched[what], since)


class WhereBefore(Things):
    """Task 3: the place of a thing before it last came to another."""

    def ask(self, question: str) -> Reading:
        what, place = self.parts(r"Where was the (\w+) before the (\w+)\?", question)
        journey = self.journey[what]
        for (before, was), (after, came) in zip(journey[-2::-1], journey[:0:-1], strict=True):
            if after == place:
                return one(before, self.touched[what], came, was)
        return NOTHING


class WhoGave(Things):
    """Task 5: the last gift that fits the question."""

    def ask(self, question: str) -> Reading:
        forms = (
            (r"What did (?P<who>\w+) give to (?P<whom>\w+)\?", 1),
            (r"Who gave the (?P<what>\w+)(?: to (?P<whom>\w+))?\?", 0),
            (r"Who received the (?P<what>\w+)\?", 2),
            (r"Who did (?P<who>\w+) give the (?P<what>\w+) to\?", 2),
        )
        for form, wanted in forms:
            match = re.fullmatch(form, question.strip())
            if match:
                said = {name: word for name, word in match.groupdict().items() if word}
                for who, what, whom, when in reversed(self.gifts):
                    gift = {"who": who, "what": what, "whom": whom}
                    if all(gift[name] == word for name, word in said.items()):
                        return one((who, what, whom)[wanted], when)
                return NOTHING
        raise UserError(f"{type(self).__name__} does not understand {question!r}")


class IsThere(Things):
    """Task 6: whether somebody is at a place."""

    def ask(self, question: str) -> Reading:
        who, place = self.parts(r"Is (\w+) in the (\w+)\?", question)
        if who not in self.at:
            return NOTHING
        there, since = self.at[who]
        return one("yes" if there == place else "no", since)


NUMBERS = (
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip


class HowMany(Things):
    """Task 7: the number of things that somebody carries; every sentence about his handling supports it."""

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"How many objects is (\w+) carrying\?", question)
        return one(NUMBERS[len(self.carried(who))], *(when for when, _ in self.hands[who]))


class WhatCarried(Things):
    """Task 8: the things that somebody carries, in the order in which he first had them."""

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"What is (\w+) carrying\?", question)
        of_thing: dict[str, list[int]] = {}
        for when, what in self.hands[who]:
            of_thing.setdefault(what, []).append(when)
        has = set(self.carried(who))
        answer = ",".join(what for what in of_thing if what in has) or "nothing"
        return one(answer, *(when for whens in of_thing.values() for when in whens))


class Rumours(Reader):
    """Tasks 9 and 10: the last sentence about somebody counts."""

    understands = (
        (MOVE, "is_in"),
        (re.compile(r"(?P<who>\w+) is in the (?P<place>\w+)\."), "is_in"),
        (re.compile(r"(?P<who>\w+) is (?:no longer|not) in the (?P<place>\w+)\."), "is_not"),
        (re.compile(r"(?P<who>\w+) is either in the (?P<one>\w+) or the (?P<other>\w+)\."), "is_either"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, tuple[str, set[str], int]] = {}

    def is_in(self, who: str, place: str) -> None:
        """Note that somebody is at a place."""
        self.said[who] = "yes", {place}, self.now

    def is_not(self, who: str, place: str) -> None:
        """Note that somebody is not at a place."""
        self.said[who] = "no", {place}, self.now

    def is_either(self, who: str, one: str, other: str) -> None:
        """Note that somebody is at one of two places."""
        self.said[who] = "maybe", {one, other}, self.now

    def ask(self, question: str) -> Reading:
        who, place = self.parts(r"Is (\w+) in the (\w+)\?", question)
        if who not in self.said:
            return NOTHING
        kind, places, when = self.said[who]
        if place in places:
            return one(kind, when)
        return NOTHING if kind == "no" else one("no", when)


class Pronouns(Places):
    """Tasks 11 and 13: he, she and they are the people of the sentence before."""

    understands = (
        (re.compile(rf"(?:After that|Afterwards|Following that|Then) (?:he|she|they) {WALK}\."), "go_on"),
        *Places.understands,
    )

    def __init__(self) -> None:
        super().__init__()
        self.spoken_of: tuple[str, ...] = ()
        self.before: dict[str, int] = {}

    def go(self, who: str, place: str) -> None:
        super().go(who, place)
        self.spoken_of = (who,)

    def both_go(self, first: str, second: str, place: str) -> None:
        super().both_go(first, second, place)
        self.spoken_of = (first, second)

    def go_on(self, place: str) -> None:
        """Note that the people of the last sentence went to a further place."""
        for who in self.spoken_of:
            self.before[who] = self.at[who][1]
            self.at[who] = place, self.now

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"Where is (\w+)\?", question)
        if who not in self.at:
            return NOTHING
        place, since = self.at[who]
        named = self.before.get(who, since)
        return one(place, since) if named > since or self.before.get(who) is None else one(place, named, since)


TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
WHEN = "(?P<when>" + "|".join(TIMES) + ")"


class Days(Reader):
    """Task 14: the place of somebody before he last came to another, by the times of the day."""

    understands = (
        (re.compile(rf"(?P<who>\w+) {WALK} {WHEN}\."), "go"),
        (re.compile(rf"{WHEN} (?P<who>\w+) {WALK}\.", re.IGNORECASE), "go"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.day: dict[str, dict[int, tuple[str, int]]] = defaultdict(dict)

    def go(self, who: str, place: str, when: str) -> None:
        """Note that somebody went to a place at a time of the day."""
        self.day[who][TIMES.index(when.lower())] = place, self.now

    def ask(self, question: str) -> Reading:
        who, place = self.parts(r"Where was (\w+) before the (\w+)\?", question)
        day = sorted(self.day[who].items())
        for (_, (before, was)), (_, (after, came)) in zip(day[-2::-1], day[:0:-1], strict=True):
            if after == place:
                return one(before, came, was)
        return NOTHING


SINGULAR = {"mice": "mouse", "wolves": "wolf", "cats": "cat", "sheep": "sheep"}


class Fears(Reader):
    """Task 15: an animal shares the fear of its kind."""

    understands = (
        (re.compile(r"(?P<kind>\w+) are afraid of (?P<feared>\w+)\."), "fear"),
        (re.compile(r"(?P<name>\w+) is an? (?P<kind>\w+)\."), "is_a"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.kind: dict[str, tuple[str, int]] = {}
        self.fears: dict[str, tuple[str, int]] = {}

    def fear(self, kind: str, feared: str) -> None:
        """Note that one kind of animals is afraid of another."""
        self.fears[SINGULAR[kind.lower()]] = SINGULAR[feared], self.now

    def is_a(self, name: str, kind: str) -> None:
        """Note the kind of an animal."""
        self.kind[name.lower()] = kind, self.now

    def ask(self, question: str) -> Reading:
        (name,) = self.parts(r"What is (\w+) afraid of\?", question)
        if name not in self.kind or self.kind[name][0] not in self.fears:
            return NOTHING
        kind, is_a = self.kind[name]
        feared, afraid = self.fears[kind]
        return one(feared, is_a, afraid)


class Colours(Reader):
    """Task 16: an animal has the colour of others of its kind; if these differ, any of their colours."""

    understands = (
        (re.compile(r"(?P<name>\w+) is an? (?P<kind>\w+)\."), "is_a"),
        (re.compile(r"(?P<name>\w+) is (?P<colour>\w+)\."), "has_colour"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.kind: dict[str, tuple[str, int]] = {}
        self.colour: dict[str, tuple[str, int]] = {}

    def is_a(self, name: str, kind: str) -> None:
        """Note the kind of an animal."""
        self.kind[name] = kind, self.now

    def has_colour(self, name: str, colour: str) -> None:
        """Note the colour of an animal."""
        self.colour[name] = colour, self.now

    def ask(self, question: str) -> Reading:
        (name,) = self.parts(r"What color is (\w+)\?", question)
        if name not in self.kind:
            return NOTHING
        kind, is_a = self.kind[name]
        like = [
            other for other, (its, _) in self.kind.items() if its == kind and other != name and other in self.colour
        ]
        if not like:
            return NOTHING
        last = max(like, key=lambda other: self.kind[other][1])  # the release goes by the one that was named last
        support = is_a, self.kind[last][1], self.colour[last][1]
        return Reading(frozenset(self.colour[other][0] for other in like), support)


SIDES = {"above": (0, 1), "below": (0, -1), "to the left of": (-1, 0), "to the right of": (1, 0)}
SIDE = "(" + "|".join(SIDES) + ")"


class Layout(Reader):
    """Task 17: shapes on a grid; one is above another if it is higher up, however far to the side."""

    understands = ((re.compile(rf"The (?P<one>[\w ]+?) is (?P<side>{SIDE[1:-1]}) the (?P<other>[\w ]+)\."), "lie"),)

    def __init__(self) -> None:
        super().__init__()
        self.beside: dict[str, list[tuple[str, tuple[int, int], int]]] = defaultdict(list)

    def lie(self, one: str, side: str, other: str) -> None:
        """Note how two shapes lie to each other."""
        x, y = SIDES[side]
        self.beside[other].append((one, (x, y), self.now))
        self.beside[one].append((other, (-x, -y), self.now))

    def ask(self, question: str) -> Reading:
        a, side, b = self.parts(rf"Is the ([\w ]+?) {SIDE} the ([\w ]+)\?", question)
        for shape, (x, y), support in self._from(b):
            if shape == a:
                dx, dy = SIDES[side]
                return one("yes" if x * dx + y * dy > 0 else "no", *reversed(support))
        return NOTHING

    def _from(self, start: str) -> Iterator[tuple[str, tuple[int, int], tuple[int, ...]]]:
        """Every shape, its distance from `start`, and the sentences that say so."""
        todo: deque[tuple[str, tuple[int, int], tuple[int, ...]]] = deque([(start, (0, 0), ())])
        seen = {start}
        while todo:
            shape, (x, y), support = todo.popleft()
            yield shape, (x, y), support
            for other, (dx, dy), when in self.beside[shape]:
                if other not in seen:
                    seen.add(other)
                    todo.append((other, (x + dx, y + dy), (*support, when)))


class Fitting(Reader):
    """Task 18: a thing that fits in another fits in everything that is bigger than it."""

    understands = (
        (re.compile(r"The (?P<small>[\w ]+?) fits inside the (?P<big>[\w ]+)\."), "fit"),
        (re.compile(r"The (?P<big>[\w ]+?) is bigger than the (?P<small>[\w ]+)\."), "fit"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.bigger: dict[str, set[str]] = defaultdict(set)

    def fit(self, small: str, big: str) -> None:
        """Note that one thing is bigger than another."""
        self.bigger[small].add(big)

    def ask(self, question: str) -> Reading:
        if question.startswith("Does"):
            small, big = self.parts(r"Does the ([\w ]+?) fit in the ([\w ]+)\?", question)
        else:
            big, small = self.parts(r"Is the ([\w ]+?) bigger than the ([\w ]+)\?", question)
        if self._smaller(small, big):
            return Reading(frozenset(["yes"]))
        return Reading(frozenset(["no"])) if self._smaller(big, small) else NOTHING

    def _smaller(self, small: str, big: str) -> bool:
        todo, seen = [small], {small}
        while todo:
            for other in self.bigger[todo.pop()] - seen:
                seen.add(other)
                todo.append(other)
        return big in seen - {small}


class Map(Reader):
    """Tasks 4 and 19: places beside places."""

    understands = (
        (
            re.compile(r"The (?P<place>\w+) is (?P<side>north|south|east|west) of the (?P<other>\w+)\."),
            "lie",
        ),
    )
    opposite = {"north": "south", "south": "north", "east": "west", "west": "east"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.neighbour: dict[str, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))

    def lie(self, place: str, side: str, other: str) -> None:
        """Note how two places lie to each other."""
        self.neighbour[other][side].append((place, self.now))
        self.neighbour[place][self.opposite[side]].append((other, self.now))


class Beside(Map):
    """Task 4: the place north of another, or the one that another is north of."""

    def ask(self, question: str) -> Reading:
        if question.startswith("What is the"):
            place, side = self.parts(r"What is the (\w+) (\w+) of\?", question)
            side = self.opposite[side]
        else:
            side, place = self.parts(r"What is (\w+) of the (\w+)\?", question)
        neighbours = self.neighbour[place][side]
        return Reading(frozenset(place for place, _ in neighbours), tuple(when for _, when in neighbours))


class Ways(Map):
    """Task 19: the shortest ways from one place to another."""

    def ask(self, question: str) -> Reading:
        start, end = self.parts(r"How do you go from the (\w+) to the (\w+)\?", question)
        ways: list[tuple[str, tuple[str, ...], tuple[int, ...]]] = [(start, (), ())]
        seen = {start}
        while ways:
            arrived = [(steps, support) for place, steps, support in ways if place == end]
            if arrived:
                answers = frozenset(",".join(step[0] for step in steps) for steps, _ in arrived)
                return Reading(answers, arrived[0][1])
            ways = [
                (other, (*steps, side), (*support, when))
                for place, steps, support in ways
                for side, others in self.neighbour[place].items()
                for other, when in others
                if other not in seen
            ]
            seen |= {place for place, _, _ in ways}
        return NOTHING


WANTS = {"hungry": "kitchen", "thirsty": "kitchen", "tired": "bedroom", "bored": "garden"}


class Motives(Reader):
    """Task 20: people go where they find the things they want."""

    understands = ((re.compile(r"(?P<who>\w+) is (?P<motive>\w+)\."), "want"), (GET, "get"))

    def __init__(self) -> None:
        super().__init__()
        self.motive: dict[str, tuple[str, int]] = {}

    def want(self, who: str, motive: str) -> None:
        """Note the motive of somebody."""
        self.motive[who.lower()] = motive, self.now

    def get(self, who: str, what: str) -> None:
        """Pass over a sentence that answers no question."""

    def ask(self, question: str) -> Reading:
        where = question.startswith("Where")
        who = self.parts(r"Where will (\w+) go\?" if where else r"Why did (\w+) (?:go to|get) the \w+\?", question)[0]
        if who not in self.motive:
            return NOTHING
        motive, when = self.motive[who]
        return one(WANTS[motive] if where else motive, when)


READERS: dict[int, type[Reader]] = {
    1: Places, 2: WhereThing, 3: WhereBefore, 4: Beside, 5: WhoGave, 6: IsThere, 7: HowMany, 8: WhatCarried,
    9: Rumours, 10: Rumours, 11: Pronouns, 12: Places, 13: Pronouns, 14: Days, 15: Fears, 16: Colours, 17: Layout,
    18: Fitting, 19: Ways, 20: Motives,
}  # fmt: skip


def readings(task: int, story: Story) -> list[tuple[Question, Reading]]:
    """Pair every question of a story with its reading by the sentences before it."""
    reader = READERS[task]()
    pairs: list[tuple[Question, Reading]] = []
    for line in story:
        if isinstance(line, str):
            reader.tell(line)
        else:
            pairs.append((line, reader.ask(line.question)))
    return pairs
