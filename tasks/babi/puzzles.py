"""Tasks 4 and 15 to 20: a puzzle, then questions about it.

As in `walks`, proportions were inferred from the released files.
"""

from collections.abc import Callable

from tasks.babi.text import Question, Story
from tasks.babi.walks import Cast
from tasks.babi.words import GETS, MOVES
from tasks.draw import Draw, other, pick

OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
COMPASS = tuple(OPPOSITE)


def two_places(draw: Draw, cast: Cast) -> Story:
    """Task 4: three places in a row; what is north of one, what is one north of?"""
    before, middle, after = _some(draw, cast.places, 3)
    direction = pick(draw, COMPASS)
    facts = []
    for place, side in ((before, direction), (after, OPPOSITE[direction])):
        # the place in the middle is the subject of every third statement
        facts.append((place, side, middle) if draw() < 2 / 3 else (middle, OPPOSITE[side], place))
    _shuffle(draw, facts)
    number = int(draw() * 2)  # of the fact in question
    subject, side, place = facts[number]
    question = f"What is {side} of the {place}?" if draw() < 0.5 else f"What is the {place} {OPPOSITE[side]} of?"
    return [*(f"The {a} is {of} of the {b}." for a, of, b in facts), Question(question, subject, (number,))]


KINDS = {"mouse": "Mice", "cat": "Cats", "wolf": "Wolves", "sheep": "Sheep"}
PLURAL = {"mouse": "mice", "cat": "cats", "wolf": "wolves", "sheep": "sheep"}


def deduction(draw: Draw, cast: Cast) -> Story:
    """Task 15: kinds of animals fear other kinds; what is an animal of a known kind afraid of?"""
    kinds = tuple(KINDS)
    story: Story = []
    fear: dict[str, tuple[str, int]] = {}  # of what, and the statement that says so
    kind_of: dict[str, tuple[str, int]] = {}
    while len(story) < len(kinds) + len(cast.people):
        entity = int(draw() * (len(kinds) + len(cast.people)))
        if entity < len(kinds):
            kind = kinds[entity]
            if kind not in fear:
                feared = kinds[other(draw, len(kinds), entity)]
                fear[kind] = feared, len(story)
                story.append(f"{KINDS[kind]} are afraid of {PLURAL[feared]}.")
        else:
            name, kind = cast.people[entity - len(kinds)], pick(draw, kinds)
            if name not in kind_of and kind in fear:
                kind_of[name] = kind, len(story)
                story.append(f"{name} is a {kind}.")
    for _ in range(4):
        name = pick(draw, cast.people)
        kind, is_a = kind_of[name]
        feared, afraid = fear[kind]
        story.append(Question(f"What is {name.lower()} afraid of?", feared, (is_a, afraid)))
    return story


ANIMALS = ("frog", "lion", "rhino", "swan")
COLOURS = ("gray", "green", "white", "yellow")


def induction(draw: Draw, cast: Cast) -> Story:
    """Task 16: what colour is an animal? The colour of the animal of its kind that was named last.

    The colour of a kind is drawn anew for every animal of it, so animals of a kind can differ, as in the release. No
    question is about an animal whose kind has one or three members.
    """
    while True:
        story: Story = []
        kind_of: dict[str, str] = {}
        named: dict[str, int] = {}  # the statement that says of what kind
        colour_of_kind: dict[str, str] = {}
        coloured: dict[str, tuple[str, int]] = {}
        while len(story) < 2 * len(cast.people) - 1:
            name = pick(draw, cast.people)
            if name not in kind_of:
                kind = kind_of[name] = pick(draw, ANIMALS)
                colour_of_kind[kind] = pick(draw, COLOURS)
                named[name] = len(story)
                story.append(f"{name} is a {kind}.")
            elif name not in coloured:
                colour = colour_of_kind[kind_of[name]]
                coloured[name] = colour, len(story)
                story.append(f"{name} is {colour}.")
        # one statement is missing: a colour, unless somebody has not even been named
        unknown = next(name for name in cast.people if name not in coloured)
        like = [name for name in named if kind_of[name] == kind_of[unknown] and name != unknown]
        if len(like) not in (0, 2):
            colour, seen = coloured[like[-1]]
            return [*story, Question(f"What color is {unknown}?", colour, (named[unknown], named[like[-1]], seen))]


