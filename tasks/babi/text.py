"""The text format of bAbI,

A line is `ID sentence`, or `ID question<TAB>answer<TAB>IDs of the supporting sentences`. IDs count from 1 without a
gap; a new 1 begins a new story. A question is no part of the story: later questions do not see it, so supporting IDs,
which count lines, are turned into positions among the sentences.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.errors import UserError

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
NUMBER = re.compile("[1-9][0-9]{0,8}")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)")  # but tab and line break


class Asked(NamedTuple):
    """A question of a story."""

    question: str
    answer: str
    support: tuple[int, ...]  # positions among the statements of the story, from 0


Story = list[str | Asked]  # statements and questions, in order


def write(stories: Iterable[Story]) -> str:
    """The text of stories, as `read` reads it."""
    lines: list[str] = []
    for story in stories:
        line_of: list[int] = []  # the ID of each statement
        for number, told in enumerate(story, start=1):
            if isinstance(told, str):
                line_of.append(number)
                lines.append(f"{number} {told}")
            else:
                support = " ".join([str(line_of[place]) for place in told.support])
                lines.append(f"{number} {told.question}\t{told.answer}\t{support}")
    return "".join([f"{line}\n" for line in lines])


def parse(data: bytes, name: str) -> Iterator[Story]:
    """The stories of a file, up to an error that says where it is damaged; nothing is guessed.

    Args:
        data: the bytes of the file; lines may end as on Windows.
        name: how to call the file in an error.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: not UTF-8 text; the file is damaged or is not a bAbI file") from None
    strange = CONTROL.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        raise UserError(
            f"{name}, line {line}: expected text, found the control character {strange.group()!r}; is it UTF-8?"
        )
    lines = text.replace("\r\n", "\n").split("\n")
    number, line = 0, ""

    def wrong(expected: str) -> UserError:
        shown = line if len(line) <= 60 else line[:57] + "..."
        return UserError(f"{name}, line {number}: expected {expected}, found {shown!r}")

    story: Story = []
    known: set[str] = set()  # sentences and questions that have been looked at
    position: list[int | None] = []  # of the sentence on each line of the story, None for a question
    told = 0
    last = lines.pop()
    for line in lines:
        number += 1
        line_id, _, rest = line.partition(" ")
        if line_id == "1":
            if story:
                if position[-1] is not None:
                    raise UserError(f"{name}, line {number - 1}: expected a question at the end of the story")
                yield story
            story, position, told = [], [], 0
        elif line_id != str(len(position) + 1) or not position:
            raise wrong(f"the line's ID to be {len(position) + 1}{' or 1' if position else ''}")
        if "\t" not in rest:
            if rest not in known:
                if "?" in rest:
                    raise wrong("a tab, the answer, a tab and supporting IDs behind a question")
                if not WORD.search(rest):
                    raise wrong("a sentence after the ID")
                known.add(rest)
            position.append(told)
            told += 1
            story.append(rest)
            continue
        fields = rest.split("\t")
        if len(fields) != 3 or not fields[1].strip():
            raise wrong("question, answer and supporting IDs, separated by tabs")
        if fields[0] not in known:
            if not WORD.search(fields[0]):
                raise wrong("a question after the ID")
            known.add(fields[0])
        support = []
        for given in fields[2].split():
            if not NUMBER.fullmatch(given) or int(given) > len(position):
                raise wrong(f"supporting IDs between 1 and {len(position)}")
            if position[int(given) - 1] is None:
                raise wrong(f"supporting IDs of sentences ({given} is a question)")
            support.append(position[int(given) - 1])
        if not support:
            raise wrong("the IDs of supporting sentences behind the answer")
        position.append(None)
        story.append(Asked(fields[0], fields[1], tuple(support)))

    if last:
        number, line = number + 1, last
        raise wrong("a line break at the end of the file, without which its last line may be cut off")
    if not story:
        raise UserError(f"{name}: expected stories with questions, found an empty file")
    if position[-1] is not None:
        raise UserError(f"{name}, line {number}: expected a question at the end of the story; the file may be cut off")
    yield story
