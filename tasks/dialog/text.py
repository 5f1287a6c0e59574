"""The text format of the dialog tasks: dialogs, candidate replies and the knowledge base.

Words are separated by blanks and read in lower case: `<SILENCE>` is a word, and `like?` is another one than `like`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import UserError
from tasks.lexicon import Words
from tasks.lines import Lines

KIND = "dialog file"
NO_RESULT = ("api_call", "no", "result")  # the line of task 6 for an empty list of facts


class Turn(NamedTuple):
    """An utterance of the user and the bot's reply."""

    line: int  # of the file
    user: Words
    reply: Words


class Fact(NamedTuple):
    """A result of an API call: a name, a relation and a value; or NO_RESULT."""

    words: Words


Dialog = list[Turn | Fact]


def words_of(text: str) -> Words:
    """The words of a sentence."""
    return tuple(text.lower().split())


def read_dialogs(data: bytes, name: str) -> Iterator[Dialog]:
    """Read the dialogs of a file, checked line by line.

    Args:
        data: the bytes of the file.
        name: the file's name in errors.
    """
    lines = Lines(data, name, KIND)
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
    """Read the replies of a candidates file, in its order."""
    lines = Lines(data, name, KIND)
    line_of: dict[Words, int] = {}
    for number, line in lines:
        line_id, _, reply = line.partition(" ")
        if line_id != "1" or not reply.strip():
            raise lines.wrong(number, "the ID 1 and a reply")
        if line_of.setdefault(words_of(reply), number) != number:
            raise lines.wrong(number, f"another reply than that of line {line_of[words_of(reply)]}")
    if not line_of:
        raise UserError(f"{name}: expected candidate replies, found an empty file")
    return list(line_of)


def read_knowledge(data: bytes, name: str) -> set[tuple[str, str]]:
    """Read the entities of a knowledge base: pairs of a relation and a value."""
    lines = Lines(data, name, KIND)
    entities: set[tuple[str, str]] = set()
    for number, line in lines:
        subject, tab, value = line.partition("\t")
        words = words_of(subject)
        if not tab or len(words) != 3 or words[0] != "1" or len(value.split()) != 1:
            raise lines.wrong(number, "the ID 1, a name and a relation, then a tab and a value")
        entities.add((words[2], value.strip().lower()))
    return entities
