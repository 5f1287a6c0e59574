"""The sources of the texts of bAbI's tasks: the release, the generator, or both.

Generated stories are spelled in the release's format and read like its files: one reader, one fingerprint.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Protocol

from tasks.babi import TASKS
from tasks.babi.generator import BabiWorld, fingerprint, generate
from tasks.babi.official import Release, parts_of
from tasks.babi.tables import HELD_OUT, Text
from tasks.babi.text import Story, parse, write
from tasks.babi.walks import QUESTIONS
from tasks.errors import UserError, check_names, check_whole, shown
from tasks.machine import check_memory

SENTENCE = 300  # bytes that a generated sentence takes at least, as text and in the tables
PER_QUESTION = 2  # sentences of a generated story per question, at least


class Source(Protocol):
    """Yields the texts of tasks."""

    stamp: str  # changes when the texts do: the key of the cache

    def parts(self, task: int) -> dict[str, Text]:
        """The texts of a task, "train", "test" and perhaps "valid"."""


def questions_of(size: str | int) -> int:
    """The number of training questions that a size names: 1k, 10k, 2500 …"""
    found = re.fullmatch(r"(\d{1,6})(k?)", str(size))
    number = int(found[1]) * (1000 if found[2] else 1) if found else 0
    if number < 10:
        raise UserError(f"task.size={shown(size)}: expected a number of questions of at least 10, as in task.size=1k")
    return number


class Stories:
    """The generator of stories, as `task.generator` sets it."""

    USUAL: ClassVar[dict] = {"seed": 0, "test": 1000} | vars(BabiWorld())

    def __init__(self, given: dict) -> None:
        check_names("task.generator", given, self.USUAL)
        self.settings = self.USUAL | given
        for name, least in (("seed", 0), ("test", 1)):
            check_whole(f"task.generator.{name}", self.settings[name], least)
        self.world = BabiWorld(**{name: self.settings[name] for name in vars(BabiWorld())})
        self.changed = [name for name, usual in self.USUAL.items() if self.settings[name] != usual]

    @property
    def stamp(self) -> str:
        """The key of the cache: it changes with the settings and with the code that generates stories."""
        here = Path(__file__).parent
        code = (hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in CODE)
        return f"{self.settings} {' '.join(code)}"

    def tell(self, task: int, questions: dict[str, int], known: Iterable[Story] = ()) -> dict[str, Text]:
        """Generate the texts of a task.

        Args:
            task: its number.
            questions: the number for each part, by name.
            known: stories that no part may hold.
        """
        stories = generate(task, questions, self.settings["seed"], self.world, known)
        return {part: Text(f"generated task {task}, {part}", write(stories[part]).encode()) for part in questions}

    def check_memory(self, questions: int) -> None:
        """Refuse so many training questions, or stories so long, that no memory of this machine holds them."""
        world, asked = self.world, questions + self.settings["test"]
        sentences = asked * max(PER_QUESTION, world.sentences / QUESTIONS) * (1 + world.distractors)
        given = [f"task.size={questions}"] if questions >= self.settings["test"] else []
        given += [f"task.generator.{name}={self.settings[name]}" for name in self.changed if name != "seed"]
        check_memory(" ".join(given) or "task.source=generated", SENTENCE * sentences, "type smaller numbers")


CODE = ("generator", "puzzles", "text", "walks", "words", "../draw")  # modules that decide what is generated


class Generated:
    """Generated stories, for training, validation and test."""

    def __init__(self, stories: Stories, questions: int) -> None:
        stories.check_memory(questions)
        self.stories, self.questions = stories, questions
        self.stamp = f"generated {questions} {stories.stamp}"

    def parts(self, task: int) -> dict[str, Text]:
        """Generate the texts of a task."""
        return self.stories.tell(task, held_out(self.questions) | {"test": self.stories.settings["test"]})


class Official:
    """A subset of the release; `fill`, if given, tops up a missing training file with generated stories."""

    def __init__(self, release: Release, variant: str, size: str, fill: Stories | None) -> None:
        self.release, self.size, self.variant, self.fill = release, size, variant, fill
        self.subset = variant if size == "1k" else f"{variant}-10k"
        self.stamp = f"official {release.stamp(self.subset)}"
        if fill:
            self.stamp += f" filled {' '.join(release.stamp(subset) for subset in self.relatives())} {fill.stamp}"
        self._files: dict[str, dict[str, bytes]] = {}

    def relatives(self) -> tuple[str, ...]:
        """Other subsets with training questions of this one: the smaller one is its beginning."""
        return ("en", "en-valid-10k") if self.subset == "en-10k" else ()

    def files(self, subset: str) -> dict[str, bytes]:
        """The files of a subset, by name, read once."""
        if subset not in self._files:
            self._files[subset] = self.release.files(subset)
        return self._files[subset]

    def present(self, task: int) -> dict[str, Text]:
        """The texts of a task that the subset has."""
        if not self.files(self.subset):
            raise UserError(f"{self.release.path} has no folder {self.subset} with files qa*.txt")
        return parts_of(task, self.files(self.subset), f"{self.release.path.name}/{self.subset}")

    def part(self, task: int, part: str) -> Text:
        """A text that the task needs."""
        present = self.present(task)
        if part not in present:
            raise UserError(
                f"{self.release.path.name}/{self.subset}: the {part} file of task {task} ({TASKS[task]}) is missing: "
                f"qa{task}_..._{part}.txt\n  put it there, or leave the task out with task.ids=[...]"
                + (", or add task.fill_missing=generated" if part == "train" else "")
            )
        return present[part]

    def parts(self, task: int) -> dict[str, Text]:
        """The texts of a task; a missing training file is topped up if the source fills."""
        present = self.present(task)
        if self.fill and "train" not in present:
            return self._filled(task, self.fill)
        return present | {part: self.part(task, part) for part in ("train", "test")}

    def _filled(self, task: int, fill: Stories) -> dict[str, Text]:
        """Generated stories, then the stories that other subsets have of the missing file: these serve validation."""
        elsewhere: dict[bytes, Story] = {}
        for subset in self.relatives():
            for part, text in parts_of(task, self.files(subset), subset).items():
                if part != "test":
                    elsewhere |= {fingerprint(story): story for story in parse(text.data, text.name)}
        official = list(elsewhere.values())
        present = sum(not isinstance(line, str) for story in official for line in story)
        missing = questions_of(self.size) - present
        test = self.part(task, "test")
        made = fill.tell(task, {"train": missing}, [*parse(test.data, test.name), *official])
        train = Text(f"filled task {task}, train", made["train"].data + write(official).encode(), missing)
        return {"train": train, "test": test}


class Transfer:
    """Generated stories for training and validation, official ones for the test."""

    def __init__(self, stories: Stories, questions: int, official: Official) -> None:
        stories.check_memory(questions)
        self.stories, self.questions, self.official = stories, questions, official
        self.stamp = f"transfer {questions} {official.stamp} {stories.stamp}"

    def parts(self, task: int) -> dict[str, Text]:
        """Generate texts that share no story with the official test, and add that test."""
        test = self.official.part(task, "test")
        known = list(parse(test.data, test.name))
        return self.stories.tell(task, held_out(self.questions), known) | {"test": test}


def held_out(questions: int) -> dict[str, int]:
    """Split a number of questions into training and validation, in the proportion that official files are cut in."""
    valid = max(1, round(questions * HELD_OUT))
    return {"train": questions - valid, "valid": valid}
