"""Tasks 1 to 3 and 5 to 14: people walk about and carry things; questions ask where they are and what they have.

The rules of release v1.2 were inferred from its files. Two statements are told at a time. Then a question about one of
the last five is asked, if there can be one; if not, two more statements are told. The fifth question ends the story.
Every statement is a random act of a random person, drawn again until it is possible.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from tasks.babi.text import Question, Story
from tasks.babi.words import DROPS, FEMALE, GETS, GIVES, MOVES, NUMBERS
from tasks.draw import Draw, other, pick

QUESTIONS = 5  # of a story
AT_ONCE = 2  # statements between two attempts to ask
RECENT = 5  # statements that a question can be about
NEVER = -1  # position of a statement that was not made, number of a person or an object that is none


class Cast(NamedTuple):
    """The people, places and objects of a story."""

    people: tuple[str, ...]
    places: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


class Walk(ABC):
    """A story that goes on until enough questions are asked. People, places and objects are numbers in the cast."""

    endless = True  # whether a story can be of any length

    def __init__(self, draw: Draw, cast: Cast, sentences: int) -> None:
        self.draw, self.cast, self.sentences = draw, cast, sentences
        self.lines: Story = []

    def story(self) -> Story:
        """Tell a new story; with a least number of sentences, the questions are spread evenly between them."""
        self.begin_story()
        for number in range(1, QUESTIONS + 1):
            while self.told * QUESTIONS < self.sentences * number - AT_ONCE * QUESTIONS:
                self.step()
            question = None
            while question is None:
                for _ in range(AT_ONCE):
                    self.step()
                question = self.question()
            self.lines.append(question)
        return self.lines

    def begin_story(self) -> None:
        """Set up the world of a new story."""
        draw, people, places, objects = self.draw, *map(len, self.cast)
        self.lines, self.told = [], 0  # the number of statements
        self.clues: list[tuple] = []  # the arguments of `ask`, for each statement
        self.at = [int(draw() * places) for _ in range(people)]  # where a person really is
        self.last = [NEVER] * people  # the last statement about the place of a person
        self.begin(people, objects)

    def say(self, text: str, *clue: object) -> int:
        """Add a statement and return its position."""
        self.lines.append(text)
        self.clues.append(clue)
        self.told += 1
        return self.told - 1

    def question(self) -> Question | None:
        """Ask about one of the last statements, or return None if there is nothing to ask."""
        recent = self.clues[-RECENT:]
        while recent:
            question = self.ask(*recent.pop(int(self.draw() * len(recent))))
            if question is not None:
                return question
        return None

    def walks(self, who: str, place: int) -> str:
        """Spell a move to a place."""
        return f"{who} {pick(self.draw, MOVES)} to the {self.cast.places[place]}."

    def begin(self, people: int, objects: int) -> None:  # noqa: B027 (most tasks keep nothing more)
        """Set up the further state of a task's world."""

    @abstractmethod
    def step(self) -> None:
        """Let something happen, and say so."""

    @abstractmethod
    def ask(self, *clue: Any) -> Question | None:
        """Ask about a statement with this clue, or about a later consequence; None if there is nothing to ask."""


