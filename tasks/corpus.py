"""Sentences → stories → questions: the tables of a task, and the batches cut from them.

Stories lie end to end in one vector, `facts`, beside the place where each begins. Nothing is padded in memory (joint
10k would be nine tenths zeros), and a batch of any window is the same single gather.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from tasks.batch import NONE, PAD, Candidates, Questions, Sizes, Widths, is_right
from tasks.errors import UserError

ROUNDED = 64  # sizes of tables cut for a batch are multiples of this: few sizes occur, few programs are compiled


@dataclass(frozen=True)
class Split:
    """Stories, and the questions about them in the order in which they are asked."""

    facts: Tensor  # (M,) the sentences told, story after story, as rows of the sentence table
    begin: Tensor  # (S + 1,) where in `facts` each story begins; the last entry is M
    story: Tensor  # (N,) number of the story of each question, never decreasing
    told: Tensor  # (N,) number of sentences of the story told before the question
    question: Tensor  # (N,) row of the sentence table
    answer: Tensor  # (N,) word id, or row of the candidates
    support: Tensor  # (N, F) positions in the story, NONE where there are fewer
    task: Tensor  # (N,) number of the task of each question
    golds: Tensor | None = None  # (N, G) all right answers if there can be several, `answer` first, PAD for fewer

    def right(self, said: Tensor) -> Tensor:
        """Mark the answers, (..., N), that are right."""
        return is_right(said, self.answer, self.golds)

    def __len__(self) -> int:
        return len(self.question)

    @property
    def lengths(self) -> Tensor:
        """The number of sentences of each story, (S,)."""
        return self.begin.diff()

    def stories(self, first: int, last: int) -> "Split":
        """Return the split of the stories `first` to `last` (exclusive) and their questions."""
        here = (self.story >= first) & (self.story < last)
        facts = self.facts[self.begin[first] : self.begin[last]]
        begin = self.begin[first : last + 1] - self.begin[first]
        story = self.story[here] - first
        rest = (getattr(self, name)[here] for name in ("told", "question", "answer", "support", "task"))
        return Split(facts, begin, story, *rest)

    def followed_by(self, other: "Split") -> "Split":
        """Return the split of all stories of both, those of the other last."""

        def together(name: str, empty: int) -> Tensor | None:
            tables = [getattr(split, name) for split in (self, other)]
            if tables[0] is None:
                return None
            width = max(table.shape[1] for table in tables)
            pad = torch.nn.functional.pad
            return torch.cat([pad(table, (0, width - table.shape[1]), value=empty) for table in tables])

        def both(name: str, add: int = 0) -> Tensor:
            return torch.cat([getattr(self, name), getattr(other, name) + add])

        support = together("support", NONE)
        assert support is not None
        return Split(
            both("facts"), torch.cat([self.begin[:-1], other.begin + len(self.facts)]),
            both("story", len(self.lengths)), both("told"), both("question"), both("answer"), support, both("task"),
            together("golds", PAD),
        )  # fmt: skip

    def hold_out(self, share: float) -> tuple["Split", "Split"]:
        """Cut off the last stories, as many as hold nearest to `share` of the questions; return both parts."""
        questions = torch.bincount(self.story, minlength=len(self.begin) - 1)  # of each story
        if len(questions) < 2:
            raise UserError("there is one story to learn from; expected two at least, since some are held out")
        behind = questions.flip(0).cumsum(0)  # of the last 1, 2, … stories
        held = min(int((behind - share * len(self)).abs().argmin()) + 1, len(questions) - 1)
        border = len(questions) - held
        return self.stories(0, border), self.stories(border, len(questions))


@dataclass(frozen=True)
class Renaming:
    """The stories of training with their names exchanged, in P ways; the first leaves them as they are."""

    facts: Tensor  # (M,) the sentences told, as columns of `sentences`
    question: Tensor  # (N,) as columns of `sentences`
    answer: Tensor  # (N,) as columns of `answers`
    sentences: Tensor  # (P, columns) rows of the sentence table; column 0 is the empty sentence
    answers: Tensor  # (P, columns) word ids; column 0 is "no answer asked"
    leaks: Tensor  # (N, P) whether the renamed question stands, with its story, in the test set

    def ask(self, drawn: Tensor, question: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
        """Rename questions and answers, (..., N).

        Args:
            drawn: the renaming of each, (..., N).
            question: columns of `sentences`.
            answer: columns of `answers`.
        """
        return self.sentences[drawn, question], self.answers[drawn, answer]


class Asked(NamedTuple):
    """A question at the end of a long story."""

    question: np.ndarray  # (J,) word ids
    answer: int  # word id
    support: tuple[int, ...]  # places of the supporting facts, if they are known


class LongStory(ABC):
    """A story that is too long for a table: it is told in blocks, and asked about at its end."""

    task: int
    kind: str  # of the sentences that do not matter
    length: int  # sentences
    questions: Sequence[Asked]

    @abstractmethod
    def blocks(self) -> Iterator[np.ndarray]:
        """Tell the sentences from the first on, (T, J) word ids."""


@dataclass(frozen=True)
class Corpus:
    """A task of questions: its words, its sentences, and three splits or more."""

    words: list[str]  # words[0] is the empty word; an answer of several words is one entry
    sentences: Tensor  # (U, J), row 0 the empty sentence
    train: Split
    valid: Split
    test: Split
    further: dict[str, Split] = field(default_factory=dict)  # other test sets, by name
    candidates: Candidates | None = None  # the replies to choose from, if an answer is a reply and not a word
    learned: Tensor | None = None  # (V,) the words of training, if they were learned from another corpus than `train`
    renaming: Renaming | None = None  # of `train`, if its names are exchanged
    long: Sequence[LongStory] = ()  # further tests

    @property
    def splits(self) -> dict[str, Split]:
        """All splits by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test, **self.further}

    @property
    def answers(self) -> list[str]:
        """The text of each answer, by its number."""
        if self.candidates is None:
            return self.words
        return [" ".join(self.words[word] for word in reply if word) for reply in self.candidates.words.tolist()]

    @property
    def sizes(self) -> Sizes:
        """The sizes of the tables, for all splits."""
        longest = max(int(split.lengths.max()) for split in self.splits.values())
        return Sizes(len(self.words), self.sentences.shape[1], longest)

    @cached_property
    def unseen(self) -> Tensor:
        """(V,) whether a word occurs in no story, question or answer of training."""
        with torch.inference_mode(False):  # it is kept, and training may need it after an evaluation
            if self.learned is not None:
                return ~self.learned
            train, replies = self.train, self.candidates
            answers = train.answer if train.golds is None else train.golds
            told = torch.cat([train.facts, train.question]).unique()
            if self.renaming is not None:
                told, answers = self.renaming.sentences, self.renaming.answers
            unseen = torch.ones(len(self.words), dtype=torch.bool, device=answers.device)
            unseen[self.sentences[told]] = False
            unseen[answers if replies is None else replies.words[answers]] = False
            unseen[PAD] = False
            return unseen

    def to(self, device: torch.device | str) -> "Corpus":
        """Return a copy of the corpus on a device."""

        def moved(split: Split) -> Split:
            tables: list[Any] = [None if table is None else table.to(device) for table in vars(split).values()]
            return Split(*tables)

        return Corpus(
            self.words,
            self.sentences.to(device),
            moved(self.train),
            moved(self.valid),
            moved(self.test),
            {name: moved(split) for name, split in self.further.items()},
            self.candidates and Candidates(*(table.to(device) for table in self.candidates)),
            None if self.learned is None else self.learned.to(device),
            self.renaming and Renaming(*(table.to(device) for table in vars(self.renaming).values())),
            self.long,
        )

    def by_question(
        self,
        split: Split,
        index: Tensor,
        window: int,
        windows: Callable[..., Tensor] | None = None,
        renamed: Tensor | None = None,
    ) -> Questions:
        """Return the questions `index`, each with its own story: the last `window` sentences told before it.

        Args:
            split: one of the splits.
            index: question numbers, (..., N); leading axes, restarts for example, are kept.
            window: T of the batch; shorter stories are padded.
            windows: gathers what was told, as `window_of` does.
            renamed: the renaming of each question of `train`, (..., N).
        """
        story, told = split.story[index], split.told[index]
        kept = told.clamp(max=window)
        start = split.begin[story] + told - kept
        if renamed is None or self.renaming is None:
            stories = (windows or window_of)(split.facts, start, kept, window)
            question, answer = split.question[index], split.answer[index]
        else:
            names = self.renaming
            stories = (windows or window_of)(names.facts, start, kept, window, names.sentences, renamed)
            question, answer = names.ask(renamed, names.question[index], names.answer[index])
        support = _shift(split.support[index], (told - kept)[..., None])
        rows = torch.arange(index.shape[-1], device=index.device).expand(index.shape)
        golds = None if split.golds is None else split.golds[index]
        return Questions(
            self.sentences, stories, rows, kept, question, answer, support,
            candidates=self.candidates, golds=golds, unseen=self.unseen,
        )  # fmt: skip

    def by_story(self, split: Split, index: Tensor, renamed: Tensor | None = None) -> Questions:
        """Return the stories `index`, (..., B), each once and whole, with all their questions.

        Every story has as many places for questions as the story with most questions in the split; an unused place
        holds the empty question and the answer PAD. The batch is as long as its longest story.

        Args:
            split: one of the splits.
            index: story numbers, (..., B).
            renamed: the renaming of each story of `train`, (..., B).
        """
        questions = torch.bincount(split.story, minlength=len(split.begin) - 1)  # of each story
        first = questions.cumsum(0) - questions
        place = torch.arange(int(questions.max()), device=index.device)
        real = place < questions[index][..., None]  # (..., B, Q)
        number = torch.where(real, first[index][..., None] + place, 0)
        length = split.lengths[index]
        rows = torch.arange(index.shape[-1], device=index.device)[:, None].expand(number.shape)
        begin, longest = split.begin[index], int(length.max())
        if renamed is None or self.renaming is None:
            stories = window_of(split.facts, begin, length, longest)
            question, answer = split.question[number], split.answer[number]
        else:
            names = self.renaming
            stories = window_of(names.facts, begin, length, longest, names.sentences, renamed)
            each = renamed[..., None].expand(number.shape)
            question, answer = names.ask(each, names.question[number], names.answer[number])
        return Questions(
            self.sentences,
            stories,
            rows.flatten(-2),
            torch.where(real, split.told[number], 0).flatten(-2),
            torch.where(real, question, PAD).flatten(-2),
            torch.where(real, answer, PAD).flatten(-2),
            torch.where(real[..., None], split.support[number], NONE).flatten(-3, -2),
            candidates=self.candidates,
            unseen=self.unseen,
        )


