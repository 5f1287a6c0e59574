"""The words and the distinct sentences of a task, numbered."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

Words = tuple[str, ...]


class Lexicon:
    """Numbers words and distinct sentences in the order in which they are first met; 0 is the empty one of each.

    An answer of several words (`milk,football` in bAbI) is one word.
    """

    def __init__(self) -> None:
        self.words = {"": 0}
        self.rows: dict[Words, int] = {(): 0}
        self._sentences: list[list[int]] = [[]]

    def word(self, text: str) -> int:
        """Return the number of a word; a new word gets the next one."""
        return self.words.setdefault(text, len(self.words))

    def sentence(self, words: Words) -> int:
        """Return the row of a sentence; a new sentence gets the next one, and its new words numbers."""
        row = self.rows.setdefault(words, len(self.rows))
        if row == len(self._sentences):
            self._sentences.append([self.word(word) for word in words])
        return row

    def table(self) -> Tensor:
        """Return all sentences as a (U, J) table of word ids, 0 where a sentence is shorter."""
        return padded(self._sentences)

    def numbered(self, sentences: Iterable[Words]) -> Tensor:
        """Return other sentences, which get no row, as a table of word ids."""
        return padded([[self.word(word) for word in words] for words in sentences])


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return lists of numbers as one table, 0 where a list is shorter than the longest."""
    lengths = torch.tensor([len(row) for row in rows])
    table = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    table[torch.arange(table.shape[1]) < lengths[:, None]] = torch.tensor(
        [number for row in rows for number in row], dtype=torch.long
    )
    return table