class Carrying(Walk):
    """People move, get, drop and give objects. A clue is (act, person, object)."""

    acts: tuple[str, ...] = ("move", "get", "drop")
    get_there = 1.0  # share of statements of getting that end with "there"
    drop_there = 0.2

    def begin(self, people: int, objects: int) -> None:
        places = len(self.cast.places)
        self.lies = [int(self.draw() * places) for _ in range(objects)]  # where an object really is, if nobody has it
        self.holder = [NEVER] * objects
        self.touch = [NEVER] * objects  # the statement that last got, dropped or gave it
        self.left_at = [NEVER] * objects  # the move that says where it was dropped
        self.trail: list[list[int]] = [[] for _ in range(objects)]  # moves of its holder since he got it
        self.place_of: dict[int, int] = {}  # where a move led

    def step(self) -> None:
        """A random person acts at random, once the act is possible."""
        draw, people = self.draw, len(self.cast.people)
        while True:
            who, act = int(draw() * people), pick(draw, self.acts)
            if act == "move":
                place = int(draw() * len(self.cast.places))
                if place != self.at[who]:
                    return self.move(who, place)
            elif act == "get":
                here = [o for o, lies in enumerate(self.lies) if lies == self.at[who] and self.holder[o] == NEVER]
                if here:
                    return self.get(who, pick(draw, here))
            else:
                has = [o for o, holder in enumerate(self.holder) if holder == who]
                if has and act == "drop":
                    return self.drop(who, pick(draw, has))
                near = [p for p, at in enumerate(self.at) if at == self.at[who] and p != who] if has else None
                if near:  # the first of each, which is why some are asked about more often than others
                    return self.give(who, has[0], near[0])

    def move(self, who: int, place: int) -> None:
        """Somebody goes to a place, with all that he has."""
        now = self.say(self.walks(self.cast.people[who], place), "move", who, NEVER)
        self.at[who], self.last[who], self.place_of[now] = place, now, place
        for thing, holder in enumerate(self.holder):
            if holder == who:
                self.trail[thing].append(now)

    def get(self, who: int, thing: int) -> None:
        """Somebody takes an object that lies where he is."""
        there = " there" if self.draw() < self.get_there else ""
        text = f"{self.cast.people[who]} {pick(self.draw, GETS)} the {self.cast.objects[thing]}{there}."
        self.touched(thing, self.say(text, "get", who, thing), who)
        self.holder[thing], self.trail[thing] = who, []

    def drop(self, who: int, thing: int) -> None:
        """Somebody puts down an object where he is."""
        there = " there" if self.draw() < self.drop_there else ""
        text = f"{self.cast.people[who]} {pick(self.draw, DROPS)} the {self.cast.objects[thing]}{there}."
        self.touched(thing, self.say(text, "drop", who, thing), who)
        self.holder[thing], self.lies[thing], self.left_at[thing] = NEVER, self.at[who], self.last[who]

    def give(self, who: int, thing: int, to: int) -> None:
        """Somebody gives an object to somebody at the same place."""
        people = self.cast.people
        text = f"{people[who]} {pick(self.draw, GIVES)} the {self.cast.objects[thing]} to {people[to]}."
        self.touched(thing, self.say(text, "give", who, thing), who, to)
        self.holder[thing] = to

    def touched(self, thing: int, now: int, *people: int) -> None:
        """Note that a statement was about an object and these people."""
        self.touch[thing] = now

    def where(self, move: int) -> str:
        """The name of the place that a move led to."""
        return self.cast.places[self.place_of[move]]


class SingleFact(Carrying):
    """Task 1: where is somebody?"""

    acts = ("move",)

    def ask(self, act: str, who: int, thing: int) -> Question:
        return Question(f"Where is {self.cast.people[who]}? ", self.where(self.last[who]), (self.last[who],))


class TwoFacts(Carrying):
    """Task 2: where is an object? It was dropped at a known place, or carried to one."""

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if thing == NEVER:
            return None
        holder, touch = self.holder[thing], self.touch[thing]
        moved = self.left_at[thing] if holder == NEVER else self.last[holder]
        if moved == NEVER or (holder != NEVER and moved < touch):
            return None
        return Question(f"Where is the {self.cast.objects[thing]}? ", self.where(moved), (touch, moved))


class ThreeFacts(Carrying):
    """Task 3: where was an object before it came to a place? Somebody carried it to both."""

    get_there = 0.2

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if thing == NEVER or len(self.trail[thing]) < 2:
            return None
        trail = self.trail[thing]
        leg = int(self.draw() * (len(trail) - 1)) + 1
        place = self.place_of[trail[leg]]
        leg = max(i for i, move in enumerate(trail) if self.place_of[move] == place)  # "before" the last time
        came, was = trail[leg], trail[leg - 1]
        question = f"Where was the {self.cast.objects[thing]} before the {self.cast.places[place]}? "
        return Question(question, self.where(was), (self.touch[thing], came, was))


class ThreeArguments(Carrying):
    """Task 5: who gave what to whom?"""

    acts = ("move", "get", "drop", "give", "give", "give")

    def begin(self, people: int, objects: int) -> None:
        super().begin(people, objects)
        self.given: dict[int, tuple[int, int]] = {}  # by object, its last giver and receiver
        self.gift: dict[int, int] = {}  # and the statement that said so
        self.between: dict[tuple[int, int], int] = {}  # the last object that the one gave to the other

    def give(self, who: int, thing: int, to: int) -> None:
        super().give(who, thing, to)
        self.given[thing], self.gift[thing], self.between[who, to] = (who, to), self.touch[thing], thing

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if act != "give":
            return None
        giver, receiver = (self.cast.people[p] for p in self.given[thing])
        what = self.cast.objects[thing]
        kind = int(self.draw() * 6)
        if kind < 2:
            if self.between[self.given[thing]] != thing:  # he has given him something else since
                return None
            question, answer = f"What did {giver} give to {receiver}? ", what
        elif kind == 2:
            question, answer = f"Who gave the {what}? ", giver
        elif kind == 3:
            question, answer = f"Who gave the {what} to {receiver}? ", giver
        elif kind == 4:
            question, answer = f"Who received the {what}? ", receiver
        else:
            question, answer = f"Who did {giver} give the {what} to? ", receiver
        return Question(question, answer, (self.gift[thing],))


