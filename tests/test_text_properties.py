"""No text makes the reader crash or misread in silence; what is written is read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.babi.tables import Lexicon, read
from tasks.babi.text import Asked, parse, write
from tasks.batch import NONE
from tasks.errors import UserError
from tests.worlds import stories

VALID = stories(3, seed=5)


def literal(text: str) -> list:
    """What a text says, read as naively as can be; only for texts that are known to be well formed."""
    told: list = []
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n").split("\n"):
        number, rest = line.split(" ", 1)
        if number == "1":
            told.append([])
            ids: dict[str, int] = {}
        if "\t" in rest:
            question, answer, support = rest.split("\t")
            told[-1].append(Asked(question, answer, tuple(ids[place] for place in support.split())))
        else:
            ids[number] = len(ids)
            told[-1].append(rest)
    return told


def read_or_refused(data: bytes) -> list | None:
    """The stories of a file, or None if it was refused, as it should be: with its name and a line."""
    try:
        told = list(parse(data, "file"))
    except UserError as error:
        assert re.match(r"file(, line \d+)?: ", str(error)), error
        return None
    assert told == literal(data.decode())
    check_tables(data, told)
    return told


def check_tables(data: bytes, told: list) -> None:
    lexicon = Lexicon()
    split = read(data, "file", 1, lexicon)
    sentences = lexicon.table()
    words = list(lexicon.words)

    def said(row: int) -> str:
        return " ".join(words[w] for w in sentences[row] if w)

    def plain(text: str) -> str:
        return " ".join(re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.lower()))

    question = 0
    for number, story in enumerate(told):
        begin = int(split.begin[number])
        heard = 0
        for line in story:
            if isinstance(line, str):
                assert said(int(split.facts[begin + heard])) == plain(line)
                heard += 1
            else:
                assert int(split.story[question]) == number
                assert int(split.told[question]) == heard
                assert said(int(split.question[question])) == plain(line.question)
                assert words[int(split.answer[question])] == line.answer.strip().lower()
                assert tuple(int(p) for p in split.support[question] if p != NONE) == line.support
                assert all(0 <= place < heard for place in line.support)
                question += 1
        assert int(split.begin[number + 1]) == begin + heard
    assert question == len(split)


def test_a_valid_file_is_read():
    assert len(read_or_refused(VALID.encode())) == 3


@given(st.binary(max_size=200))
def test_any_bytes(data):
    read_or_refused(data)


@given(st.text(alphabet="12345 \t\nab?.\r\x0b\u2028é", max_size=60))
def test_any_text(text):
    read_or_refused(text.encode())


@given(
    st.integers(0, len(VALID) - 1), st.sampled_from(["", "\t", " ", "\n", "\r", "?", "1", "\x00", "\x85", "é", "\n\n"])
)
def test_a_character_lost_or_changed(place, other):
    read_or_refused((VALID[:place] + other + VALID[place + 1 :]).encode())
    read_or_refused((VALID[:place] + other + VALID[place:]).encode())


@given(st.integers(1, len(VALID) - 1))
def test_a_file_that_is_cut_off_is_refused_or_ends_with_a_question(place):
    told = read_or_refused(VALID[:place].encode())
    if told is not None:  # cut just behind a question: nothing shows
        assert VALID[:place].endswith("\n")
        assert isinstance(told[-1][-1], Asked)


@given(st.data())
def test_lines_lost_doubled_or_exchanged(data):
    lines = VALID.splitlines(keepends=True)
    one, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    for changed in (
        lines[:one] + lines[one + 1 :],
        [*lines[:one], lines[one], *lines[one:]],
        [lines[other if i == one else one if i == other else i] for i in range(len(lines))],
    ):
        read_or_refused("".join(changed).encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_refused(encoding):
    assert read_or_refused(VALID.encode(encoding)) is None


def test_latin_1_is_refused_where_it_differs():
    assert read_or_refused(VALID.replace("Ada", "Zoé").encode("latin-1")) is None


def test_windows_lines_and_a_byte_order_mark_change_nothing():
    told = read_or_refused(VALID.encode())
    assert read_or_refused(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode()) == told
    assert read_or_refused(VALID.replace("\n", "\r").encode()) is None


WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzéß'-ABC", min_size=1, max_size=8).filter(
    lambda word: re.search(r"[^\W_]", word)
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


@st.composite
def told_stories(draw):
    story: list = []
    heard = 0
    for _ in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(0 if heard else 1, 4))):
            story.append(draw(SENTENCES) + ".")
            heard += 1
        support = draw(st.lists(st.integers(0, heard - 1), min_size=1, max_size=4))
        answer = ",".join(draw(st.lists(WORDS, min_size=1, max_size=3)))
        story.append(Asked(draw(SENTENCES) + "?", answer, tuple(support)))
    return story


@given(st.lists(told_stories(), min_size=1, max_size=5))
def test_what_is_written_is_read_back(told):
    text = write(told)
    assert read_or_refused(text.encode()) == told
    assert write(parse(text.encode(), "file")) == text
