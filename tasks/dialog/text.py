"""The text format of the dialog tasks: dialogs, candidate replies and the knowledge base.

Words are what blanks separate, in small letters: `<SILENCE>` is one, and `like?` is another than `like`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import UserError
from tasks.lines import Lines

Words = tuple[str, ...]
NO_RESULT = ("api_call", "no", "result")  # what task 6 has for an empty list of facts


class Turn(NamedTuple):
    line: int
    user: Words
    reply: Words


class Fact(NamedTuple):
    """What an API call returned: a name, a relation and a value; or that it returned nothing."""

    words: Words


Dialog = list[Turn | Fact]


def words_of(text: str) -> Words:
    return tuple(text.lower().split())


def read_dialogs(data: bytes, name: str) -> Iterator[Dialog]:
    """The dialogs of a file, checked line by line.

    Args:
        data: the bytes of the file.
        name: how to call the file in an error.
    """
    lines = Lines(data, name, "dialog file")
    dialog: Dialog = []
    number = 0
    for number, line in lines:
        if not line:
            if not dialog:
                raise lines.wrong(number, "a dialog before the empty line")
            if isinstance(dialog[-1], Fact):
                raise lines.wrong(number - 1, "a turn at the end of the dialog, which may be cut off")
            yield dialog
            dialog = []
            continue
        line_id, _, rest = line.partition(" ")
        if line_id != str(len(dialog) + 1):
            raise lines.wrong(number, f"the line's ID to be {len(dialog) + 1}")
        user, *replies = rest.split("\t")
        if replies:
            if len(replies) > 1 or not replies[0].strip():  # in task 6 some users say nothing at all
                raise lines.wrong(number, "what the user says, a tab and what the bot replies")
            dialog.append(Turn(number, words_of(user), words_of(replies[0])))
        else:
            fact = words_of(user)
            if fact != NO_RESULT and (len(fact) != 3 or not fact[1].startswith("r_")):
                raise lines.wrong(number, "a tab and the bot's reply, or a fact: name, R_relation, value")
            dialog.append(Fact(fact))
    if dialog:
        raise lines.wrong(number, "an empty line behind the last dialog, which may be cut off")
    if not number:
        raise UserError(f"{name}: expected dialogs, found an empty file")


def read_candidates(data: bytes, name: str) -> list[Words]:
    """The replies of a candidates file, in its order."""
    lines = Lines(data, name, "dialog file")
    found: dict[Words, int] = {}
    for number, line in lines:
        line_id, _, reply = line.partition(" ")
        if line_id != "1" or not reply.strip():
            raise lines.wrong(number, "the ID 1 and a reply")
        if found.setdefault(words_of(reply), number) != number:
            raise lines.wrong(number, f"another reply than that of line {found[words_of(reply)]}")
    if not found:
        raise UserError(f"{name}: expected candidate replies, found an empty file")
    return list(found)


def read_knowledge(data: bytes, name: str) -> set[tuple[str, str]]:
    """The entities of a knowledge base: relations and their values."""
    lines = Lines(data, name, "dialog file")
    found = set()
    for number, line in lines:
        subject, tab, value = line.partition("\t")
        words = words_of(subject)
        if not tab or len(words) != 3 or words[0] != "1" or len(value.split()) != 1:
            raise lines.wrong(number, "the ID 1, a name and a relation, then a tab and a value")
        found.add((words[2], value.strip().lower()))
    return found
