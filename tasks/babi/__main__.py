"""python -m tasks.babi --out DIR: writes generated stories as files of the release's layout and names."""

import argparse
import sys
from pathlib import Path

from tasks.babi import SLUGS, TASKS
from tasks.babi.generator import BabiWorld, cast_of, generate
from tasks.babi.text import Story, write
from tasks.errors import UserError
from tasks.files import write_atomically


def tasks_of(given: str) -> list[int]:
    """Read numbers and ranges: 1-3,15 → [1, 2, 3, 15]."""
    chosen: list[int] = []
    for part in given.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UserError(f"--tasks {given}: expected numbers and ranges, as in --tasks 1-3,15")
        chosen += range(int(first), int(last or first) + 1)
    wrong = [task for task in chosen if task not in TASKS]
    if wrong or not chosen:
        raise UserError(f"--tasks {given}: expected numbers from 1 to {len(TASKS)}")
    return sorted(set(chosen))


def save(file: Path, stories: list[Story]) -> None:
    """Write stories into a file."""
    write_atomically(file, lambda stream: stream.write(write(stories).encode()))


def main(arguments: list[str] | None = None) -> None:
    """Write the files that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tasks.babi", description="Writes generated bAbI stories.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    parser.add_argument("--tasks", default="1-20", metavar="1-3,15", help="which tasks (default: all)")
    for part, usual in (("train", 1000), ("valid", 0), ("test", 1000)):
        parser.add_argument(f"--{part}", type=int, default=usual, metavar="N", help=f"questions (default: {usual})")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides every byte (default: 0)")
    parser.add_argument("--sentences", type=int, default=0, metavar="N", help="least number in a story")
    for name in ("people", "places", "objects"):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help="how many there are in the world")
    parser.add_argument(
        "--distractors", type=float, default=0.0, metavar="X", help="sentences about bystanders for each of the story"
    )
    given = parser.parse_args(arguments)
    questions = {part: getattr(given, part) for part in ("train", "valid", "test") if getattr(given, part)}
    if not questions or min(questions.values()) < 0:
        raise UserError("--train, --valid and --test: expected numbers of questions, not all of them 0")
    world = BabiWorld(given.sentences, given.people, given.places, given.objects, given.distractors)
    tasks = tasks_of(given.tasks)
    for task in tasks:
        cast_of(task, world)  # refuses what does not fit before anything is written
    for task in tasks:
        for part, stories in generate(task, questions, given.seed, world).items():
            save(given.out / f"qa{task}_{SLUGS[task]}_{part}.txt", stories)
        print(f"task {task:2}, {TASKS[task]}: {', '.join(f'{n:,} {part}' for part, n in questions.items())} questions")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
