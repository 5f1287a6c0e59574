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
from tasks.babi.text import Question, Story
from tasks.babi.walks import WALKS, Cast
from tasks.draw import Draw, pick
from tasks.errors import UserError, check_type, check_whole

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
TRIES = 10_000  # stories in a row that another part holds too, before the generator gives up


@dataclass(frozen=True)
class BabiWorld:
    """The settings in which generated stories differ from the release's; 0 means: as there."""

    sentences: int = 0  # least number of statements of a story, before its last question
    people: int = 0
    places: int = 0
    objects: int = 0
    distractors: float = 0.0  # statements about bystanders per statement of the story

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                check_whole(field.name, value, 0)
                continue
            check_type(field.name, value, float, 0.5)
            if value < 0:
                raise UserError(f"{field.name}={value}: expected a number of at least 0")


def cast_of(task: int, world: BabiWorld) -> Cast:
    """The people, places and objects of a task's stories; the release's come first."""
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


def stories(task: int, seed: object, world: BabiWorld) -> Iterator[Story]:
    """Tell stories of a task without end."""
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
    """Add bystanders to a story: people who walk about and whom no question is about.

    Args:
        draw: random numbers.
        story: is not changed.
        distractors: statements about bystanders per statement.
        missing: further statements about bystanders.
    """
    texts = statements(story)
    # nobody may come between somebody and the pronoun that stands for him
    gaps = [place for place, text in enumerate(texts) if not REFERS_BACK.search(text)]
    strangers = [0] * len(texts)  # before each statement
    for _ in range(missing):
        strangers[pick(draw, gaps)] += 1
    for gap in gaps:
        strangers[gap] += int(distractors) + (draw() < distractors % 1)
    lines: Story = []
    position: list[int] = []  # of each statement of the story
    now = 0
    for line in story:
        if isinstance(line, Question):
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
    """The statements of a story, without its questions."""
    return tuple([line for line in story if isinstance(line, str)])


def generate(
    task: int, questions: dict[str, int], seed: int, world: BabiWorld, known: Iterable[Story] = ()
) -> dict[str, list[Story]]:
    """Tell stories for the parts of a corpus, no story in two parts.

    Args:
        task: its number.
        questions: the number for each part, by name; the last story of a part is cut after the last question.
        seed: decides, with the other arguments, every byte.
        world: the settings in which the stories differ from the release's.
        known: stories of other corpora, which no part may hold.
    """
    parts: dict[str, list[Story]] = {}
    elsewhere = {fingerprint(story) for story in known}
    # test and validation first: they stay the same when the training part grows
    for part in sorted(questions, key=("test", "valid", "train").index):
        here: set[bytes] = set()
        source = stories(task, f"{part} {seed}", world)
        parts[part], done, refused = [], 0, 0
        while done < questions[part]:
            story = next(source)
            mark = fingerprint(story)
            if mark in elsewhere:
                refused += 1
                if refused == TRIES:
                    raise UserError(
                        f"task {task}: after {done:,} {part} questions no story is left that the other parts don't "
                        "have; ask for fewer questions, or for a larger world"
                    )
                continue
            refused = 0
            here.add(mark)
            left = questions[part] - done
            places = [i for i, line in enumerate(story) if isinstance(line, Question)]
            if len(places) > left:
                story, places = story[: places[left - 1] + 1], places[:left]
            parts[part].append(story)
            done += len(places)
        elsewhere |= here
    return {part: parts[part] for part in questions}


def fingerprint(story: Story) -> bytes:
    """A short digest of a story: of its statements and, if it has only one question, of that question too.

    In task 4 there are no more than 1,920 pairs of statements, and four questions about each.
    """
    texts = statements(story)
    questions = [line.question for line in story if isinstance(line, Question)]
    parts = texts if len(questions) > 1 else (*texts, *questions)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).digest()
