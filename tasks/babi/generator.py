"""The zoo's own bAbI: all twenty tasks in the language and format of release v1.2, at any size and length.

A seed decides every byte: all that is random comes from `random.Random.random`, whose numbers Python promises to keep.
"""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from tasks.babi import words
from tasks.babi.puzzles import PUZZLES
from tasks.babi.text import Asked, Story
from tasks.babi.walks import WALKS, Cast, Draw, pick
from tasks.errors import UserError

HOME = Cast(("John", "Mary", "Sandra", "Daniel"), words.PLACES, words.OBJECTS)
HOME_ALONE = HOME._replace(objects=())
CASTS = {
    1: HOME_ALONE,
    2: HOME,
    3: HOME,
    4: Cast((), words.PLACES),
    5: Cast(("Mary", "Fred", "Bill", "Jeff"), words.PLACES, words.OBJECTS),
    6: HOME,
    7: HOME,
    8: HOME,
    9: HOME_ALONE,
    10: Cast(("Bill", "Fred", "Julie", "Mary"), words.TOWN),
    11: HOME_ALONE,
    12: HOME_ALONE,
    13: HOME_ALONE,
    14: Cast(("Bill", "Fred", "Julie", "Mary"), words.TOWN),
    15: Cast(("Emily", "Gertrude", "Jessica", "Winona")),
    16: Cast(("Bernhard", "Brian", "Greg", "Julius", "Lily")),
    17: Cast((), (), words.SHAPES),
    18: Cast((), (), words.THINGS),
    19: Cast((), words.PLACES),
    20: Cast(("Antoine", "Jason", "Sumit", "Yann")),
}
MORE = {"people": words.MORE_PEOPLE, "places": words.MORE_PLACES, "objects": words.MORE_OBJECTS}
LEAST = {"people": 2, "places": 3, "objects": 1}
REFERS_BACK = re.compile(" (he|she|they) ")
TRIES = 10_000  # stories in a row that another part has too, before we give up


@dataclass(frozen=True)
class World:
    """How the stories differ from the release's; 0 means: as there."""

    sentences: int = 0  # least number of statements of a story, where the last question is asked
    people: int = 0
    places: int = 0
    objects: int = 0
    distractors: float = 0.0  # statements about bystanders, for each statement of the story

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type is int
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not value >= 0:
                expected = "a whole number" if whole else "a number"
                raise UserError(f"{field.name}={value}: expected {expected} of at least 0")


def cast_of(task: int, world: World) -> Cast:
    """Who and what a task's stories are about; the release's come first."""
    chosen = {}
    for name, usual in CASTS[task]._asdict().items():
        wanted = getattr(world, name)
        more = {17: words.MORE_SHAPES, 18: words.MORE_THINGS}.get(task, MORE[name]) if name == "objects" else MORE[name]
        known = usual + tuple(word for word in more if word not in usual)
        least = 3 if name == "objects" and task in (17, 18) else 3 if task == 16 else LEAST[name]
        if wanted and not usual:
            fit = ", ".join(str(other) for other, cast in CASTS.items() if getattr(cast, name))
            raise UserError(f"{name}={wanted}: task {task} has no {name}; tasks that have: {fit}")
        if wanted and not least <= wanted <= len(known):
            raise UserError(f"{name}={wanted}: expected {least} to {len(known)} in task {task}")
        chosen[name] = known[: wanted or len(usual)]
    return Cast(**chosen)


def stories(task: int, seed: object, world: World) -> Iterator[Story]:
    """Stories of a task without end."""
    draw = random.Random(f"bAbI {task} {seed}").random
    cast = cast_of(task, world)
    walk = None
    if task in WALKS:
        walk = WALKS[task](draw, cast, world.sentences if WALKS[task].endless else 0)
    while True:
        story = walk.story() if walk else PUZZLES[task](draw, cast)
        missing = max(0, world.sentences - len(statements(story))) if world.sentences else 0
        if world.distractors or missing:
            story = crowded(draw, story, world.distractors, missing)
        yield story


def crowded(draw: Draw, story: Story, distractors: float, missing: int) -> Story:
    """The story with people walking through it who have nothing to do with it."""
    told = statements(story)
    # nobody may come between somebody and the pronoun that stands for him
    gaps = [place for place, text in enumerate(told) if not REFERS_BACK.search(text)]
    strangers = [0] * len(told)  # before each statement
    for _ in range(missing):
        strangers[pick(draw, gaps)] += 1
    for gap in gaps:
        strangers[gap] += int(distractors) + (draw() < distractors % 1)
    lines: Story = []
    position: list[int] = []  # of each statement of the story
    now = 0
    for line in story:
        if isinstance(line, Asked):
            lines.append(line._replace(support=tuple([position[place] for place in line.support])))
            continue
        for _ in range(strangers[len(position)]):
            lines.append(f"{pick(draw, words.BYSTANDERS)} {pick(draw, words.MOVES)} to the {pick(draw, words.PLACES)}.")
        now += strangers[len(position)]
        position.append(now)
        lines.append(line)
        now += 1
    return lines


def statements(story: Story) -> tuple[str, ...]:
    return tuple([line for line in story if isinstance(line, str)])


def generate(
    task: int, questions: dict[str, int], seed: int, world: World, known: Iterable[Story] = ()
) -> dict[str, list[Story]]:
    """Stories for several parts of a corpus, none of them in two parts.

    Args:
        task: its number.
        questions: how many each part has, by its name; the last story of a part is cut after the last question.
        seed: decides, with the other arguments, every byte.
        world: how the stories differ from the release's.
        known: stories that must not be told.
    """
    parts: dict[str, list[Story]] = {}
    elsewhere = {fingerprint(story) for story in known}
    # those that are never learned from come first, so that they stay the same where more is learned from
    for part in sorted(questions, key=("test", "valid", "train").index):
        here: set[bytes] = set()
        source = stories(task, f"{part} {seed}", world)
        parts[part], asked, refused = [], 0, 0
        while asked < questions[part]:
            story = next(source)
            told = fingerprint(story)
            if told in elsewhere:
                refused += 1
                if refused == TRIES:
                    raise UserError(
                        f"task {task}: after {asked:,} {part} questions no story is left that the other parts don't "
                        "have; ask for fewer questions, or for a larger world"
                    )
                continue
            refused = 0
            here.add(told)
            left = questions[part] - asked
            places = [i for i, line in enumerate(story) if isinstance(line, Asked)]
            if len(places) > left:
                story, places = story[: places[left - 1] + 1], places[:left]
            parts[part].append(story)
            asked += len(places)
        elsewhere |= here
    return {part: parts[part] for part in questions}


def fingerprint(story: Story) -> bytes:
    """What tells a story from others, in little memory: its statements; where there is one question only, it too.

    In task 4 there are no more than 1,920 pairs of statements, and four questions about each.
    """
    told = statements(story)
    asked = [line.question for line in story if isinstance(line, Asked)]
    parts = told if len(asked) > 1 else (*told, *asked)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).digest()
