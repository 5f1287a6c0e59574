"""The text format of bAbI: read without guessing, and written.

A line is `ID sentence`, or `ID question<TAB>answer<TAB>IDs of the supporting sentences`. IDs count from 1 without a
gap; a new 1 begins a new story. A question is no part of the story: later questions do not see it, so supporting IDs,
which count lines, are turned into positions among the sentences.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.errors import UserError
from tasks.lines import Lines

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


KIND = "bAbI file"


class Question(NamedTuple):
    """A question of a story."""

    question: str
    answer: str
    support: tuple[int, ...]  # positions among the statements of the story, from 0


Story = list[str | Question]  # statements and questions, in order


def words_of(text: str) -> tuple[str, ...]:
    """The words of a sentence; case and punctuation make no difference."""
    return tuple(WORD.findall(text.lower()))


def write(stories: Iterable[Story]) -> str:
    """Spell stories in the format that `parse` reads back as the same stories."""
    lines: list[str] = []
    for story in stories:
        line_of: list[int] = []  # the ID of each statement
        for number, line in enumerate(story, start=1):
            if isinstance(line, str):
                line_of.append(number)
                lines.append(f"{number} {line}")
            else:
                support = " ".join([str(line_of[place]) for place in line.support])
                lines.append(f"{number} {line.question}\t{line.answer}\t{support}")
    return "".join([f"{line}\n" for line in lines])


def parse(data: bytes, name: str) -> Iterator[Story]:
    """Read the stories of a file, up to an error that says where it is damaged; nothing is guessed.

    Args:
        data: the bytes of the file; lines may end as on Windows.
        name: the file's name in errors.
    """
    lines = Lines(data, name, KIND, STRAY)
    check = _Check(lines)
    story: Story = []
    position: list[int | None] = []  # of the sentence on each line of the story, None for a question
    statements = 0
    for number, line in lines:
        if lines.is_cut_off and number == len(lines):
            raise lines.wrong(number, "a line break behind the last line, which may be cut off")
        line_id, _, rest = line.partition(" ")
        if line_id == "1":
            if story:
                if position[-1] is not None:
                    raise lines.wrong(number - 1, "a question at the end of the story")
                yield story
            story, position, statements = [], [], 0
        elif line_id != str(len(position) + 1):
            raise lines.wrong(number, f"the line's ID to be {len(position) + 1}{' or 1' if position else ''}")
        if "\t" in rest:
            story.append(check.question(number, rest, position))
            position.append(None)
        else:
            check.statement(number, rest)
            story.append(rest)
            position.append(statements)
            statements += 1
    if not story:
        raise UserError(f"{name}: expected stories with questions, found an empty file")
    if position[-1] is not None:
        raise lines.wrong(len(lines), "a question at the end of the file, which may be cut off")
    yield story


class _Check:
    """Refuses damaged lines; each distinct statement, question and answer is looked at once, since few are distinct."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        # then a sentence without a full stop is cut off; the scripts of some languages have none
        self.full_stops = any(line.endswith(".") for line in lines.lines[: -1 if lines.is_cut_off else None])
        self.statements: set[str] = set()
        self.questions: set[str] = set()
        self.answers: set[str] = set()

    def statement(self, number: int, text: str) -> None:
        if text in self.statements:
            return
        if "?" in text:
            raise self.lines.wrong(number, "a tab, the answer, a tab and supporting IDs behind a question")
        if not WORD.search(text):
            raise self.lines.wrong(number, "a sentence after the ID")
        if self.full_stops and not text.rstrip().endswith((".", "!")):
            raise self.lines.wrong(number, "a full stop at the end of the sentence, which may be cut off")
        self.statements.add(text)

    def question(self, number: int, text: str, position: list[int | None]) -> Question:
        fields = text.split("\t")
        if len(fields) != 3:
            raise self.lines.wrong(number, "question, answer and supporting IDs, separated by tabs")
        question, answer, given_ids = fields
        if question not in self.questions:
            self.asks(number, question, len(position) + 2)
            self.questions.add(question)
        if answer not in self.answers:
            if not ANSWER.fullmatch(answer):
                raise self.lines.wrong(number, "an answer of words with a comma or a space between them")
            self.answers.add(answer)
        return Question(question, answer, self.support(number, given_ids, position))

    def asks(self, number: int, question: str, next_id: int) -> None:
        if not WORD.search(question):
            raise self.lines.wrong(number, "a question after the ID")
        if "?" in question.rstrip()[:-1]:
            raise self.lines.wrong(number, "a tab behind the question mark")
        if f".{next_id} " in question:
            raise self.lines.wrong(number, f"a line break before ID {next_id}")

    def support(self, number: int, given_ids: str, position: list[int | None]) -> tuple[int, ...]:
        support: list[int] = []
        for given in given_ids.split():
            if not NUMBER.fullmatch(given) or int(given) > len(position):
                raise self.lines.wrong(number, f"supporting IDs between 1 and {len(position)}")
            place = position[int(given) - 1]
            if place is None:
                raise self.lines.wrong(number, f"supporting IDs of sentences ({given} is a question)")
            if place in support:
                raise self.lines.wrong(number, f"each supporting ID once ({given} is repeated)")
            support.append(place)
        if not support:
            raise self.lines.wrong(number, "the IDs of supporting sentences behind the answer")
        return tuple(support)
