"""No text makes the reader crash or misread in silence; what is written is read back."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.babi.tables import read
from tasks.babi.text import Question, parse, write
from tasks.batch import NONE
from tasks.errors import UserError
from tasks.lexicon import Lexicon
from tests.tiny_babi import stories

VALID = stories(3, seed=5, sentences=8)  # two-digit IDs, also among the supporting ones
LINES = VALID.splitlines(keepends=True)


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
            told[-1].append(Question(question, answer, tuple(ids[place] for place in support.split())))
        else:
            ids[number] = len(ids)
            told[-1].append(rest)
    return told


MARKS = """.,;:!?"()[]{}«»""" + "".join(map(chr, [0x964, 0x965, *range(0x2010, 0x2028), *range(0x2030, 0x205F)]))


def plain(text: str) -> list[str]:
    """The words of a text, by taking away what is none."""
    for mark in MARKS:
        text = text.replace(mark, " ")
    return [word.strip("'-") for word in re.sub("['-]{2,}", " ", text.lower()).split() if word.strip("'-")]


def read_or_refused(data: bytes) -> list | int:
    """The stories of a file or, if it was refused as it should be, the line that the error names."""
    try:
        told = list(parse(data, "file"))
    except UserError as error:
        named = re.match(r"file(?:, line (\d+))?: (expected .+, found |not UTF-8)", str(error))
        assert named, error
        with pytest.raises(UserError):
            read(data, "file", 1, Lexicon())
        return int(named[1] or 1)
    assert told == literal(data.decode())
    assert list(parse(write(told).encode(), "file")) == told
    check_tables(data, told)
    return told


def check_tables(data: bytes, told: list) -> None:
    lexicon = Lexicon()
    split = read(data, "file", 1, lexicon)
    sentences, words = lexicon.table().tolist(), list(lexicon.words)

    def said(row: int) -> list[str]:
        return [words[w] for w in sentences[row] if w]

    facts = [said(row) for row in split.facts.tolist()]
    begin = split.begin.tolist()
    assert [facts[first:last] for first, last in pairwise(begin)] == [
        [plain(line) for line in story if isinstance(line, str)] for story in told
    ]
    columns = (split.story, split.told, split.question, split.answer, split.support)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    assert [
        (story, heard, said(question), words[answer], tuple(place for place in support if place != NONE))
        for story, heard, question, answer, support in rows
    ] == [
        (
            number,
            sum(isinstance(line, str) for line in story[:place]),
            plain(line.question),
            line.answer.strip().lower(),
            line.support,
        )
        for number, story in enumerate(told)
        for place, line in enumerate(story)
        if isinstance(line, Question)
    ]
    assert (split.support < split.told[:, None]).all()
    assert all(facts)
    assert split.question.all()
    assert split.answer.all()


def refused_near(data: bytes, line: int) -> bool:
    """Whether a file is refused, with an error that names the line or one beside it; that it is told rightly, if not.

    An ID lost or gained shows only on the next line: `1 ` instead of `12 ` begins a story.
    """
    found = read_or_refused(data)
    if isinstance(found, int):
        assert abs(found - line) <= 1, (found, line)
    return isinstance(found, int)


def test_a_valid_file_is_read():
    assert len(read_or_refused(VALID.encode())) == 3


@given(st.binary(max_size=200))
def test_any_bytes(data):
    read_or_refused(data)


@given(st.text(max_size=60) | st.text(alphabet="12345 \t\nab?.\r\x0b\u2028\u0301\u200b_+é", max_size=60))
def test_any_text(text):
    read_or_refused(text.encode())


def test_every_character_matters():
    """Lost, changed and added ones; of the structure, none is lost unnoticed."""
    for place, lost in enumerate(VALID):
        line = VALID.count("\n", 0, place) + 1
        refused = refused_near((VALID[:place] + VALID[place + 1 :]).encode(), line)
        assert refused or lost not in "\n\t."
        for other in ("\t", " ", "\n", "\r", "?", "1", "\x00", "\x85", "é", "\n\n", "\u200b"):
            refused = refused_near((VALID[:place] + other + VALID[place:]).encode(), line)
            windows = other == "\r" and lost == "\n"
            assert refused or windows or other not in ("\t", "\r", "\x00", "\x85", "\n\n", "\u200b")


@given(st.integers(0, len(VALID) - 1), st.characters())
def test_any_character_in_place_of_another(place, other):
    text = VALID[:place] + other + VALID[place + 1 :]
    refused_near(text.encode(errors="surrogatepass"), VALID.count("\n", 0, place) + 1)


def test_every_byte_of_an_accented_letter_matters():
    data = VALID.replace("Ada", "Zoé").encode()
    accents = [place for place, byte in enumerate(data) if byte > 127]
    assert accents
    for place in accents:
        assert refused_near(data[:place] + data[place + 1 :], data.count(b"\n", 0, place) + 1)


