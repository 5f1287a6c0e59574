"""Names exchanged in training: people, places, objects, shapes, colours and animals are permuted within their class.

Every time a training story is drawn, one of RENAMINGS is drawn with it, which holds for its sentences, its questions
and their answers. The first renaming leaves everything as it is. A renamed question that stands, with its story, among
the test questions is not used: its story then keeps its names. Validation and test are untouched.

Directions, times of day, motives, and the kinds of animals in task 15, which have plurals, are no names. Nor are names
exchanged that carry knowledge: the things of task 18 have sizes, which its stories do not tell (in no story of the
release does a chest fit inside a box of chocolates). Gated MemN2N at 1k makes 5.9 % errors on validation there with
them exchanged, and 3.0 % without.

Where stories say "he" or "she", women are exchanged with women and men with men, and in half of the renamings all women
with all men, and the pronouns with them.
"""

import dataclasses
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from tasks.babi.generator import CASTS, MORE
from tasks.babi.puzzles import ANIMALS, COLOURS
from tasks.babi.words import FEMALE, MORE_SHAPES
from tasks.corpus import Corpus, Renaming, Split
from tasks.errors import UserError
from tasks.lexicon import Words, padded

RENAMINGS = 256
WITH_KNOWLEDGE = (18,)  # tasks whose names carry knowledge
PRONOUNS: tuple[Words, Words] = ("she",), ("he",)
COMMA = ","  # between the parts of an answer of several words


def classes_of(task: int) -> list[tuple[str, ...]]:
    """List the names that are exchanged for each other in a task, by class: the release's and the generator's."""
    if task in WITH_KNOWLEDGE:
        return []
    more = MORE | ({"objects": MORE_SHAPES} if task == 17 else {})
    classes = [tuple(dict.fromkeys(usual + more[kind])) for kind, usual in CASTS[task]._asdict().items() if usual]
    return classes + ([ANIMALS, COLOURS] if task == 16 else [])


def exchange_names(corpus: Corpus, task: int) -> Corpus:
    """Return the corpus of a task whose training stories can be drawn renamed.

    Words and sentences that renaming makes stand behind those that the corpus has.
    """
    train, empty = corpus.train, torch.zeros(1, dtype=torch.long)
    told, column = torch.cat([empty, train.facts, train.question]).unique(return_inverse=True)
    said, answer = torch.cat([empty, train.answer]).unique(return_inverse=True)
    word_of = {word: place for place, word in enumerate(corpus.words)}
    row_of = {row: place for place, row in enumerate(_rows(corpus.sentences))}
    sentences = [tuple(corpus.words[word] for word in row) for row in _rows(corpus.sentences[told])]
    answers = [tuple(corpus.words[word].replace(COMMA, f" {COMMA} ").split()) for word in said.tolist()]
    names = Names(task, sentences)

    def word(text: str) -> int:
        return word_of.setdefault(text, len(word_of))

    def row(words: Words) -> int:
        return row_of.setdefault(tuple(map(word, words)), len(row_of))

    texts, number = names.exchanged(sentences)
    rows = torch.tensor(list(map(row, texts)))[number]
    texts, number = names.exchanged(answers)
    words = torch.tensor([word(" ".join(text).replace(f" {COMMA} ", COMMA)) for text in texts])[number]
    facts, question = column[1:].split([len(train.facts), len(train)])
    leaks = _leaks(train, corpus.test, facts, question, rows)
    renaming = Renaming(facts, question, answer[1:], rows, words, leaks)
    return dataclasses.replace(corpus, words=list(word_of), sentences=padded(list(row_of)), renaming=renaming)


def _rows(sentences: Tensor) -> list[tuple[int, ...]]:
    return [tuple(filter(None, row)) for row in sentences.tolist()]


