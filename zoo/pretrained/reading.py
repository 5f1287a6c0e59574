"""Texts that somebody types, as sentences of a family's words."""

import re
from collections.abc import Callable
from typing import NamedTuple

from tasks.babi.text import words_of
from tasks.dialog.tables import BOT, USER
from tasks.dialog.text import words_of as words_of_dialog
from tasks.errors import UserError
from tasks.wikimovies import RELATIONS
from tasks.wikimovies.text import Names
from tasks.wikimovies.text import words_of as words_of_film

Sentence = list[str]
SPEAKERS = {"user": USER, "bot": BOT}
TRIPLE = re.compile(rf"(.+?) ({'|'.join(RELATIONS)}) (.+)")


class Reader(NamedTuple):
    """Rules of a family that turn a text into sentences to tell, or into a question."""

    told: Callable[[str, Names], list[Sentence]]
    asked: Callable[[str, Names], Sentence]


def _utterance(text: str, names: Names) -> list[Sentence]:
    """Read "user: …" or "bot: …"."""
    speaker, colon, said = text.partition(":")
    if not colon or speaker.strip().lower() not in SPEAKERS:
        raise UserError(f"'{text.strip()[:60]}': expected who says it, as in 'user: good morning' or 'bot: …'")
    return [[SPEAKERS[speaker.strip().lower()], *words_of_dialog(said)]]


def _triple(text: str, names: Names) -> list[Sentence]:
    """Read "SUBJECT relation OBJECT" in both directions; the value comes first."""
    found = TRIPLE.fullmatch(text.strip())
    if found is None:
        raise UserError(f"'{text.strip()[:60]}': expected SUBJECT RELATION OBJECT, one of {', '.join(RELATIONS)}")
    subject, relation, value = found.groups()
    return [[value, subject, relation], [subject, value, f"{relation} of"]]


def _about_films(text: str, names: Names) -> Sentence:
    """Read a question; the longest entities are looked for first."""
    of = list(names.number)
    return [of[word - 1] if isinstance(word, int) else word for word in names.link(words_of_film(text))]


READERS = {  # by Family.reads
    "plain": Reader(lambda text, names: [list(words_of(text))], lambda text, names: list(words_of(text))),
    "dialogs": Reader(_utterance, lambda text, names: list(words_of_dialog(text))),
    "films": Reader(_triple, _about_films),
}
