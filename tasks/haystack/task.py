"""The function that `task=haystack` names: short stories to learn from, long ones for the test."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from tasks.babi.text import words_of
from tasks.babi.walks import Cast
from tasks.batch import NONE
from tasks.corpus import Asked, Corpus, Data, LongStory, Split
from tasks.errors import UserError, check_ids, check_type, check_whole, nearest, shown
from tasks.haystack import needles
from tasks.haystack.needles import SENTENCES, TASKS, Stream, pool, prose_sentences, strangers
from tasks.haystack.text import read_babilong, read_text, sentences_of
from tasks.lexicon import Lexicon

KINDS = ("strangers", "prose", "babilong")
UNKNOWN = "(unknown)"  # stands for every word outside of the vocabulary
SAMPLE = 5000  # sentences of strangers, which hold all words of their verbs
HELD = 1000  # questions of validation, and as many of the test at the lengths of training
AT_ONCE = 4096  # sentences of a block
REMEMBERED = 200_000  # distinct texts that are read once
SPARE = 4  # sentences that the shortest stream has beyond those of a story

Telling = Callable[[], Iterable[str]]


def load(
    ids: list[int],
    kind: str,
    length: int | list[int],
    text: str | None,
    size: int,
    train_length: int,
    streams: int,
    seed: int,
    protocol: str,
) -> Data:
    """Load the tasks `ids`, each as a training of its own; see conf/task/haystack.yaml."""
    ids = check_ids(ids, list(TASKS))
    if kind not in KINDS:
        raise UserError(f"task.kind={shown(kind)} is not known{nearest(str(kind), list(KINDS))} ({', '.join(KINDS)})")
    if protocol != "per_task":
        raise UserError(f"protocol={shown(protocol)}: expected per_task; each task of haystack is trained alone")
    for name, value, least in (("size", size, 100), ("streams", streams, 1), ("seed", seed, 0)):
        check_whole(f"task.{name}", value, least)
    shortest = max(SENTENCES[task] + SPARE for task in ids)
    check_whole("task.train_length", train_length, shortest)
    lengths = length if isinstance(length, list) else [length]
    for one in lengths:
        check_whole("task.length", one, shortest)
    if (kind != "strangers") != bool(text):
        raise UserError(
            f"task.kind={kind}: leave task.text out"
            if text
            else f"task.kind={kind}: type task.text=PATH, "
            + ("a plain text file" if kind == "prose" else "a folder of BABILong, which holds qa1/4k.json")
        )
    if text is not None:
        check_type("task.text", text, str, "book.txt")
    prose: tuple[str, ...] = ()
    if kind == "prose" and text:
        prose = tuple(sentences_of(read_text(Path(text).expanduser())))
        if not prose:
            raise UserError(f"task.text={text}: expected sentences, found no word")
    trainings, digest = {}, hashlib.sha256()
    for task in ids:
        corpus, sha256 = corpus_of(
            task, kind, tuple(sorted(set(lengths))), prose, text, size, train_length, streams, seed
        )
        trainings[str(task)] = corpus
        digest.update(sha256)
    return Data(
        trainings,
        source="generated",
        fingerprint=digest.hexdigest(),
        world=kind,
        family="haystack",
        label=f"haystack_{kind}",
        title="haystack",
    )


@lru_cache(maxsize=16)  # a list of runs asks for the same data again and again
def corpus_of(
    task: int,
    kind: str,
    lengths: tuple[int, ...],
    prose: tuple[str, ...],
    text: str | None,
    size: int,
    train_length: int,
    streams: int,
    seed: int,
) -> tuple[Corpus, bytes]:
    """Make the tables of one task and its long stories, and a digest of all that decides them."""
    lexicon, digest = vocabulary_of(task), hashlib.sha256()

    def fillers(name: str) -> Iterator[str] | None:
        return prose_sentences(random.Random(f"prose {task} {name}").random, prose) if prose else None

    splits = {
        part: split_of(task, part, seed, questions, train_length, fillers, lexicon, digest.update)
        for part, questions in (("train", size), ("valid", min(size, HELD)), ("test", min(size, HELD)))
    }
    made: list[tuple[int, Telling, list[needles.Asked]]] = []
    if kind == "babilong" and text:
        for name, stories in read_babilong(Path(text).expanduser(), [task]).items():
            usual = sorted(len(story.sentences) for story in stories)[len(stories) // 2]
            for story in stories:
                digest.update(repr((name, *story)).encode())
                made.append((usual, story.sentences.copy, [needles.Asked(story.question, story.answer, ())]))
    else:
        for length in lengths:
            for number in range(streams):
                name = f"long {seed} {number}"
                begin = partial(_stream, task, name, length, fillers)
                asked = begin().questions
                digest.update(repr((name, length, [one[:2] for one in asked])).encode())
                made.append((length, begin, asked))
    if prose:
        digest.update(hashlib.sha256("\n".join(prose).encode()).digest())
    answers = [[lexicon.word(one.answer.strip().lower()) for one in asked] for _, _, asked in made]
    questions = [[words_of(one.question) for one in asked] for _, _, asked in made]
    for of_one in questions:
        for words in of_one:
            lexicon.sentence(words)
    table = lexicon.table()
    word_of = {word: at for at, word in enumerate(lexicon.words)}
    texts = Texts(word_of, word_of[UNKNOWN], table.shape[1])
    long = tuple(
        TextStory(
            task, kind, length, begin, texts,
            [
                Asked(texts.row(words), answer, one.support)
                for words, answer, one in zip(of_words, of_answers, asked, strict=True)
            ],
        )
        for (length, begin, asked), of_words, of_answers in zip(made, questions, answers, strict=True)
    )  # fmt: skip
    corpus = Corpus(list(lexicon.words), table, splits["train"], splits["valid"], splits["test"], long=long)
    return corpus, digest.digest()


def vocabulary_of(task: int) -> Lexicon:
    """Number the words of all sentences that strangers may say, and the word for all others."""
    lexicon = Lexicon()
    everybody = Cast(*map(pool, Cast._fields))
    said = islice(strangers(random.Random(f"words {task}").random, task, everybody), SAMPLE)
    for text in [*(name for kind in everybody for name in kind), *said]:
        for word in words_of(text):
            lexicon.word(word)
    lexicon.word(UNKNOWN)
    return lexicon


def _stream(task: int, name: str, length: int, fillers: Callable[[str], Iterator[str] | None]) -> Stream:
    return Stream(task, name, length, fillers(f"{name} {length}"))


def split_of(
    task: int,
    part: str,
    seed: int,
    questions: int,
    longest: int,
    fillers: Callable[[str], Iterator[str] | None],
    lexicon: Lexicon,
    digest: Callable[[bytes], None],
) -> Split:
    """Tell short streams, of random lengths up to `longest`, until they have so many questions."""
    draw = random.Random(f"haystack lengths {task} {part} {seed}").random
    facts: list[int] = []
    begin = [0]
    story: list[int] = []
    told: list[int] = []
    question: list[int] = []
    answer: list[int] = []
    support: list[tuple[int, ...]] = []
    least, number = SENTENCES[task] + SPARE, 0
    row_of: dict[str, int] = {}

    known = set(lexicon.words)

    def row(text: str) -> int:
        if text not in row_of:
            row_of[text] = lexicon.sentence(tuple(word if word in known else UNKNOWN for word in words_of(text)))
        return row_of[text]

    while len(question) < questions:
        length = least + int(draw() * (longest - least + 1))
        name = f"{part} {seed} {number}"
        stream = _stream(task, name, length, fillers)
        texts = list(stream)
        digest(repr((texts, stream.questions)).encode())
        facts += map(row, texts)
        begin.append(len(facts))
        for one in stream.questions[: questions - len(question)]:
            story.append(number)
            told.append(length)
            question.append(lexicon.sentence(words_of(one.question)))
            answer.append(lexicon.word(one.answer.strip().lower()))
            support.append(one.support)
        number += 1
    most = max(map(len, support))
    return Split(
        torch.tensor(facts), torch.tensor(begin), torch.tensor(story), torch.tensor(told), torch.tensor(question),
        torch.tensor(answer), torch.tensor([places + (NONE,) * (most - len(places)) for places in support]),
        torch.full((len(question),), task),
    )  # fmt: skip


class Texts:
    """Reads sentences as word ids; each distinct text is read once."""

    def __init__(self, number: dict[str, int], unknown: int, length: int) -> None:
        self.number, self.unknown, self.length = number, unknown, length
        self._read: dict[str, bytes] = {}

    def row(self, words: Sequence[str]) -> np.ndarray:
        """Number the words of a sentence, (J,); those behind the J-th are left out."""
        ids = [self.number.get(word, self.unknown) for word in words[: self.length]]
        return np.array(ids + [0] * (self.length - len(ids)), np.int64)

    def __getitem__(self, text: str) -> bytes:
        found = self._read.get(text)
        if found is None:
            found = self.row(words_of(text)).tobytes()
            if len(self._read) < REMEMBERED:
                self._read[text] = found
        return found


class TextStory(LongStory):
    """A long story whose texts are made while it is told."""

    def __init__(
        self,
        task: int,
        kind: str,
        length: int,
        begin: Telling,
        texts: Texts,
        questions: list[Asked],
    ) -> None:
        self.task, self.kind, self.length, self.questions = task, kind, length, questions
        self._begin, self._texts = begin, texts

    def blocks(self, size: int = AT_ONCE) -> Iterator[np.ndarray]:
        """Tell the sentences from the first on, (up to `size`, J) word ids."""
        told = iter(self._begin())
        while some := list(islice(told, size)):
            yield np.frombuffer(bytearray().join([self._texts[text] for text in some]), np.int64).reshape(len(some), -1)