class Names:
    """The names that occur in the stories of a task, and their images under every renaming.

    Args:
        task: its number.
        sentences: the words of each distinct sentence of training.
    """

    def __init__(self, task: int, sentences: Sequence[Words]) -> None:
        classes = [[tuple(name.lower().split()) for name in names] for names in classes_of(task)]
        # from 1, by name
        self.number = {name: place for place, name in enumerate(chain(PRONOUNS, *classes), start=1)}
        self.longest = max(map(len, self.number))
        here = {part for text in sentences for part in self.parts(text) if isinstance(part, int)}
        present = [[number for number in map(self.number.__getitem__, names) if number in here] for names in classes]
        if classes and all(len(numbers) < 2 for numbers in present):
            raise UserError(f"task.rename=true: the training stories of task {task} hold no names that are known here")
        swap = torch.arange(1 + len(self.number))  # of all women with all men
        if here & {self.number[name] for name in PRONOUNS}:
            women, men = self._by_gender(present.pop(0))
            present += [women, men]
            if len(women) == len(men):
                she, he = map(self.number.__getitem__, PRONOUNS)
                swap[[*women, she, *men, he]] = swap[[*men, he, *women, she]]
        generator = Generator().manual_seed(0)
        self.images = torch.arange(len(swap)).repeat(RENAMINGS, 1)  # (P, names)
        for image in self.images[1:]:
            for numbers in map(torch.tensor, present):
                image[numbers] = numbers[torch.randperm(len(numbers), generator=generator)]
            if torch.rand((), generator=generator) < 0.5:
                image.copy_(swap[image])

    def _by_gender(self, people: list[int]) -> tuple[list[int], list[int]]:
        female = {self.number.get((name.lower(),)) for name in FEMALE}
        return [number for number in people if number in female], [number for number in people if number not in female]

    def parts(self, text: Words) -> list[str | int]:
        """Cut a text into numbers of names, the longest that there are, and the words between them."""
        parts: list[str | int] = []
        while text:
            sizes = range(self.longest, 0, -1)
            size, name = next(((size, text[:size]) for size in sizes if text[:size] in self.number), (1, None))
            parts.append(text[0] if name is None else self.number[name])
            text = text[size:]
        return parts

    def exchanged(self, texts: Sequence[Words]) -> tuple[list[Words], Tensor]:
        """Rename texts: return the distinct texts that this makes, and the number of each among them, (P, texts)."""
        cut = [self.parts(text) for text in texts]
        slots = [[part for part in parts if isinstance(part, int)] for parts in cut]
        between = [tuple(None if isinstance(part, int) else part for part in parts) for parts in cut]
        patterns = {pattern: number for number, pattern in enumerate(dict.fromkeys(between))}
        named = padded([[0], *slots])[1:]  # (texts, most names of a text)
        # a renamed text as one number: its pattern, then its names
        code = torch.tensor([patterns[pattern] for pattern in between]).repeat(len(self.images), 1)
        for column in named.T:
            code = code * self.images.shape[1] + self.images[:, column]
        distinct, number = code.unique(return_inverse=True)
        spelling, names = list(patterns), [(), *self.number]

        def spelled(code: int) -> Words:
            filling: list[Words] = []  # the last name first
            for _ in named.T:
                code, last = divmod(code, len(names))
                filling.append(names[last])
            parts = (filling.pop() if part is None else (part,) for part in spelling[code])
            return tuple(word for part in parts for word in part)

        return list(map(spelled, distinct.tolist())), number


class _Keys:
    """A hash of each question of a split with the story told before it; sentences and places have random codes."""

    def __init__(self, split: Split, place: Tensor) -> None:
        self.first = split.begin[split.story]
        self.last = self.first + split.told
        self.place = place[torch.arange(len(split.facts)) - split.begin[:-1].repeat_interleave(split.lengths)]

    def __call__(self, told: Tensor, asked: Tensor) -> Tensor:
        """Hash the questions, (N,), of the codes of sentences, (M,), and of questions, (N,)."""
        until = pad((told * self.place).cumsum(0), (1, 0))
        return until[self.last] - until[self.first] + asked


def _leaks(train: Split, test: Split, facts: Tensor, question: Tensor, rows: Tensor) -> Tensor:
    """Mark the renamed questions of training that stand, with their stories, in the test set, (N, P)."""
    generator = Generator().manual_seed(0)

    def codes(size: int) -> Tensor:
        return torch.randint(-(2**62), 2**62, (size,), generator=generator)

    place = codes(int(max(train.lengths.max(), test.lengths.max())))
    last = int(max(rows.max(), test.facts.max(), test.question.max()))
    told, asked = codes(last + 1), codes(last + 1)
    in_test = _Keys(test, place)(told[test.facts], asked[test.question])
    key = _Keys(train, place)
    return torch.stack([torch.isin(key(told[row][facts], asked[row][question]), in_test) for row in rows], dim=1)
