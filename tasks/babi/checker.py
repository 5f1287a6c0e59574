"""A second reading of bAbI's stories: answers and supporting facts from the sentences alone.

It shares nothing with the generator but the format, knows no name, place or object beforehand, and takes one sentence
at a time, so that a test can hold it against generated and released stories alike.
"""

import re
from collections import defaultdict, deque
from typing import NamedTuple

from tasks.babi.text import Asked, Story
from tasks.errors import UserError


class Reading(NamedTuple):
    answers: frozenset[str]  # all that the sentences allow; none if they say nothing about it
    support: tuple[int, ...] = ()  # positions of the sentences that say so, in the order of the release

    @property
    def decided(self) -> bool:
        return len(self.answers) == 1


NOTHING = Reading(frozenset())


def one(answer: str, *support: int) -> Reading:
    return Reading(frozenset([answer]), support)


WALK = r"(?:went|went back|journeyed|travelled|moved) to the (?P<place>\w+)"
MOVE = re.compile(rf"(?P<who>\w+) {WALK}\.")
GET = re.compile(r"(?P<who>\w+) (?:got|took|grabbed|picked up) the (?P<what>\w+)(?: there)?\.")
DROP = re.compile(r"(?P<who>\w+) (?:dropped|left|discarded|put down) the (?P<what>\w+)(?: there)?\.")
GIVE = re.compile(r"(?P<who>\w+) (?:gave|handed|passed) the (?P<what>\w+) to (?P<whom>\w+)\.")


class Reader:
    """Listens to a story, then answers. A subclass says what it understands: a pattern and what to do with it."""

    understands: tuple[tuple[re.Pattern, str], ...] = ()

    def __init__(self) -> None:
        self.now = -1  # position of the sentence just heard

    def tell(self, sentence: str) -> None:
        self.now += 1
        for pattern, action in self.understands:
            found = pattern.fullmatch(sentence)
            if found:
                getattr(self, action)(**found.groupdict())
                return
        if not MOVE.fullmatch(sentence):  # people walk through every story
            raise UserError(f"{type(self).__name__} does not understand {sentence!r}")

    def ask(self, question: str) -> Reading:
        """What the sentences say about a question."""
        raise NotImplementedError

    def parts(self, pattern: str, question: str) -> tuple[str, ...]:
        found = re.fullmatch(pattern, question.strip())
        if not found:
            raise UserError(f"{type(self).__name__} does not understand {question!r}")
        return found.groups()


class Places(Reader):
    """1 and 12: where people went last."""

    understands = (
        (re.compile(rf"(?P<first>\w+) and (?P<second>\w+) {WALK}\."), "both_go"),
        (MOVE, "go"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, tuple[str, int]] = {}

    def go(self, who: str, place: str) -> None:
        self.at[who] = place, self.now

    def both_go(self, first: str, second: str, place: str) -> None:
        self.go(first, place)
        self.go(second, place)

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"Where is (\w+)\?", question)
        return one(*self.at[who]) if who in self.at else NOTHING


class Things(Places):
    """2, 3, 5, 6, 7 and 8: people carry things."""

    understands = ((MOVE, "go"), (GET, "get"), (DROP, "drop"), (GIVE, "give"))

    def __init__(self) -> None:
        super().__init__()
        self.holder: dict[str, str | None] = {}
        self.touched: dict[str, int] = {}
        self.journey: dict[str, list[tuple[str, int]]] = defaultdict(list)  # where a thing has been, and since when
        self.hands: dict[str, list[tuple[int, str]]] = defaultdict(list)  # all that somebody did with his hands
        self.gifts: list[tuple[str, str, str, int]] = []

    def go(self, who: str, place: str) -> None:
        super().go(who, place)
        for what, holder in self.holder.items():
            if holder == who:
                self.journey[what].append((place, self.now))

    def get(self, who: str, what: str) -> None:
        self._touch(what, who)
        self.holder[what] = who
        if who in self.at:
            if self.journey[what] and self.journey[what][-1][0] == self.at[who][0]:
                self.journey[what].pop()  # it has not moved; its finder says where it is now
            self.journey[what].append(self.at[who])

    def drop(self, who: str, what: str) -> None:
        self._touch(what, who)
        self.holder[what] = None

    def give(self, who: str, what: str, whom: str) -> None:
        self._touch(what, who, whom)
        self.holder[what] = whom
        self.gifts.append((who, what, whom, self.now))

    def _touch(self, what: str, *people: str) -> None:
        self.touched[what] = self.now
        for who in people:
            self.hands[who].append((self.now, what))

    def carried(self, who: str) -> list[str]:
        return [what for what, holder in self.holder.items() if holder == who]