SIDES = {"above": (0, 1), "below": (0, -1), "to the left of": (-1, 0), "to the right of": (1, 0)}
INVERSE = {
    "above": "below",
    "below": "above",
    "to the left of": "to the right of",
    "to the right of": "to the left of",
}


def positions(draw: Draw, cast: Cast) -> Story:
    """Task 17: two shapes, each beside a third; how do the two lie to each other?"""
    first, second, middle = _some(draw, cast.objects, 3)
    sides = tuple(SIDES)
    side = int(draw() * len(sides))
    other_side = other(draw, len(sides), side)  # of the middle; never the same, where the two would coincide
    story: Story = []
    for shape, of in ((first, sides[side]), (second, sides[other_side])):
        subject, of, place = (shape, of, middle) if draw() < 1 / 3 else (middle, INVERSE[of], shape)
        story.append(f"The {subject} is {of} the {place}.")
    (x, y), (u, v) = SIDES[sides[side]], SIDES[sides[other_side]]
    apart = (x - u, y - v)  # of the first from the second
    for _ in range(8):
        turned = draw() < 0.5
        a, b = (second, first) if turned else (first, second)
        true = [of for of, (dx, dy) in SIDES.items() if (dx * apart[0] + dy * apart[1]) * (-1 if turned else 1) > 0]
        yes = draw() < 0.5
        of = pick(draw, true if yes else [of for of in sides if of not in true])
        story.append(Question(f"Is the {a} {of} the {b}?", "yes" if yes else "no", (1, 0) if turned else (0, 1)))
    return story


def sizes(draw: Draw, cast: Cast) -> Story:
    """Task 18: does one thing fit in another? Two statements, taken together, say so."""
    order = [*cast.objects[:2], *_some(draw, cast.objects[2:], len(cast.objects) - 2)]  # the smallest first
    story: Story = []
    facts: list[tuple[int, int]] = []  # smaller, bigger
    questions: list[Question] = []
    while not questions:
        for _ in range(5):
            a = int(draw() * len(order))
            b = other(draw, len(order), a)
            small, big = min(a, b), max(a, b)
            facts.append((small, big))
            fits = draw() < 0.5
            story.append(
                f"The {order[small]} fits inside the {order[big]}."
                if fits
                else f"The {order[big]} is bigger than the {order[small]}."
            )
        # a question begins at one of the last statements and goes on to the first that continues it, down or up
        below, above = {}, {}
        for here in range(len(facts) - 5, len(facts)):
            small, big = facts[here]
            below[here] = next((i for i, fact in enumerate(facts) if fact[1] == small), None)
            above[here] = next((i for i, fact in enumerate(facts) if fact[0] == big), None)
        if all(i is None for i in (*below.values(), *above.values())):
            continue
        while len(questions) < 5:
            yes, here = draw() < 0.5, len(facts) - 5 + int(draw() * 5)
            there = (below if yes else above)[here]
            if there is None:
                continue
            small, big = (facts[there][0], facts[here][1]) if yes else (facts[here][0], facts[there][1])
            first, second = (order[small], order[big]) if yes else (order[big], order[small])
            question = (
                f"Does the {first} fit in the {second}?"
                if draw() < 0.5
                else f"Is the {second} bigger than the {first}?"
            )
            questions.append(Question(question, "yes" if yes else "no", (here, there)))
    return [*story, *questions]


