"""The text format of bAbI, read into tables.

A line is `ID sentence`, or `ID question<TAB>answer<TAB>IDs of the supporting sentences`. IDs count from 1 without a
gap; a new 1 begins a new story. A question is no part of the story: later questions do not see it, so supporting IDs,
which count lines, are turned into positions among the sentences. Answers of several words (`milk,football`) are one
word of the vocabulary.
"""

import re

import torch

from tasks.batch import NONE
from tasks.corpus import Split
from tasks.errors import UserError

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


class Lexicon:
    """Numbers words and distinct sentences in the order in which they are first read; 0 is the empty one."""

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
    """Reads one file.

    Args:
        data: the bytes of the file.
        name: how to call the file in an error.
        task: the number of the task, kept with every question.
        lexicon: numbers the words and sentences; hand the same one to all files of a task.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: not UTF-8 text; the file is damaged or is not a bAbI file") from None

    facts: list[int] = []
    begin: list[int] = []
    story: list[int] = []
    told: list[int] = []
    question: list[int] = []
    answer: list[int] = []
    support: list[list[int]] = []
    position: list[int] = []  # of the sentence on each line of the story, NONE for a question
    sentence = lexicon.sentence

    number, line = 0, ""

    def wrong(expected: str) -> UserError:
        shown = line if len(line) <= 60 else line[:57] + "..."
        return UserError(f"{name}, line {number}: expected {expected}, found {shown!r}")

    for line in text.splitlines():
        number += 1
        line_id, _, rest = line.partition(" ")
        if line_id == "1":
            begin.append(len(facts))
            position = []
        elif line_id != str(len(position) + 1) or not position:
            raise wrong(f"the line's ID to be {len(position) + 1}{' or 1' if position else ''}")
        if "\t" not in rest:
            row = sentence(rest)
            if not row:
                raise wrong("a sentence after the ID")
            position.append(len(facts) - begin[-1])
            facts.append(row)
            continue
        fields = rest.split("\t")
        if len(fields) != 3 or not fields[1].strip():
            raise wrong("question, answer and supporting IDs, separated by tabs")
        row = sentence(fields[0])
        if not row:
            raise wrong("a question after the ID")
        places = []
        for given in fields[2].split():
            if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= len(position):
                raise wrong(f"supporting IDs between 1 and {len(position)}")
            place = position[int(given) - 1]
            if place == NONE:
                raise wrong(f"supporting IDs of sentences ({given} is a question)")
            places.append(place)
        position.append(NONE)
        story.append(len(begin) - 1)
        told.append(len(facts) - begin[-1])
        question.append(row)
        answer.append(lexicon.word(fields[1].strip().lower()))
        support.append(places)

    if not question:
        raise UserError(f"{name}: no question in {len(text.splitlines())} lines; the file is empty or cut off")
    most = max(1, *map(len, support))
    return Split(
        torch.tensor(facts, dtype=torch.long),
        torch.tensor([*begin, len(facts)]),
        torch.tensor(story),
        torch.tensor(told),
        torch.tensor(question),
        torch.tensor(answer),
        torch.tensor([places + [NONE] * (most - len(places)) for places in support]),
        torch.full((len(question),), task),
    )
