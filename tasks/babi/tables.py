"""The texts of a task as tables, and a cache of tables."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tasks import tensors
from tasks.babi.text import parse, words_of
from tasks.batch import NONE
from tasks.corpus import Corpus, Split
from tasks.errors import UserError
from tasks.lexicon import Lexicon

HELD_OUT = 0.1  # share of the training questions, cut by story, that is held out where there is no validation file
TASKS = Path(__file__).parents[1]
MADE_BY = (Path(__file__), TASKS / "babi/text.py", *(TASKS / name for name in ("corpus.py", "lexicon.py", "lines.py")))
Tables = dict[str, Any]  # of a task: words, sentences, splits by name, and the digest of the texts


def read(data: bytes, name: str, task: int, lexicon: Lexicon) -> Split:
    """Read one file into tables.

    Args:
        data: the bytes of the file.
        name: the file's name in errors.
        task: the number of the task, kept with every question.
        lexicon: numbers the words and sentences; hand the same one to all files of a task.
    """
    facts: list[int] = []
    begin: list[int] = []
    story: list[int] = []
    told: list[int] = []
    question: list[int] = []
    answer: list[int] = []
    support: list[tuple[int, ...]] = []
    row_of: dict[str, int] = {}  # of each text; few are distinct

    def row(text: str) -> int:
        if text not in row_of:
            row_of[text] = lexicon.sentence(words_of(text))
        return row_of[text]

    for number, lines in enumerate(parse(data, name)):
        begin.append(len(facts))
        for line in lines:
            if isinstance(line, str):
                facts.append(row(line))
            else:
                story.append(number)
                told.append(len(facts) - begin[-1])
                question.append(row(line.question))
                answer.append(lexicon.word(line.answer.strip().lower()))
                support.append(line.support)
    most = max(map(len, support))
    return Split(
        torch.tensor(facts, dtype=torch.long),
        torch.tensor([*begin, len(facts)]),
        torch.tensor(story),
        torch.tensor(told),
        torch.tensor(question),
        torch.tensor(answer),
        torch.tensor([places + (NONE,) * (most - len(places)) for places in support]),
        torch.full((len(question),), task),
    )


class Text(NamedTuple):
    """The bytes of one file of a task, or of what is generated in its place."""

    name: str  # for errors
    data: bytes
    generated: int = 0  # generated questions in an official text, in place of missing ones


def tables_of(task: int, parts: dict[str, Text]) -> Tables:
    """Read the texts "train", "test" and, if there is one, "valid"; without it, the end of "train" is held out."""
    lexicon = Lexicon()
    splits = {part: read(text.data, text.name, task, lexicon) for part, text in sorted(parts.items())}
    digest = hashlib.sha256()
    for part, text in sorted(parts.items()):
        digest.update(part.encode() + hashlib.sha256(text.data).digest())
    if "valid" not in splits:
        try:
            splits["train"], splits["valid"] = splits["train"].hold_out(HELD_OUT)
        except UserError as error:
            raise UserError(f"{parts['train'].name}: {error}") from None
    return {
        "words": list(lexicon.words),
        "sentences": lexicon.table(),
        "sha256": digest.hexdigest(),
        "generated": sum(text.generated for text in parts.values()),
        "splits": {part: dict(vars(split)) for part, split in splits.items()},
    }


def corpus_of(tables: Tables) -> Corpus:
    """Make a corpus of tables, as `tables_of` returns them."""
    train, valid, test = (Split(**tables["splits"][part]) for part in ("train", "valid", "test"))
    return Corpus(tables["words"], tables["sentences"], train, valid, test)


def fingerprint(tables: dict[int, Tables]) -> str:
    """The digest of the texts of several tasks."""
    lines = (f"{task} {of_task['sha256']}\n" for task, of_task in tables.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Cache:
    """Tables of tasks on the disk, under a stamp that changes with their texts and with the code that reads these."""

    def __init__(self, cache_dir: Path, stamp: str) -> None:
        made_of = hashlib.sha256(stamp.encode())
        for file in MADE_BY:
            made_of.update(file.read_bytes())
        self.folder = cache_dir / "babi" / made_of.hexdigest()[:24]

    def get(self, task: int) -> Tables | None:
        """Load the tables of a task; None if they are missing or damaged."""
        try:
            tables: Tables = tensors.load(self.folder / f"qa{task}.pt")
            corpus_of(tables)
        except (OSError, tensors.Damaged, RuntimeError, KeyError, TypeError, ValueError):
            return None
        return tables

    def put(self, task: int, tables: Tables) -> None:
        """Store the tables of a task."""
        tensors.save(self.folder / f"qa{task}.pt", tables)
