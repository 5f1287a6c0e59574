"""The second reading, on stories small enough to work out by hand, and on the release."""

from collections import Counter

import pytest

from tasks.babi import TASKS
from tasks.babi.official import find
from tasks.babi.oracle import READERS, readings
from tasks.babi.text import Question, parse
from tasks.errors import UserError


def read(task: int, sentences: list[str], question: str):
    """What the sentences say: the answers, sorted, and the supporting sentences, counted from 0."""
    ((_, reading),) = readings(task, [*sentences, Question(question, "", ())])
    return sorted(reading.answers), reading.support


CASES = [
    (1, ["Mary moved to the hall.", "Tom went back to the den.", "Mary went to the attic."],
     "Where is Mary?", "attic", (2,)),
    (2, ["Mary moved to the hall.", "Mary got the hat there.", "Mary went to the den."],
     "Where is the hat?", "den", (1, 2)),
    (2, ["Mary moved to the hall.", "Mary got the hat there.", "Mary dropped the hat.", "Mary went to the den."],
     "Where is the hat?", "hall", (2, 0)),
    (2, ["Mary got the hat there."], "Where is the hat?", None, ()),
    (3, ["Mary got the hat.", "Mary went to the den.", "Mary went to the hall.", "Mary left the hat there."],
     "Where was the hat before the hall?", "den", (3, 2, 1)),
    (3, ["Mary got the hat.", "Mary went to the hall."], "Where was the hat before the hall?", None, ()),
    (4, ["The den is north of the hall.", "The attic is south of the hall."],
     "What is the hall north of?", "attic", (1,)),
    (4, ["The den is north of the hall.", "The hall is north of the attic."],
     "What is south of the hall?", "attic", (1,)),
    (5, ["Mary got the hat there.", "Mary gave the hat to Tom.", "Tom passed the hat to Ann."], "Who received the hat?",
     "Ann", (2,)),
    (5, ["Mary gave the hat to Tom.", "Mary handed the pen to Tom."], "What did Mary give to Tom?", "pen", (1,)),
    (5, ["Mary gave the hat to Tom.", "Tom gave the hat to Ann."], "Who gave the hat to Tom?", "Mary", (0,)),
    (5, ["Mary gave the hat to Tom."], "Who did Mary give the hat to?", "Tom", (0,)),
    (5, ["Mary gave the hat to Tom."], "Who gave the pen?", None, ()),
    (6, ["Mary went to the hall.", "Mary got the hat there."], "Is Mary in the den?", "no", (0,)),
    (6, ["Mary went to the hall."], "Is Tom in the hall?", None, ()),
    (7, ["Mary got the hat there.", "Mary got the pen there.", "Mary gave the hat to Tom."],
     "How many objects is Mary carrying?", "one", (0, 1, 2)),
    (7, ["Mary got the hat there.", "Mary gave the hat to Tom."], "How many objects is Tom carrying?", "one", (1,)),
    (8, ["Mary got the hat there.", "Mary got the pen there.", "Mary dropped the hat.", "Mary took the hat there."],
     "What is Mary carrying?", "hat,pen", (0, 2, 3, 1)),
    (8, ["Mary got the hat there.", "Mary left the hat."], "What is Mary carrying?", "nothing", (0, 1)),
    (9, ["Mary is in the hall.", "Mary is no longer in the hall."], "Is Mary in the hall?", "no", (1,)),
    (9, ["Mary is not in the hall."], "Is Mary in the den?", None, ()),
    (10, ["Mary is either in the hall or the den."], "Is Mary in the den?", "maybe", (0,)),
    (10, ["Mary is either in the hall or the den."], "Is Mary in the attic?", "no", (0,)),
    (11, ["Mary went to the hall.", "Then she moved to the den."], "Where is Mary?", "den", (0, 1)),
    (12, ["Mary and Tom went to the hall.", "Tom and Ann moved to the den."], "Where is Mary?", "hall", (0,)),
    (13, ["Mary and Tom went to the hall.", "Afterwards they went to the den."], "Where is Tom?", "den", (0, 1)),
    (14, ["Mary went to the hall this evening.", "This morning Mary went to the den.",
     "Yesterday Mary went to the hall."],
     "Where was Mary before the hall?", "den", (0, 1)),
    (14, ["Yesterday Mary went to the hall."], "Where was Mary before the hall?", None, ()),
    (15, ["Mice are afraid of wolves.", "Zoe is a mouse."], "What is zoe afraid of?", "wolf", (1, 0)),
    (15, ["Zoe is a mouse."], "What is zoe afraid of?", None, ()),
    (16, ["Zoe is a frog.", "Max is a frog.", "Max is green."], "What color is Zoe?", "green", (0, 1, 2)),
    (16, ["Max is a lion.", "Max is green.", "Zoe is a frog."], "What color is Zoe?", None, ()),
    (17, ["The cube is above the red ball.", "The disk is to the left of the cube."], "Is the red ball below the disk?",
     "yes", (0, 1)),
    (17, ["The cube is above the red ball.", "The disk is above the cube."], "Is the disk to the left of the red ball?",
     "no", (1, 0)),
    (17, ["The cube is above the red ball."], "Is the cube above the disk?", None, ()),
    (18, ["The hat fits inside the box.", "The chest is bigger than the box."],
     "Does the hat fit in the chest?", "yes", ()),
    (18, ["The hat fits inside the box.", "The chest is bigger than the box."],
     "Is the hat bigger than the chest?", "no", ()),
    (18, ["The hat fits inside the box.", "The pen fits inside the box."], "Does the hat fit in the pen?", None, ()),
    (19, ["The den is north of the hall.", "The attic is west of the den."],
     "How do you go from the hall to the attic?",
     "n,w", (0, 1)),
    (19, ["The den is north of the hall."], "How do you go from the hall to the attic?", None, ()),
    (20, ["Zoe is tired.", "Zoe moved to the bedroom."], "Why did zoe go to the bedroom?", "tired", (0,)),
    (20, ["Zoe is bored."], "Where will zoe go?", "garden", (0,)),
    (20, ["Zoe went to the den."], "Where will zoe go?", None, ()),
]  # fmt: skip