def test_a_file_that_is_cut_off_is_refused_unless_it_ends_with_a_question():
    for place in range(len(VALID)):
        told = read_or_refused(VALID[:place].encode())
        if not isinstance(told, int):  # cut just behind a question: nothing shows
            assert VALID[:place].endswith("\n")
            assert isinstance(told[-1][-1], Question)


def test_a_line_that_is_cut_off_is_refused_unless_a_supporting_id_is_left():
    for number, line in enumerate(LINES):
        for place in range(len(line) - 1):
            text = "".join([*LINES[:number], line[:place] + "\n", *LINES[number + 1 :]])
            assert refused_near(text.encode(), number + 1) or re.search(r"\t\d", line[:place])


def test_lines_lost_doubled_or_exchanged_are_refused():
    for one, line in enumerate(LINES):
        lost = read_or_refused("".join(LINES[:one] + LINES[one + 1 :]).encode())
        doubled = read_or_refused("".join([*LINES[:one], line, *LINES[one:]]).encode())
        assert isinstance(lost, int)
        assert isinstance(doubled, int)
        for other in range(one):
            exchanged = list(LINES)
            exchanged[one], exchanged[other] = LINES[other], line
            told = read_or_refused("".join(exchanged).encode())
            same_id = line.split()[0] == LINES[other].split()[0]  # then both stories say something else, or the same
            assert isinstance(told, int) or same_id


@given(st.integers(0, len(LINES) - 1), st.integers(-1, 30) | st.sampled_from(["", "x", "٣", "1.", "+2", "1e1", "٠"]))
def test_another_id_is_refused(number, other):
    line_id, rest = LINES[number].split(" ", 1)
    changed = "".join([*LINES[:number], f"{other} {rest}", *LINES[number + 1 :]])
    assert refused_near(changed.encode(), number + 1) or line_id == str(other)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp500"])
def test_other_encodings_are_refused(encoding):
    assert isinstance(read_or_refused(VALID.replace("Ada", "Zoé").encode(encoding)), int)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "mac-roman", "cp437"])
def test_eight_bit_encodings_are_refused_where_they_differ(encoding):
    data = VALID.replace("Ada", "Zoé").encode(encoding)
    assert refused_near(data, VALID.count("\n", 0, VALID.index("Ada")) + 1)
    assert read_or_refused(VALID.encode(encoding)) == read_or_refused(VALID.encode())


def test_windows_lines_and_a_byte_order_mark_change_nothing():
    told = read_or_refused(VALID.encode())
    assert read_or_refused(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode()) == told
    assert read_or_refused(VALID.replace("\n", "\r\n", 3).encode()) == told
    assert read_or_refused(VALID.replace("\n", "\r").encode()) == 1


LETTERS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzéßABCİ\u0301मरि+_7", min_size=1, max_size=6)
WORDS = st.lists(LETTERS, min_size=1, max_size=2).flatmap(
    lambda parts: st.sampled_from("'-").map(lambda j: j.join(parts))
)
GAPS = st.sampled_from([" ", " ", "  ", ", ", " - ", "—", "\u00a0", ' ("'])
SENTENCES = st.builds(lambda gap, words: gap.join(words), GAPS, st.lists(WORDS, min_size=1, max_size=6))


@st.composite
def told_stories(draw):
    story: list = []
    heard = 0
    for _ in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(0 if heard else 1, 4))):
            story.append(draw(SENTENCES) + ".")
            heard += 1
        support = draw(st.lists(st.integers(0, heard - 1), min_size=1, max_size=4, unique=True))
        answer = draw(st.sampled_from(", ")).join(draw(st.lists(WORDS, min_size=1, max_size=3)))
        story.append(Question(draw(SENTENCES) + "?", answer, tuple(support)))
    return story


@given(st.lists(told_stories(), min_size=1, max_size=5))
def test_what_is_written_is_read_back(told):
    text = write(told)
    assert read_or_refused(text.encode()) == told
    assert write(parse(text.encode(), "file")) == text


ODD = [
    "", " ", "a", "A b", "b,C", "b, C", "B.", "B, (C) and 'D' went - home.", "b-c isn’t.", "E\u0301 met İ.",
    "a\u200bb.", "...", "Who?", "Who? \t", "Who? B", "A went.3 Who?", "a\r", "a\x0bb.",
    "1", "2", "1 2", "2  1 ", "1 1", "1,2", "01", "٣",
]  # fmt: skip


@given(st.lists(told_stories(), min_size=1, max_size=2), st.data())
def test_something_else_in_a_part_of_a_line(told, data):
    """In place of an ID, a sentence, a question, an answer or supporting IDs."""
    lines = write(told).split("\n")[:-1]
    number = data.draw(st.integers(0, len(lines) - 1))
    line_id, rest = lines[number].split(" ", 1)
    parts = [line_id, *rest.split("\t")]
    parts[data.draw(st.integers(0, len(parts) - 1))] = data.draw(st.sampled_from(ODD))
    lines[number] = parts[0] + " " + "\t".join(parts[1:])
    refused_near("\n".join([*lines, ""]).encode(), number + 1)