class Training(Protocol):
    """The data of one training: a `Corpus` of questions, or a `SequenceTask`."""

    @property
    def sizes(self) -> Sizes | Widths:
        """The sizes that a network for these data needs."""

    @property
    def train(self) -> Sized:
        """The questions or sequences of an epoch."""


@dataclass(frozen=True)
class Data:
    """The data of a run: the value of every task's `load`."""

    trainings: Mapping[str, Training]  # by the number of the task, or {"joint": ...}
    source: str  # official, generated …: where the data really came from
    fingerprint: str  # sha256 of the bytes that were read
    world: str = ""  # the settings of generated stories that differ from the usual ones
    filled: dict[int, int] = field(default_factory=dict)  # generated questions in official data, by task
    notice: str = ""  # a message for the person at the screen
    family: str = "babi"  # of tasks: it decides how figures are taken, recorded and tabled
    label: str = ""  # conditions within the family, as part of a file name
    title: str = ""  # for people
    needs: tuple[str, ...] = ()  # capabilities that a model must have, see zoo.interface.CAPABILITIES
    licence: str = "MIT, as the zoo that generates them"
    recall: dict[str, float] = field(default_factory=dict)  # percent of questions with an answer in reach, by part


def window_of(
    facts: Tensor,
    start: Tensor,
    kept: Tensor,
    window: int,
    names: Tensor | None = None,
    renamed: Tensor | None = None,
) -> Tensor:
    """Gather `kept` facts from `start` on, padded to `window`: (...) to (..., window).

    Args:
        facts: (M,)
        start: (...)
        kept: (...)
        window: T.
        names: (P, columns) what a fact, which is a column, becomes under each renaming.
        renamed: (...) the renaming of each window.
    """
    place = torch.arange(window, device=start.device)
    inside = place < kept[..., None]
    gathered = facts[torch.where(inside, start[..., None] + place, 0)]
    if names is not None and renamed is not None:
        gathered = names[renamed[..., None], gathered]
    return torch.where(inside, gathered, PAD)