class YesNo(Carrying):
    """Task 6: is somebody at a place?"""

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if act != "move":
            return None
        is_there = self.draw() < 0.5
        place = self.at[who] if is_there else other(self.draw, len(self.cast.places), self.at[who])
        question = f"Is {self.cast.people[who]} in the {self.cast.places[place]}? "
        return Question(question, "yes" if is_there else "no", (self.last[who],))


class Handling(Carrying):
    """Tasks 7 and 8: the objects that somebody has handled."""

    def begin(self, people: int, objects: int) -> None:
        super().begin(people, objects)
        self.touches: list[list[tuple[int, int]]] = [[] for _ in range(people)]  # statements, and what they are about

    def touched(self, thing: int, now: int, *people: int) -> None:
        super().touched(thing, now)
        for who in people:
            self.touches[who].append((now, thing))


class Counting(Handling):
    """Task 7: how many objects is somebody carrying?"""

    acts = ("move", "get", "drop", "give", "give", "give")

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if act == "move":
            return None
        question = f"How many objects is {self.cast.people[who]} carrying? "
        return Question(question, NUMBERS[self.holder.count(who)], tuple(now for now, _ in self.touches[who]))


class Lists(Handling):
    """Task 8: what is somebody carrying? Objects, and the facts of each, in the order of first getting them."""

    def ask(self, act: str, who: int, thing: int) -> Question | None:
        if act == "move":
            return None
        facts: dict[int, list[int]] = {}
        for now, touched in self.touches[who]:
            facts.setdefault(touched, []).append(now)
        has = ",".join(self.cast.objects[o] for o in facts if self.holder[o] == who)
        support = tuple(now for of_one in facts.values() for now in of_one)
        return Question(f"What is {self.cast.people[who]} carrying? ", has or "nothing", support)


class Whereabouts(Walk):
    """Tasks 9 and 10: people move, or are said to be somewhere, or a statement of the task's own leaves it open."""

    def begin(self, people: int, objects: int) -> None:
        self.known: list[tuple[str, tuple[int, ...]]] = [("", ())] * people  # the last statement about a person

    def step(self) -> None:
        """A person moves and is reported to have moved, reported to be there, or hinted at."""
        draw, who, kind = self.draw, int(self.draw() * len(self.cast.people)), self.draw()
        name, places = self.cast.people[who], self.cast.places
        was, now = self.at[who], other(draw, len(places), self.at[who])
        self.at[who] = now
        known: tuple[str, tuple[int, ...]]
        if kind < 0.5:
            text, known = self.walks(name, now), ("in", (now,))
        elif kind < 0.75:
            text, known = f"{name} is in the {places[now]}.", ("in", (now,))
        else:
            text, known = self.hint(name, was, now)
        self.last[who], self.known[who] = self.say(text, who), known

    @abstractmethod
    def hint(self, name: str, was: int, now: int) -> tuple[str, tuple[str, tuple[int, ...]]]:
        """A statement that leaves open where somebody is, and its meaning: a word and places."""

    def ask(self, who: int) -> Question:
        kind, known = self.known[who]
        place = self.at[who] if self.draw() < 0.5 else other(self.draw, len(self.cast.places), self.at[who])
        if kind == "out":  # asked about the one place that he is known to have left
            (place,), answer = known, "no"
        else:
            answer = ("yes" if kind == "in" else "maybe") if place in known else "no"
        return Question(f"Is {self.cast.people[who]} in the {self.cast.places[place]}? ", answer, (self.last[who],))


class Negation(Whereabouts):
    """Task 9: somebody is not, or no longer, where he was."""

    def hint(self, name: str, was: int, now: int) -> tuple[str, tuple[str, tuple[int, ...]]]:
        no = pick(self.draw, ("no longer", "not"))
        return f"{name} is {no} in the {self.cast.places[was]}.", ("out", (was,))


class Indefinite(Whereabouts):
    """Task 10: somebody is in one of two places; they can be the same, as in the release."""

    def hint(self, name: str, was: int, now: int) -> tuple[str, tuple[str, tuple[int, ...]]]:
        places = self.cast.places
        either = (now, int(self.draw() * len(places)))
        first, second = either if self.draw() < 0.5 else either[::-1]
        return f"{name} is either in the {places[first]} or the {places[second]}.", ("either", either)


THEN = ("After that", "Afterwards", "Following that", "Then")


