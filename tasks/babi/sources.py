"""Where the texts of bAbI's tasks come from: the release, the generator, or both.

A source has `parts(task)`, the texts of a task, and `stamp`, which changes when the texts do.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tasks.babi import TASKS
from tasks.babi.generator import World, fingerprint, generate
from tasks.babi.official import Release, parts_of
from tasks.babi.tables import HELD_OUT, Text
from tasks.babi.text import Story, parse, write
from tasks.errors import UserError, check_names, check_type


def questions_of(size: str | int) -> int:
    """How many questions a training of this size has: 1k, 10k, 2500 …"""
    found = re.fullmatch(r"(\d{1,6})(k?)", str(size))
    number = int(found[1]) * (1000 if found[2] else 1) if found else 0
    if number < 10:
        raise UserError(f"task.size={size}: expected a number of questions of at least 10, as in task.size=1k")
    return number


class Stories:
    """The generator, as `task.generator` sets it."""

    USUAL = {"seed": 0, "test": 1000} | vars(World())

    def __init__(self, given: dict) -> None:
        check_names("task.generator", given, self.USUAL)
        self.settings = self.USUAL | given
        for name, least in (("seed", 0), ("test", 1)):
            check_type(f"task.generator.{name}", self.settings[name], int, self.USUAL[name])
            if self.settings[name] < least:
                raise UserError(f"task.generator.{name}={self.settings[name]}: expected at least {least}")
        self.world = World(**{name: self.settings[name] for name in vars(World())})
        self.changed = [name for name, usual in self.USUAL.items() if self.settings[name] != usual]

    @property
    def stamp(self) -> str:
        """Changes with the settings and with the code that tells the stories."""
        here = Path(__file__).parent
        code = (hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in CODE)
        return f"{self.settings} {' '.join(code)}"

    def tell(self, task: int, questions: dict[str, int], known: Iterable[Story] = ()) -> dict[str, Text]:
        told = generate(task, questions, self.settings["seed"], self.world, known)
        return {part: Text(f"generated task {task}, {part}", write(told[part]).encode()) for part in questions}


CODE = ("generator", "puzzles", "text", "walks", "words")  # the modules that decide what is generated


class Generated:
    """Stories of the zoo's own."""

    def __init__(self, stories: Stories, questions: int) -> None:
        self.stories, self.questions = stories, questions
        self.stamp = f"generated {questions} {stories.stamp}"

    def parts(self, task: int) -> dict[str, Text]:
        return self.stories.tell(task, held_out(self.questions) | {"test": self.stories.settings["test"]})


class Official:
    """A subset of the release; where `fill` is given, it tops up a training file that is missing."""

    def __init__(self, release: Release, variant: str, size: str, fill: Stories | None) -> None:
        self.release, self.size, self.variant, self.fill = release, size, variant, fill
        self.subset = variant if size == "1k" else f"{variant}-10k"
        self.stamp = f"official {release.stamp(self.subset)}"
        if fill:
            self.stamp += f" filled {' '.join(release.stamp(subset) for subset in self.relatives())} {fill.stamp}"
        self._files: dict[str, dict[str, Text]] = {}

    def relatives(self) -> tuple[str, ...]:
        """Subsets that hold training questions of this one: the smaller one is its beginning."""
        return ("en", "en-valid-10k") if self.subset == "en-10k" else ()

    def files(self, subset: str) -> dict[str, bytes]:
        if subset not in self._files:
            self._files[subset] = self.release.files(subset)
        return self._files[subset]

    def found(self, task: int) -> dict[str, Text]:
        if not self.files(self.subset):
            raise UserError(f"{self.release.path} has no folder {self.subset} with files qa*.txt")
        return parts_of(task, self.files(self.subset), f"{self.release.path.name}/{self.subset}")

    def part(self, task: int, part: str) -> Text:
        found = self.found(task)
        if part not in found:
            raise UserError(
                f"{self.release.path.name}/{self.subset}: the {part} file of task {task} ({TASKS[task]}) is missing: "
                f"qa{task}_..._{part}.txt\n  put it there, or leave the task out with task.ids=[...]"
                + (", or add task.fill_missing=generated" if part == "train" else "")
            )
        return found[part]

    def parts(self, task: int) -> dict[str, Text]:
        found = self.found(task)
        if self.fill and "train" not in found:
            return self._filled(task)
        return found | {part: self.part(task, part) for part in ("train", "test")}

    def _filled(self, task: int) -> dict[str, Text]:
        """Generated stories, then what the release has elsewhere of the missing file: so validation is on official."""
        found: dict[bytes, Story] = {}
        for subset in self.relatives():
            for part, text in parts_of(task, self.files(subset), subset).items():
                if part != "test":
                    found |= {fingerprint(story): story for story in parse(text.data, text.name)}
        official = list(found.values())
        asked = sum(not isinstance(line, str) for story in official for line in story)
        missing = questions_of(self.size) - asked
        test = self.part(task, "test")
        told = self.fill.tell(task, {"train": missing}, [*parse(test.data, test.name), *official])
        train = Text(f"filled task {task}, train", told["train"].data + write(official).encode(), missing)
        return {"train": train, "test": test}


class Transfer:
    """Learns from generated stories, is tested on official ones."""

    def __init__(self, stories: Stories, questions: int, official: Official) -> None:
        self.stories, self.questions, self.official = stories, questions, official
        self.stamp = f"transfer {questions} {official.stamp} {stories.stamp}"

    def parts(self, task: int) -> dict[str, Text]:
        test = self.official.part(task, "test")
        apart = list(parse(test.data, test.name))
        return self.stories.tell(task, held_out(self.questions), apart) | {"test": test}


def held_out(questions: int) -> dict[str, int]:
    """As many questions to validate on as are cut from official ones."""
    valid = max(1, round(questions * HELD_OUT))
    return {"train": questions - valid, "valid": valid}