def _shift(support: Tensor, by: Tensor) -> Tensor:
    """Count supporting positions from the start of a window; those before it become NONE."""
    return torch.where(support >= by, support - by, NONE)


def only_used(batch: Questions) -> Questions:
    """Cut the sentence table of a batch to the sentences that occur in it, for each restart.

    This pays where the table is much larger than a batch, as in joint training; callers leave a small table whole. All
    tables of the batch but `sentences` have a leading axis of restarts.
    """
    restarts = len(batch.stories)
    used = torch.zeros(restarts, len(batch.sentences), dtype=torch.long, device=batch.stories.device)
    used[:, 0] = 1
    used.scatter_(1, batch.stories.flatten(1), 1).scatter_(1, batch.question, 1)
    place = used.cumsum(1) - 1  # where each sentence goes in its restart's own table
    size = -(-(int(place.max()) + 1) // ROUNDED) * ROUNDED
    rows = used.new_zeros(restarts, size)
    restart, sentence = used.nonzero(as_tuple=True)
    rows[restart, place[restart, sentence]] = sentence
    return batch._replace(
        sentences=batch.sentences[rows],
        stories=place.gather(1, batch.stories.flatten(1)).view_as(batch.stories),
        question=place.gather(1, batch.question),
    )


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Join corpora for joint training: one vocabulary, one sentence table, the questions of one after the other's."""
    words = list(dict.fromkeys(word for corpus in corpora for word in corpus.words))
    number = {word: i for i, word in enumerate(words)}
    longest = max(corpus.sentences.shape[1] for corpus in corpora)
    facts_support = max(split.support.shape[1] for c in corpora for split in (c.train, c.valid, c.test))

    tables, word_ids = [], []
    for corpus in corpora:
        ids = torch.tensor([number[word] for word in corpus.words])
        word_ids.append(ids)
        short = longest - corpus.sentences.shape[1]
        tables.append(torch.nn.functional.pad(ids[corpus.sentences.long()], (0, short), value=PAD))
    # unique sorts its rows, so the empty sentence, all zeros, stays the first
    sentences, row = torch.unique(torch.cat(tables), dim=0, return_inverse=True)
    rows = row.split([len(table) for table in tables])

    def together(splits: list[Split]) -> Split:
        facts_before = [0, *torch.tensor([len(s.facts) for s in splits]).cumsum(0).tolist()]
        stories_before = [0, *torch.tensor([len(s.begin) - 1 for s in splits]).cumsum(0).tolist()]
        begins = [s.begin[:-1] + before for s, before in zip(splits, facts_before, strict=False)]
        pad = torch.nn.functional.pad
        return Split(
            torch.cat([row[s.facts] for s, row in zip(splits, rows, strict=True)]),
            torch.cat([*begins, torch.tensor(facts_before[-1:])]),
            torch.cat([s.story + before for s, before in zip(splits, stories_before, strict=False)]),
            torch.cat([s.told for s in splits]),
            torch.cat([row[s.question] for s, row in zip(splits, rows, strict=True)]),
            torch.cat([ids[s.answer] for s, ids in zip(splits, word_ids, strict=True)]),
            torch.cat([pad(s.support, (0, facts_support - s.support.shape[1]), value=NONE) for s in splits]),
            torch.cat([s.task for s in splits]),
        )

    def columns(tables: list[Tensor]) -> list[int]:
        """Count the columns before those of each table."""
        return [0, *torch.tensor([table.shape[1] for table in tables]).cumsum(0).tolist()]

    renamings = [c.renaming for c in corpora if c.renaming is not None]
    renaming = None
    if len(renamings) == len(corpora):
        told = [row[r.sentences] for r, row in zip(renamings, rows, strict=True)]
        said = [ids[r.answers] for r, ids in zip(renamings, word_ids, strict=True)]
        renaming = Renaming(
            torch.cat([r.facts + before for r, before in zip(renamings, columns(told), strict=False)]),
            torch.cat([r.question + before for r, before in zip(renamings, columns(told), strict=False)]),
            torch.cat([r.answer + before for r, before in zip(renamings, columns(said), strict=False)]),
            torch.cat(told, dim=1),
            torch.cat(said, dim=1),
            torch.cat([r.leaks for r in renamings]),
        )
    return Corpus(
        words,
        sentences,
        together([c.train for c in corpora]),
        together([c.valid for c in corpora]),
        together([c.test for c in corpora]),
        renaming=renaming,
    )
