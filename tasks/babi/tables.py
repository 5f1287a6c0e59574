"""The texts of a task as tables, and the tables in a cache."""

import hashlib
import pickle
from pathlib import Path
from typing import NamedTuple

import torch

from tasks.babi.text import Lexicon, read
from tasks.corpus import Corpus, Split
from tasks.files import write_atomically

HELD_OUT = 0.1  # of the training questions, cut by story, where there is no text to validate on
VERSION = 2  # raise it when the tables or the way they are read change


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
    """The tables of tasks, kept under a stamp that changes with what they were made from."""

    def __init__(self, cache_dir: Path, stamp: str) -> None:
        self.folder = cache_dir / "babi" / hashlib.sha256(f"{VERSION} {stamp}".encode()).hexdigest()[:24]

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
