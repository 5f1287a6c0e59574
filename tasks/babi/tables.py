"""The texts of a task as tables, and the tables in a cache."""

import hashlib
import pickle
from pathlib import Path
from typing import NamedTuple

import torch

from tasks.babi.text import WORD, parse
from tasks.batch import NONE
from tasks.corpus import Corpus, Split
from tasks.files import write_atomically

HELD_OUT = 0.1  # of the training questions, cut by story, where there is no text to validate on
MADE_BY = (Path(__file__), Path(__file__).parent / "text.py", Path(__file__).parents[1] / "corpus.py")


class Lexicon:
    """Numbers words and distinct sentences in the order in which they are first read; 0 is the empty one.

    An answer of several words (`milk,football`) is one word of the vocabulary.
    """

    def __init__(self) -> None:
        self.words = {"": 0}
        self.rows = {"": 0}
        self._sentences: list[list[int]] = [[]]
        self._of_text: dict[str, int] = {}

    def word(self, text: str) -> int:
        return self.words.setdefault(text, len(self.words))

    def sentence(self, text: str) -> int:
        """The row of a sentence; case and punctuation make no difference. 0 if it has no word."""
        row = self._of_text.get(text)
        if row is None:
            words = WORD.findall(text.lower())
            row = self.rows.setdefault(" ".join(words), len(self.rows))
            if row == len(self._sentences):
                self._sentences.append([self.word(word) for word in words])
            self._of_text[text] = row
        return row

    def table(self) -> torch.Tensor:
        """The sentences as a padded (U, J) table of word ids."""
        longest = max(map(len, self._sentences))
        return torch.tensor([row + [0] * (longest - len(row)) for row in self._sentences])


def read(data: bytes, name: str, task: int, lexicon: Lexicon) -> Split:
    """Reads one file into tables.

    Args:
        data: the bytes of the file.
        name: how to call the file in an error.
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
    sentence = lexicon.sentence
    for number, lines in enumerate(parse(data, name)):
        begin.append(len(facts))
        for line in lines:
            if isinstance(line, str):
                facts.append(sentence(line))
            else:
                story.append(number)
                told.append(len(facts) - begin[-1])
                question.append(sentence(line.question))
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
    name: str  # for errors
    data: bytes
    generated: int = 0  # questions in an official text that fill a hole of it


def tables_of(task: int, parts: dict[str, Text]) -> dict:
    """One dictionary of tensors, words and the fingerprint of "train", "test" and, perhaps, "valid"."""
    lexicon = Lexicon()
    splits = {part: read(text.data, text.name, task, lexicon) for part, text in sorted(parts.items())}
    digest = hashlib.sha256()
    for part, text in sorted(parts.items()):
        digest.update(part.encode() + hashlib.sha256(text.data).digest())
    if "valid" not in splits:
        splits["train"], splits["valid"] = splits["train"].hold_out(HELD_OUT)
    return {
        "words": list(lexicon.words),
        "sentences": lexicon.table(),
        "sha256": digest.hexdigest(),
        "generated": sum(text.generated for text in parts.values()),
        "splits": {part: dict(vars(split)) for part, split in splits.items()},
    }


def corpus_of(tables: dict) -> Corpus:
    splits = {part: Split(**columns) for part, columns in tables["splits"].items()}
    return Corpus(tables["words"], tables["sentences"], **splits)


def fingerprint(tables: dict[int, dict]) -> str:
    return hashlib.sha256("".join(f"{task} {got['sha256']}\n" for task, got in tables.items()).encode()).hexdigest()


class Cache:
    """The tables of tasks, kept under a stamp that changes with what they were made from, and by which code."""

    def __init__(self, cache_dir: Path, stamp: str) -> None:
        made_of = hashlib.sha256(stamp.encode())
        for file in MADE_BY:
            made_of.update(file.read_bytes())
        self.folder = cache_dir / "babi" / made_of.hexdigest()[:24]

    def get(self, task: int) -> dict | None:
        """The tables of a task, or None if they are not there or damaged."""
        try:
            tables = torch.load(self.folder / f"qa{task}.pt", weights_only=True)
            corpus_of(tables)
        except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError):
            return None
        return tables

    def put(self, task: int, tables: dict) -> None:
        write_atomically(self.folder / f"qa{task}.pt", lambda stream: torch.save(tables, stream))