class WhereThing(Things):
    """2: a thing is where it was last carried."""

    def ask(self, question: str) -> Reading:
        (what,) = self.parts(r"Where is the (\w+)\?", question)
        if not self.journey[what]:
            return NOTHING
        place, since = self.journey[what][-1]
        return one(place, self.touched[what], since)


class WhereBefore(Things):
    """3: where a thing was before it last came to a place."""

    def ask(self, question: str) -> Reading:
        what, place = self.parts(r"Where was the (\w+) before the (\w+)\?", question)
        journey = self.journey[what]
        for (before, was), (after, came) in zip(journey[-2::-1], journey[:0:-1], strict=True):
            if after == place:
                return one(before, self.touched[what], came, was)
        return NOTHING


class WhoGave(Things):
    """5: the last gift that fits."""

    def ask(self, question: str) -> Reading:
        forms = (
            (r"What did (?P<who>\w+) give to (?P<whom>\w+)\?", 1),
            (r"Who gave the (?P<what>\w+)(?: to (?P<whom>\w+))?\?", 0),
            (r"Who received the (?P<what>\w+)\?", 2),
            (r"Who did (?P<who>\w+) give the (?P<what>\w+) to\?", 2),
        )
        for form, wanted in forms:
            found = re.fullmatch(form, question.strip())
            if found:
                said = {name: word for name, word in found.groupdict().items() if word}
                for who, what, whom, when in reversed(self.gifts):
                    gift = {"who": who, "what": what, "whom": whom}
                    if all(gift[name] == word for name, word in said.items()):
                        return one((who, what, whom)[wanted], when)
                return NOTHING
        raise UserError(f"{type(self).__name__} does not understand {question!r}")


class IsThere(Things):
    """6: whether somebody is at a place."""

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
    """7: how many things somebody carries; all that he ever handled says so."""

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"How many objects is (\w+) carrying\?", question)
        return one(NUMBERS[len(self.carried(who))], *(when for when, _ in self.hands[who]))


class WhatCarried(Things):
    """8: what somebody carries, thing by thing in the order in which he first had them."""

    def ask(self, question: str) -> Reading:
        (who,) = self.parts(r"What is (\w+) carrying\?", question)
        of_thing: dict[str, list[int]] = {}
        for when, what in self.hands[who]:
            of_thing.setdefault(what, []).append(when)
        has = set(self.carried(who))
        answer = ",".join(what for what in of_thing if what in has) or "nothing"
        return one(answer, *(when for whens in of_thing.values() for when in whens))


