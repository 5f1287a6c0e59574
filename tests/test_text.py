"""Reading bAbI's text format, right and wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.babi.tables import Lexicon, read
from tasks.errors import UserError
from tests.worlds import stories

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
        assert getattr(expected, name).equal(getattr(got, name)), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "qa: expected stories with questions, found an empty file"),
        (b"1 Mary went home.\n", "qa, line 1: expected a question at the end of the story; the file may be cut off"),
        (b"1 M.\n1 M.\n2 Who?\tM\t1\n", "qa, line 1: expected a question at the end of the story"),
        (b"1 M.\n2 Who?\tM\t1", "qa, line 2: expected a line break at the end of the file"),
        (b"1 M.\n2 Who? M 1\n", "line 2: expected a tab, the answer, a tab and supporting IDs behind a question"),
        (b"1 M.\n2 Who?\tM\t\n", "line 2: expected the IDs of supporting sentences behind the answer"),
        (b"1 M.\r2 Who?\tM\t1\n", "qa, line 1: expected text, found the control character '\\r'"),
        ("1 M.\n2 Who?\tM\t1\n".encode("utf-16-le"), "qa, line 1: expected text, found the control character '\\x00'"),
        (b"1 M.\n2 Wh\x0bo?\tM\t1\n", "qa, line 2: expected text, found the control character"),
        ("1 M.\n2 Wh\u2028o?\tM\t1\n".encode(), "qa, line 2: expected text, found the control character"),
        (b"1 M.\n02 Who?\tM\t1\n", "line 2: expected the line's ID to be 2 or 1"),
        (b"1 M.\n\n", "line 2: expected the line's ID to be 2 or 1"),
        (b"1 Who?\tM\t1\n", "line 1: expected supporting IDs between 1 and 0"),
        (b"2 Mary went home.\n", "qa, line 1: expected the line's ID to be 1"),
        (b"1 Mary left.\n3 Where is Mary?\thome\t1\n", "line 2: expected the line's ID to be 2 or 1"),
        (b"Mary left.\n", "line 1: expected the line's ID"),
        (b"1 Mary left.\n2 Where is Mary?\thome\n", "line 2: expected question, answer and supporting IDs"),
        (b"1 Mary left.\n2 Where is Mary?\t\t1\n", "line 2: expected question, answer and supporting IDs"),
        (b"1 Mary left.\n2 Where is Mary?\thome\t1\tx\n", "line 2: expected question, answer"),
        (b"1 Mary left.\n2 Where is Mary?\thome\t2\n", "line 2: expected supporting IDs between 1 and 1"),
        (b"1 Mary left.\n2 Where is Mary?\thome\tx\n", "line 2: expected supporting IDs"),
        (b"1 M.\n2 Who?\tM\t1\n3 Who?\tM\t2\n", "line 3: expected supporting IDs of sentences"),
        (b"1 M.\n2 Who?\tM\t1\n3 \n", "line 3: expected a sentence after the ID"),
        (b"1 M.\n2 \tM\t1\n", "line 2: expected a question"),
        (b"1 Mary left.\n2 \xff\xfe\n", "qa, line 2: not UTF-8"),
    ],
)
def test_damage_is_named_by_file_and_line(text, message):
    with pytest.raises(UserError) as error:
        read(text, "qa", 1, Lexicon())
    assert message in str(error.value)


@given(st.binary(max_size=200) | st.text(alphabet="1234 \tab?.\n", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    try:
        split = read(data, "qa", 1, Lexicon())
    except UserError as error:
        assert str(error).startswith("qa")
    else:
        assert len(split) == data.decode("utf-8-sig").count("\t") / 2
        assert (split.told <= split.lengths[split.story]).all()


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_every_question_of_the_little_world_is_answered_by_its_supporting_sentence(seed, sentences):
    lexicon = Lexicon()
    text = stories(3, seed, sentences, every=1)
    split = read(text.encode(), "qa", 1, lexicon)
    table = lexicon.table()
    for n in range(len(split)):
        fact = split.facts[split.begin[split.story[n]] + split.support[n, 0]]
        assert split.answer[n] in table[fact]
