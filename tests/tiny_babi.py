"""A little world of our own in bAbI's text format: people walk, and one is asked where somebody is.

Tests need stories that can be learned, and the released data are not part of the project.
"""

import random
from pathlib import Path

from tasks.babi.task import load
from tasks.corpus import Corpus, Data

PEOPLE = ("Ada", "Ben", "Cleo", "Dan")
PLACES = ("attic", "barn", "cellar", "dock", "yard")
VERBS = ("went", "walked", "ran")


def stories(count: int, seed: int, sentences: int = 6, every: int = 2) -> str:
    """`count` stories; after every second sentence a question, with its supporting line."""
    draw = random.Random(seed)
    lines: list[str] = []
    for _ in range(count):
        where: dict[str, tuple[str, int]] = {}
        number = 0
        for told in range(1, sentences + 1):
            number += 1
            person, place = draw.choice(PEOPLE), draw.choice(PLACES)
            where[person] = place, number
            lines.append(f"{number} {person} {draw.choice(VERBS)} to the {place}.")
            if told % every == 0:
                number += 1
                person = draw.choice(sorted(where))
                lines.append(f"{number} Where is {person}? \t{where[person][0]}\t{where[person][1]}")
    return "\n".join(lines) + "\n"


def write_release(folder: Path, tasks: tuple[int, ...] = (1, 2), train: int = 40, test: int = 20) -> Path:
    """A data_dir with a release of the little world: the same files for every task, other stories."""
    home = folder / "tasks_1-20_v1-2" / "en"
    home.mkdir(parents=True)
    for task in tasks:
        (home / f"qa{task}_little-world_train.txt").write_text(stories(train, seed=task))
        (home / f"qa{task}_little-world_test.txt").write_text(stories(test, seed=1000 + task))
    return folder


def load_babi(data_dir: Path, cache_dir: Path, ids: list[int], **options: object) -> Data:
    """bAbI as conf/task/babi.yaml has it, but for `options`."""
    usual = {"source": "official", "size": "1k", "variant": "en", "download": False, "fill_missing": None}
    given = usual | {"generator": {}, "protocol": "per_task"} | options
    return load(ids, data_dir=str(data_dir), cache_dir=str(cache_dir), **given)


def corpora_of(data: Data) -> dict[int, Corpus]:
    return {int(task): corpus for task, corpus in data.trainings.items()}
