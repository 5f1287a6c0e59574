"""Texts that are no bAbI: a plain text file cut into sentences, and the files of BABILong."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from tasks.babi.text import words_of
from tasks.errors import UserError

LONGEST = 12  # words of a sentence of prose; longer ones are cut
LARGEST = 512 * 2**20  # bytes of a text file
END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n")
FILE = re.compile(r"qa([1-9][0-9]?)")


class Told(NamedTuple):
    """A story of a file, with its question."""

    task: int
    sentences: list[str]
    question: str
    answer: str


def sentences_of(text: str, longest: int = LONGEST) -> list[str]:
    """Cut a text into sentences of up to so many words; what has no words is left out."""
    found = []
    for sentence in END.split(text):
        words = words_of(sentence)
        found += [" ".join(words[begin : begin + longest]) for begin in range(0, len(words), longest)]
    return found


def read_text(file: Path) -> str:
    """Read a text file of the user's."""
    try:
        if file.stat().st_size > LARGEST:
            raise UserError(f"{file} has {file.stat().st_size:,} bytes; expected up to {LARGEST:,}")
        return file.read_text("utf-8", errors="replace")
    except OSError as error:
        raise UserError(
            f"task.text={file}: it cannot be read ({error.strerror}); type the path of a text file"
        ) from None


def read_babilong(folder: Path, tasks: list[int]) -> dict[str, list[Told]]:
    """Read a folder of BABILong, `qa1/4k.json` and so on: the stories of each file, by the file's name.

    A file holds objects with the texts `input`, `question` and `target`, as a list or one a line.
    """
    found: dict[str, list[Told]] = {}
    for task in tasks:
        files = sorted((folder / f"qa{task}").glob("*.json*"))
        if not files:
            raise UserError(f"task.text={folder}: it has no qa{task}/*.json; expected the files of BABILong")
        for file in files:
            found[f"qa{task}/{file.name}"] = [_told(file, task, entry) for entry in _entries(file)]
    return found


def _entries(file: Path) -> list:
    text = read_text(file)
    try:
        if text.lstrip().startswith("["):
            entries = json.loads(text)
        else:
            entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: expected JSON ({str(error)[:100]})") from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{file}: expected a list of stories, or one a line, found none")
    return entries


def _told(file: Path, task: int, entry: object) -> Told:
    names = ("input", "question", "target")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
        raise UserError(f"{file}: expected objects with the texts {', '.join(names)}")
    story, question, answer = (entry[name].strip() for name in names)
    sentences = sentences_of(story)
    if not sentences or not words_of(question) or not words_of(answer):
        raise UserError(f"{file}: expected words in each of {', '.join(names)}")
    return Told(task, sentences, question, answer.lower())