class Rumours(Reader):
    """9 and 10: what was last said of somebody counts."""

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
        self.said[who] = "yes", {place}, self.now

    def is_not(self, who: str, place: str) -> None:
        self.said[who] = "no", {place}, self.now

    def is_either(self, who: str, one: str, other: str) -> None:
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
    """11 and 13: he, she and they are those of whom the sentence before tells."""

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
    """14: where somebody was before he last came to a place, by the times of the day."""

    understands = (
        (re.compile(rf"(?P<who>\w+) {WALK} {WHEN}\."), "go"),
        (re.compile(rf"{WHEN} (?P<who>\w+) {WALK}\.", re.IGNORECASE), "go"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.day: dict[str, dict[int, tuple[str, int]]] = defaultdict(dict)

    def go(self, who: str, place: str, when: str) -> None:
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
    """15: an animal is afraid of what its kind is afraid of."""

    understands = (
        (re.compile(r"(?P<kind>\w+) are afraid of (?P<feared>\w+)\."), "fear"),
        (re.compile(r"(?P<name>\w+) is an? (?P<kind>\w+)\."), "is_a"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.kind: dict[str, tuple[str, int]] = {}
        self.fears: dict[str, tuple[str, int]] = {}

    def fear(self, kind: str, feared: str) -> None:
        self.fears[SINGULAR[kind.lower()]] = SINGULAR[feared], self.now

    def is_a(self, name: str, kind: str) -> None:
        self.kind[name.lower()] = kind, self.now

    def ask(self, question: str) -> Reading:
        (name,) = self.parts(r"What is (\w+) afraid of\?", question)
        if name not in self.kind or self.kind[name][0] not in self.fears:
            return NOTHING
        kind, is_a = self.kind[name]
        feared, afraid = self.fears[kind]
        return one(feared, is_a, afraid)


class Colours(Reader):
    """16: an animal has the colour of others of its kind; where these differ, any of theirs."""

    understands = (
        (re.compile(r"(?P<name>\w+) is an? (?P<kind>\w+)\."), "is_a"),
        (re.compile(r"(?P<name>\w+) is (?P<colour>\w+)\."), "has_colour"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.kind: dict[str, tuple[str, int]] = {}
        self.colour: dict[str, tuple[str, int]] = {}

    def is_a(self, name: str, kind: str) -> None:
        self.kind[name] = kind, self.now

    def has_colour(self, name: str, colour: str) -> None:
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
    """17: shapes on a grid; one is above another if it is higher up, however far to the side."""

    understands = ((re.compile(rf"The (?P<one>[\w ]+?) is (?P<side>{SIDE[1:-1]}) the (?P<other>[\w ]+)\."), "lie"),)

    def __init__(self) -> None:
        super().__init__()
        self.beside: dict[str, list[tuple[str, tuple[int, int], int]]] = defaultdict(list)

    def lie(self, one: str, side: str, other: str) -> None:
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

    def _from(self, start: str):
        """Every shape, how far it lies from `start`, and the sentences that say so."""
        todo, seen = deque([(start, (0, 0), ())]), {start}
        while todo:
            shape, (x, y), support = todo.popleft()
            yield shape, (x, y), support
            for other, (dx, dy), when in self.beside[shape]:
                if other not in seen:
                    seen.add(other)
                    todo.append((other, (x + dx, y + dy), (*support, when)))


class Fitting(Reader):
    """18: what fits in something fits in all that is bigger."""

    understands = (
        (re.compile(r"The (?P<small>[\w ]+?) fits inside the (?P<big>[\w ]+)\."), "fit"),
        (re.compile(r"The (?P<big>[\w ]+?) is bigger than the (?P<small>[\w ]+)\."), "fit"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.bigger: dict[str, set[str]] = defaultdict(set)

    def fit(self, small: str, big: str) -> None:
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
    """4 and 19: places beside places."""

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
        self.neighbour[other][side].append((place, self.now))
        self.neighbour[place][self.opposite[side]].append((other, self.now))


class Beside(Map):
    """4: what is north of a place, what is it north of?"""

    def ask(self, question: str) -> Reading:
        if question.startswith("What is the"):
            place, side = self.parts(r"What is the (\w+) (\w+) of\?", question)
            side = self.opposite[side]
        else:
            side, place = self.parts(r"What is (\w+) of the (\w+)\?", question)
        found = self.neighbour[place][side]
        return Reading(frozenset(place for place, _ in found), tuple(when for _, when in found))


class Ways(Map):
    """19: the shortest ways from a place to another."""

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
    """20: people go where they find what they want."""

    understands = ((re.compile(r"(?P<who>\w+) is (?P<motive>\w+)\."), "want"), (GET, "get"))

    def __init__(self) -> None:
        super().__init__()
        self.motive: dict[str, tuple[str, int]] = {}

    def want(self, who: str, motive: str) -> None:
        self.motive[who.lower()] = motive, self.now

    def get(self, who: str, what: str) -> None:
        """Says nothing that is asked about."""

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


def readings(task: int, story: Story) -> list[tuple[Asked, Reading]]:
    """Every question of a story, and what its sentences say about it."""
    reader = READERS[task]()
    found = []
    for line in story:
        if isinstance(line, str):
            reader.tell(line)
        else:
            found.append((line, reader.ask(line.question)))
    return found