@pytest.mark.parametrize(("task", "sentences", "question", "answer", "support"), CASES)
def test_says_what_a_person_would(task, sentences, question, answer, support):
    assert read(task, sentences, question) == ([answer] if answer else [], support)


def test_every_task_has_its_cases():
    assert {task for task, *_ in CASES} == set(TASKS) == set(READERS)


@pytest.mark.parametrize("task", TASKS)
def test_strangers_change_nothing_but_positions(task):
    for _, sentences, question, answer, support in (case for case in CASES if case[0] == task):
        told = ["Otto went to the park.", *sentences]
        assert read(task, told, question) == ([answer] if answer else [], tuple(place + 1 for place in support))


def test_several_answers_are_all_named():
    colours = ["Zoe is a frog.", "Max is a frog.", "Max is green.", "Leo is a frog.", "Leo is white."]
    assert read(16, colours, "What color is Zoe?")[0] == ["green", "white"]
    ways = [
        "The den is north of the hall.", "The attic is east of the hall.", "The loft is east of the den.",
        "The loft is north of the attic.",
    ]  # fmt: skip
    assert read(19, ways, "How do you go from the hall to the loft?")[0] == ["e,n", "n,e"]


@pytest.mark.parametrize("task", TASKS)
def test_what_it_does_not_understand_it_refuses(task):
    with pytest.raises(UserError, match=r"does not understand 'Colorless ideas sleep\.'"):
        read(task, ["Colorless ideas sleep."], "Where is Mary?")
    with pytest.raises(UserError, match=r"does not understand 'Why not\?'"):
        read(task, [], "Why not?")


# What the release asks although its sentences do not decide it, or answers otherwise than they do, counted in `en`.
# Task 16: animals of the asked kind have different colours; the release takes that of the one named last.
# Task 5: "What did Bill give to Mary?" when he gave her two things, asked about the first.
UNDECIDED_IN_EN = {16: 150}
OTHERWISE_IN_EN = {5: 4}
UNDECIDED_IN_10K = {16: 814}
OTHERWISE_IN_10K = {5: 22}


def compared(files: dict[str, bytes], task: int) -> Counter:
    found = Counter()
    for name, data in files.items():
        if name.startswith(f"qa{task}_"):
            for story in parse(data, name):
                for asked, reading in readings(task, story):
                    found["questions"] += 1
                    found["undecided"] += not reading.decided
                    found["otherwise"] += asked.answer not in reading.answers
                    found["other facts"] += reading.support != asked.support
    return found


class TestRelease:
    def test_agrees_with_every_answer_that_is_decided(self, official):
        files = find(official).files("en")
        for task in TASKS:
            found = compared(files, task)
            assert found["questions"] == 2000
            assert found["undecided"] == UNDECIDED_IN_EN.get(task, 0), task
            assert found["otherwise"] == OTHERWISE_IN_EN.get(task, 0), task
            if task != 18:  # of several chains the release takes one
                assert found["other facts"] == OTHERWISE_IN_EN.get(task, 0), task

    @pytest.mark.slow
    def test_agrees_at_10k(self, official):
        files = find(official).files("en-10k")
        for task in TASKS:
            found = compared(files, task)
            assert found["questions"] == (11_000 if task != 3 else 1000)
            assert found["undecided"] == UNDECIDED_IN_10K.get(task, 0), task
            assert found["otherwise"] == OTHERWISE_IN_10K.get(task, 0), task