def path(draw: Draw, cast: Cast) -> Story:
    """Task 19: the way from one place to another, over a third; other places lie beside these three."""
    places = _some(draw, cast.places, len(cast.places))
    start, middle, end = places[:3]
    free = {place: list(COMPASS) for place in places}  # directions in which nothing lies yet
    links: list[tuple[str, str, str]] = []  # this place lies, in that direction, of the other

    def link(new: str, side: str, old: str, subject_is_new: float) -> None:
        links.append((new, side, old) if draw() < subject_is_new else (old, OPPOSITE[side], new))
        free[old].remove(side)
        free[new].remove(OPPOSITE[side])

    for outer in (start, end):
        link(outer, pick(draw, free[middle]), middle, 0.565)
    way = links[:]
    for known in range(3, len(places)):
        beside_way = [(place, side) for place in places[:3] for side in free[place]]
        anywhere = [(place, side) for place in places[:known] for side in free[place]]
        old, side = pick(draw, beside_way or anywhere)
        link(places[known], side, old, 0.727)
    rest = links[2:]
    _shuffle(draw, rest)
    # the way is told rather late
    weights = [1 + 0.8 * (i / max(1, len(links) - 1)) ** 2 for i in range(len(links))]
    spots = [_weighted(draw, weights)]
    weights[spots[0]] = 0.0
    spots.append(_weighted(draw, weights))
    links = [way[spots.index(i)] if i in spots else rest.pop() for i in range(len(links))]

    def toward(here: str, fact: tuple[str, str, str]) -> str:
        """The direction from `here` along a link."""
        _, side, place = fact
        return side if here == place else OPPOSITE[side]

    answer = f"{toward(start, way[0])[0]},{toward(middle, way[1])[0]}"
    question = f"How do you go from the {start} to the {end}?"
    return [
        *(f"The {a} is {of} of the {b}." for a, of, b in links),
        Question(question, answer, tuple(spots)),
    ]


MOTIVES = {
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "tired": ("bedroom", "pajamas"),
    "bored": ("garden", "football"),
}


def motivations(draw: Draw, cast: Cast) -> Story:
    """Task 20: people want things, go where these are, and take them if they are still there; where to, and why?"""
    story: Story = []
    motive: dict[str, tuple[str, int]] = {}
    waiting = list(cast.people)  # to want, to go, or to take
    gone: set[str] = set()
    taken: set[str] = set()
    now = 0  # position of the next statement
    while waiting:
        name = pick(draw, waiting)
        who = name.lower()
        if name not in motive:
            wants = pick(draw, tuple(MOTIVES))
            motive[name] = wants, now
            story += [f"{name} is {wants}.", Question(f"Where will {who} go?", MOTIVES[wants][0], (now,))]
        else:
            wants, why = motive[name]
            place, thing = MOTIVES[wants]
            if name not in gone:
                gone.add(name)
                did, deed = f"{pick(draw, MOVES)} to the {place}", f"go to the {place}"
            else:
                taken.add(thing)
                did, deed = f"{pick(draw, GETS)} the {thing} there", f"get the {thing}"
                waiting.remove(name)
            story += [f"{name} {did}.", Question(f"Why did {who} {deed}?", wants, (why,))]
        now += 1
        waiting = [p for p in waiting if p not in gone or MOTIVES[motive[p][0]][1] not in taken]
    return story


def _some(draw: Draw, among: tuple[str, ...], number: int) -> list[str]:
    """Choose `number` different items, in random order."""
    rest = list(among)
    return [rest.pop(int(draw() * len(rest))) for _ in range(number)]


def _weighted(draw: Draw, weights: list[float]) -> int:
    """Choose a position, with a probability in proportion to its weight."""
    left = draw() * sum(weights)
    for place, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return place
    return max(i for i, weight in enumerate(weights) if weight)


def _shuffle(draw: Draw, facts: list) -> None:
    facts[:] = [facts.pop(int(draw() * len(facts))) for _ in range(len(facts))]


PUZZLES: dict[int, Callable[[Draw, Cast], Story]] = {
    4: two_places,
    15: deduction,
    16: induction,
    17: positions,
    18: sizes,
    19: path,
    20: motivations,
}
