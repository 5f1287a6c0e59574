"""The text format of bAbI: read without guessing, and written.

A line is `ID sentence`, or `ID question<TAB>answer<TAB>IDs of the supporting sentences`. IDs count from 1 without a
gap; a new 1 begins a new story. A question is no part of the story: later questions do not see it, so supporting IDs,
which count lines, are turned into positions among the sentences.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.errors import UserError

# A word is what punctuation leaves: so accents written as characters of their own, vowel signs and symbols stay in it.
_LETTERS = r"""[^\s.,;:!?'"()\[\]{}«»\u0964\u0965\u2010-\u2027\u2030-\u205e-]+"""
WORD = re.compile(rf"{_LETTERS}(?:['-]{_LETTERS})*")
ANSWER = re.compile(rf"\s*{WORD.pattern}(?:[ ,]{WORD.pattern})*\s*")
NUMBER = re.compile("[1-9][0-9]{0,8}")
# Control characters but tab and line break (\n or \r\n, even mixed: both can only mean one thing), characters that
# nobody sees but that make two words of one or one of two, and what a decoder puts in place of what it cannot read.
STRAY = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]|\r(?!\n)"
)


class Asked(NamedTuple):
    """A question of a story."""

    question: str
    answer: str
    support: tuple[int, ...]  # positions among the statements of the story, from 0


Story = list[str | Asked]  # statements and questions, in order


def write(stories: Iterable[Story]) -> str:
    """The text of stories, from which `parse` has the same stories."""
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
        line = error.object.count(b"\n", 0, error.start) + 1  # its object lacks the byte order mark, as its start does
        raise UserError(f"{name}, line {line}: not UTF-8 text; the file is damaged or is not a bAbI file") from None
    stray = STRAY.search(text)
    if stray:
        line = text.count("\n", 0, stray.start()) + 1
        raise UserError(
            f"{name}, line {line}: expected text, found the stray character {stray.group()!a}; is it UTF-8?"
        )
    text = text.replace("\r\n", "\n")
    full_stops = ".\n" in text  # then a sentence without one is cut off; the scripts of some languages have none
    lines = text.split("\n")

    def wrong(number: int, expected: str) -> UserError:
        line = lines[number - 1]
        shown = line if len(line) <= 60 else line[:57] + "..."
        return UserError(f"{name}, line {number}: expected {expected}, found {shown!r}")

    story: Story = []
    statements: set[str] = set()  # that have been looked at; few are distinct
    questions: set[str] = set()
    answers: set[str] = set()
    position: list[int | None] = []  # of the sentence on each line of the story, None for a question
    told = 0
    for number, line in enumerate(lines[:-1], start=1):
        line_id, _, rest = line.partition(" ")
        if line_id == "1":
            if story:
                if position[-1] is not None:
                    raise wrong(number - 1, "a question at the end of the story")
                yield story
            story, position, told = [], [], 0
        elif line_id != str(len(position) + 1):
            raise wrong(number, f"the line's ID to be {len(position) + 1}{' or 1' if position else ''}")
        if "\t" not in rest:
            if rest not in statements:
                if "?" in rest:
                    raise wrong(number, "a tab, the answer, a tab and supporting IDs behind a question")
                if not WORD.search(rest):
                    raise wrong(number, "a sentence after the ID")
                if full_stops and not rest.rstrip().endswith((".", "!")):
                    raise wrong(number, "a full stop at the end of the sentence, which may be cut off")
                statements.add(rest)
            position.append(told)
            told += 1
            story.append(rest)
            continue
        fields = rest.split("\t")
        if len(fields) != 3:
            raise wrong(number, "question, answer and supporting IDs, separated by tabs")
        question, answer, given_ids = fields
        if question not in questions:
            if not WORD.search(question):
                raise wrong(number, "a question after the ID")
            if "?" in question.rstrip()[:-1]:
                raise wrong(number, "a tab behind the question mark")
            if f".{len(position) + 2} " in question:
                raise wrong(number, f"a line break before ID {len(position) + 2}")
            questions.add(question)
        if answer not in answers:
            if not ANSWER.fullmatch(answer):
                raise wrong(number, "an answer of words with a comma or a space between them")
            answers.add(answer)
        support = []
        for given in given_ids.split():
            if not NUMBER.fullmatch(given) or int(given) > len(position):
                raise wrong(number, f"supporting IDs between 1 and {len(position)}")
            place = position[int(given) - 1]
            if place is None:
                raise wrong(number, f"supporting IDs of sentences ({given} is a question)")
            if place in support:
                raise wrong(number, f"each supporting ID once ({given} is repeated)")
            support.append(place)
        if not support:
            raise wrong(number, "the IDs of supporting sentences behind the answer")
        position.append(None)
        story.append(Asked(question, answer, tuple(support)))

    if lines[-1]:
        raise wrong(len(lines), "a line break behind the last line, which may be cut off")
    if not story:
        raise UserError(f"{name}: expected stories with questions, found an empty file")
    if position[-1] is not None:
        raise wrong(len(lines) - 1, "a question at the end of the file, which may be cut off")
    yield story