class Coreference(Walk):
    """Task 11: "then she went"; each move is followed by one with a pronoun."""

    def step(self) -> None:
        """A person moves; every second statement is about the person before, by a pronoun."""
        if self.told % 2:  # the second statement
            who = self.clues[-1][0]
            subject = f"{pick(self.draw, THEN)} {'she' if self.cast.people[who] in FEMALE else 'he'}"
        else:
            who = int(self.draw() * len(self.cast.people))
            subject = self.cast.people[who]
        self.at[who] = other(self.draw, len(self.cast.places), self.at[who])
        self.last[who] = self.say(self.walks(subject, self.at[who]), who)

    def ask(self, who: int) -> Question:
        last = self.last[who]
        return Question(f"Where is {self.cast.people[who]}? ", self.cast.places[self.at[who]], (last - 1, last))


class Conjunction(Walk):
    """Task 12: two people go together."""

    def step(self) -> None:
        """Two people go to a place where neither of them is."""
        draw = self.draw
        while True:
            first = int(draw() * len(self.cast.people))
            second, place = other(draw, len(self.cast.people), first), int(draw() * len(self.cast.places))
            if place not in (self.at[first], self.at[second]):
                break
        self.go(f"{self.cast.people[first]} and {self.cast.people[second]}", (first, second), place)

    def go(self, subject: str, both: tuple[int, int], place: int) -> None:
        """Two people go to a place."""
        now = self.say(self.walks(subject, place), both[0])
        self.clues.append((both[1],))  # a clue for each of them, so questions reach back less far
        for who in both:
            self.at[who], self.last[who] = place, now

    def ask(self, who: int) -> Question:
        return Question(f"Where is {self.cast.people[who]}? ", self.cast.places[self.at[who]], self.facts(who))

    def facts(self, who: int) -> tuple[int, ...]:
        """The statements that say where somebody is."""
        return (self.last[who],)


class CompoundCoreference(Conjunction):
    """Task 13: "then they went"; two statements about two people."""

    def step(self) -> None:
        """Two people go to a place; every second statement is about the two before, as they."""
        if self.told % 2 == 0:
            return super().step()
        (first,), (second,) = self.clues[-2:]
        place = other(self.draw, len(self.cast.places), self.at[first])
        return self.go(f"{pick(self.draw, THEN)} they", (first, second), place)

    def facts(self, who: int) -> tuple[int, ...]:
        return (self.last[who] - 1, self.last[who])


TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


class Time(Walk):
    """Task 14: people go about their day in order; the statements between two questions are shuffled."""

    endless = False

    def begin(self, people: int, objects: int) -> None:
        self.day: list[list[int]] = [[] for _ in range(people)]  # places, one for each time
        self.untold: list[tuple[str, tuple[int, int]]] = []
        self.position: dict[tuple[int, int], int] = {}  # of the statement about a person and a time

    def step(self) -> None:
        """A person moves at the next time of the day; the statement waits for the next question."""
        waiting = [who for who, day in enumerate(self.day) if len(day) < len(TIMES)]
        if not waiting:
            return
        who = pick(self.draw, waiting)
        self.at[who] = other(self.draw, len(self.cast.places), self.at[who])
        time = len(self.day[who])
        self.day[who].append(self.at[who])
        walks = self.walks(self.cast.people[who], self.at[who])
        when = TIMES[time]
        text = f"{walks[:-1]} {when}." if self.draw() < 0.5 else f"{when.capitalize()} {walks}"
        self.untold.append((text, (who, time)))
        self.clues.append((who, time))

    def ask(self, who: int, time: int) -> Question | None:
        day = self.day[who]
        if time == 0 or day[time] in day[time + 1 :]:  # he has been there again since
            return None
        for i in range(len(self.untold) - 1, 0, -1):  # Sattolo's shuffle: nothing stays where it was
            j = int(self.draw() * i)
            self.untold[i], self.untold[j] = self.untold[j], self.untold[i]
        for text, clue in self.untold:
            self.position[clue] = self.told
            self.lines.append(text)
            self.told += 1
        self.untold = []
        places = self.cast.places
        question = f"Where was {self.cast.people[who]} before the {places[day[time]]}? "
        return Question(question, places[day[time - 1]], (self.position[who, time], self.position[who, time - 1]))


WALKS: dict[int, type[Walk]] = {
    1: SingleFact,
    2: TwoFacts,
    3: ThreeFacts,
    5: ThreeArguments,
    6: YesNo,
    7: Counting,
    8: Lists,
    9: Negation,
    10: Indefinite,
    11: Coreference,
    12: Conjunction,
    13: CompoundCoreference,
    14: Time,
}
