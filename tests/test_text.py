"""Reading bAbI's text format, right and wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.babi.tables import read
from tasks.errors import UserError
from tasks.lexicon import Lexicon
from tests.tiny_babi import stories

STORY = b"""1 Mary got the milk there.
2 John moved to the bedroom.
3 Is John in the kitchen? \tno\t2
4 Mary travelled to the hallway.
5 Where is the milk? \tHallway\t1 4
1 Daniel took the apple, then the milk.
2 What is Daniel carrying?\tapple,milk\t1
"""


def test_tables_hold_what_the_text_says():
    lexicon = Lexicon()
    split = read(STORY, "qa", 7, lexicon)
    words = list(lexicon.words)
    said = [" ".join(words[i] for i in row if i) for row in lexicon.table().tolist()]
    assert [said[row] for row in split.facts] == [
        "mary got the milk there",
        "john moved to the bedroom",
        "mary travelled to the hallway",
        "daniel took the apple then the milk",
    ]
    assert [said[row] for row in split.question] == [
        "is john in the kitchen",
        "where is the milk",
        "what is daniel carrying",
    ]
    assert [words[i] for i in split.answer] == ["no", "hallway", "apple,milk"]
    assert split.begin.tolist() == [0, 3, 4]
    assert split.story.tolist() == [0, 0, 1]
    assert split.told.tolist() == [2, 3, 1]
    assert split.task.tolist() == [7, 7, 7]


def test_supporting_ids_count_lines_but_positions_count_sentences():
    split = read(STORY, "qa", 1, Lexicon())
    # line 4 of the first story is its third sentence, since line 3 is a question
    assert split.support.tolist() == [[1, -1], [0, 2], [0, -1]]


def test_empty_sentence_and_word_are_row_and_id_zero():
    lexicon = Lexicon()
    read(STORY, "qa", 1, lexicon)
    assert not lexicon.table()[0].any()
    assert lexicon.words[""] == 0


def test_windows_line_ends_and_byte_order_mark_change_nothing():
    plain, other = Lexicon(), Lexicon()
    expected = read(STORY, "qa", 1, plain)
    got = read(b"\xef\xbb\xbf" + STORY.replace(b"\n", b"\r\n"), "qa", 1, other)
    assert plain.words == other.words
    for name in vars(expected):
        table, again = getattr(expected, name), getattr(got, name)
        assert table is again is None or table.equal(again), name


def test_words_of_any_script_lose_nothing():
    for word in ("Zoe\u0301", "\u0130zmir", "\u092e\u0930\u093f\u092f\u092e", "a_b", "+", "\u20ac5"):
        lexicon = Lexicon()
        read(f"1 {word} left\u2014then, (again) left.\n2 Who left?\t{word}\t1\n".encode(), "qa", 1, lexicon)
        assert list(lexicon.words) == ["", word.lower(), "left", "then", "again", "who"]


CUT_OFF = [
    (
        b"1 Mary went home.\n",
        "qa, line 1: expected a question at the end of the file, which may be cut off, found '1 M",
    ),
    (b"1 M.\n2 Who?\tM\t1", "qa, line 2: expected a line break behind the last line, which may be cut off, found '2"),
    (b"1 M.\r\n2 Who?\tM\t1\r", "qa, line 2: expected text, found the stray character '\\r'; is it UTF-8?"),
    (b"1 M.\n2 John went to the bed\n3 Who?\tM\t1\n", "line 2: expected a full stop at the end of the sentence"),
    (b"1 M.\n2 Who?\tM\t1\n3 Who?\n", "line 3: expected a tab, the answer, a tab and supporting IDs behind a question"),
    (b"1 M.\n2 Who?\tM\n", "line 2: expected question, answer and supporting IDs, separated by tabs, found '2 Who"),
    (b"1 M.\n2 Who?\tM\t\n", "line 2: expected the IDs of supporting sentences behind the answer"),
    (b"1 M.\n2\n", "line 2: expected a sentence after the ID, found '2'"),
    (b"1 M.\n2 Who?\tM\t1\n3 \n", "line 3: expected a sentence after the ID"),
    (b"1 M.\n1 M.\n2 Who?\tM\t1\n", "qa, line 1: expected a question at the end of the story, found '1 M.'"),
    ("1 Zoé".encode()[:-1], "qa, line 1: not UTF-8 text; the file is damaged or is no bAbI file"),
]
TABS = [
    (b"1 M.\n2 Who? M 1\n", "line 2: expected a tab, the answer, a tab and supporting IDs behind a question"),
    (b"1 M.\n2 Who? M\t1\n", "line 2: expected question, answer and supporting IDs, separated by tabs"),
    (b"1 M.\n2 Who? M\tM\t1\n", "line 2: expected a tab behind the question mark, found '2 Who? M\\tM\\t1'"),
    (b"1 M.\n2 Who?\tM\t1\tx\n", "line 2: expected question, answer and supporting IDs, separated by tabs"),
    (b"1 M.\n2 \tM\t1\n", "line 2: expected a question after the ID"),
    (b"1\tM.\n", "line 1: expected the line's ID to be 1, found '1\\tM.'"),
]
ANSWERS = [
    (b"1 M.\n2 Who?\t" + answer + b"\t1\n", "line 2: expected an answer of words with a comma or a space between them")
    for answer in (b"", b" ", b",", b"?", b"M,", b"M,,N", b"M, N", b"M.", b"M  N")
]
SUPPORT = [
    (b"1 Who?\tM\t1\n", "line 1: expected supporting IDs between 1 and 0"),
    (b"1 M.\n2 Who?\tM\t2\n", "line 2: expected supporting IDs between 1 and 1, found '2 Who?\\tM\\t2'"),
    (b"1 M.\n2 Who?\tM\t3\n3 M.\n", "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\tx\n", "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\t01\n", "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\t0\n", "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\t-1\n", "line 2: expected supporting IDs between 1 and 1"),
    ("1 M.\n2 Who?\tM\t\u0661\n".encode(), "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\t" + b"1" * 5000 + b"\n", "line 2: expected supporting IDs between 1 and 1"),
    (b"1 M.\n2 Who?\tM\t1\n3 Who?\tM\t2\n", "line 3: expected supporting IDs of sentences (2 is a question)"),
    (b"1 M.\n2 N.\n3 Who?\tM\t2 1 2\n", "line 3: expected each supporting ID once (2 is repeated)"),
]
IDS = [
    (b"2 Mary went home.\n", "qa, line 1: expected the line's ID to be 1, found '2 Mary went home.'"),
    (b"1 M.\n3 Who?\tM\t1\n", "line 2: expected the line's ID to be 2 or 1, found '3 Who?\\tM\\t1'"),
    (b"1 M.\n2 N.\n2 N.\n", "line 3: expected the line's ID to be 3 or 1"),
    (b"1 M.\n02 Who?\tM\t1\n", "line 2: expected the line's ID to be 2 or 1"),
    ("1 M.\n\u0662 Who?\tM\t1\n".encode(), "line 2: expected the line's ID to be 2 or 1"),
    (b" 1 M.\n", "line 1: expected the line's ID to be 1"),
    (b"Mary left.\n", "line 1: expected the line's ID to be 1, found 'Mary left.'"),
    (b"1 M.\n\n2 Who?\tM\t1\n", "line 2: expected the line's ID to be 2 or 1, found ''"),
    (b"1 M.\n2 Who?\tM\t1\n\n", "line 3: expected the line's ID to be 3 or 1, found ''"),
    (b"1 M.\n2 Mary left.3 Who?\tM\t1\n", "line 2: expected a line break before ID 3"),
]
OTHER_FILES = [
    (b"", "qa: expected stories with questions, found an empty file"),
    (b"\xef\xbb\xbf", "qa: expected stories with questions, found an empty file"),
    (b"\n", "qa, line 1: expected the line's ID to be 1, found ''"),
    (b"<!DOCTYPE html>\n<html>\n", "qa, line 1: expected the line's ID to be 1, found '<!DOCTYPE html>'"),
    (b"\x1f\x8b\x08\x00\x00", "qa, line 1: not UTF-8 text; the file is damaged or is no bAbI file"),
    (STORY.decode().encode("utf-16-le"), "qa, line 1: expected text, found the stray character '\\x00'; is it UTF-8?"),
    (STORY.decode().encode("utf-16"), "qa, line 1: not UTF-8 text"),
    ("1 M.\n2 Zoé left.\n".encode("latin-1"), "qa, line 2: not UTF-8 text"),
    (b"\xef\xbb\xbf1 M.\n\xff\n", "qa, line 2: not UTF-8 text"),
]
STRAY = [
    (f"1 M.\n2 Wh{stray}o?\tM\t1\n".encode(), f"qa, line 2: expected text, found the stray character {stray!a}; is it")
    for stray in "\x00\x0b\x0c\x1c\x7f\x85\r\xad\u200b\u2028\u2029\ufeff\ufffd"
]


@pytest.mark.parametrize(("text", "message"), CUT_OFF + TABS + ANSWERS + SUPPORT + IDS + OTHER_FILES + STRAY)
def test_damage_is_named_by_file_and_line(text, message):
    with pytest.raises(UserError) as error:
        read(text, "qa", 1, Lexicon())
    assert message in str(error.value)


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_every_question_of_the_little_world_is_answered_by_its_supporting_sentence(seed, sentences):
    lexicon = Lexicon()
    text = stories(3, seed, sentences, every=1)
    split = read(text.encode(), "qa", 1, lexicon)
    table = lexicon.table()
    for n in range(len(split)):
        fact = split.facts[split.begin[split.story[n]] + split.support[n, 0]]
        assert split.answer[n] in table[fact]
