"""Haystacks: stories among sentences that do not matter, told in blocks; an index of words; figures by length."""

import base64
import csv
import json
import re
from hashlib import sha256

import numpy as np
import pytest
import torch

from tasks.errors import UserError
from tasks.haystack.needles import SENTENCES, TASKS, Stream
from tasks.haystack.task import UNKNOWN, load
from tasks.haystack.text import read_babilong, sentences_of
from tests.records import add, raw, rewrite
from zoo import records
from zoo.families.haystack import _reach
from zoo.kinds import haystack
from zoo.kinds.listening import Index, Searching
from zoo.leaderboard.generate import write
from zoo.models.lstm import LSTM
from zoo.models.memn2n import MemN2N
from zoo.models.open_memnn import OpenMemNN
from zoo.records import LongFigures
from zoo.training.ensemble import Ensemble

SMALL = {
    "kind": "strangers", "length": [100, 300], "text": None, "size": 400, "train_length": 40, "streams": 1, "seed": 0,
    "protocol": "per_task",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return load(ids=[1, 2], **SMALL)


def test_a_stream_is_the_same_whatever_the_size_of_its_blocks(data):
    story = data.trainings["2"].long[-1]
    whole = np.concatenate(list(story.blocks()))
    assert whole.shape == (300, data.trainings["2"].sizes.sentence_length)
    for size in (1, 7, 300):
        blocks = list(story.blocks(size))
        assert {len(block) for block in blocks[:-1]} <= {size}
        assert np.array_equal(np.concatenate(blocks), whole)


def test_the_facts_of_a_question_are_where_it_says(data):
    corpus = data.trainings["1"]
    for story in corpus.long:
        told = np.concatenate(list(story.blocks()))
        for asked in story.questions:
            who, *_ = (word for word in asked.question if word in told and corpus.words[word] not in ("is", "the"))
            assert who in told[asked.support[-1]]
            assert asked.answer in told[asked.support[-1]]
            assert max(np.flatnonzero((told == who).any(1))) == asked.support[-1]  # the last that names him


def test_strangers_say_no_unknown_word(data):
    for corpus in data.trainings.values():
        assert all((block != corpus.words.index(UNKNOWN)).all() for story in corpus.long for block in story.blocks())


def test_data_are_what_they_were_when_the_first_records_were_made():
    """Make small data: a million sentences take minutes."""
    made = load(ids=[1, 2, 3], **SMALL).fingerprint
    assert made == "489f71ef662dc5d2db621af5a0c01c8734640ba2edef65ad1e01f2cd67a88c22"
    long = "\n".join(Stream(2, "frozen", 2500))  # of several worlds
    assert sha256(long.encode()).hexdigest() == "215a6e89027f0a6714c58ded308465a58f0ef05526f291c01cb38e52f44aa27c"


def test_seeds_decide_every_byte():
    seen = [load(ids=[1], **SMALL | changed).fingerprint for changed in ({}, {}, {"seed": 1}, {"length": [100, 301]})]
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


def test_prose_is_read_with_unknown_words(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(
        "And Mary went up into the hills. Behold!\n\nThe garden was full of frankincense and of myrrh. " * 5
    )
    corpus = load(ids=[1], **SMALL | {"kind": "prose", "text": str(book)}).trainings["1"]
    told = np.concatenate(list(corpus.long[0].blocks()))
    assert "frankincense" not in corpus.words
    assert (told == corpus.words.index(UNKNOWN)).any()
    assert (told == corpus.words.index("mary")).any()


def test_sentences_of_a_text_are_cut():
    assert sentences_of('He said: "Go." And she went\n\nA new one', longest=2) == [
        "he said", "go", "and she", "went", "a new", "one",
    ]  # fmt: skip


def test_babilong_is_read_as_it_is_published(tmp_path):
    (tmp_path / "qa1").mkdir()
    entry = {"input": "John went to the garden. It was a dark night.", "question": "Where is John?", "target": "garden"}
    (tmp_path / "qa1/0k.json").write_text(json.dumps([entry, entry]))
    data = load(ids=[1], **SMALL | {"kind": "babilong", "text": str(tmp_path)})
    story, _ = data.trainings["1"].long
    (asked,) = story.questions
    words = data.trainings["1"].words
    assert (story.length, words[asked.answer]) == (2, "garden")
    (block,) = story.blocks()
    assert [words[word] for word in block[0] if word] == ["john", "went", "to", "the", "garden"]
    (tmp_path / "qa1/0k.json").write_text('{"input": "x"}')
    with pytest.raises(UserError, match="question"):
        read_babilong(tmp_path, [1])


@pytest.mark.parametrize(
    "wrong", [{"kind": "noise"}, {"length": 5}, {"kind": "prose"}, {"text": "x"}, {"protocol": "joint"}, {"streams": 0}]
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(UserError):
        load(ids=[1], **SMALL | wrong)
    with pytest.raises(UserError, match=r"task\.ids"):
        load(ids=[4], **SMALL)


@pytest.mark.parametrize("task", TASKS)
def test_a_stream_holds_what_it_is_asked_about(task):
    stream = Stream(task, 0, SENTENCES[task] + 4)
    told = list(stream)
    assert len(told) == stream.length
    assert all(place < len(told) for asked in stream.questions for place in asked.support)


def test_an_index_finds_what_a_search_of_all_finds():
    draw = np.random.default_rng(0)
    told = (draw.integers(1, 400, (500, 5)) * (draw.random((500, 5)) < 0.9)).astype(np.int64)
    index = Index(5)
    for block in np.split(told, [1, 40, 300]):
        index.append(block)
    for words in ([7], [7, 8, 0], [3, 3, 250, 999]):
        expected = np.flatnonzero(np.isin(told, [word for word in words if word]).any(1))
        assert np.array_equal(index.find(np.array(words), 100), expected)
    often, rare = np.ones((80, 2), np.int64), np.array([[1, 2]])
    index = Index(2)
    index.append(np.concatenate([often, rare]))
    assert index.find(np.array([1, 2]), 60).tolist() == [80]  # 1 is said too often to find anything


def test_a_search_follows_what_the_network_looks_at():
    torch.manual_seed(0)
    network = OpenMemNN(12, 4, 10, dim=8).eval().requires_grad_(False)
    story = np.array([[1, 2, 3, 0]] + [[9, 10, 11, 0]] * 70 + [[3, 4, 5, 0], [9, 10, 11, 0]], np.int64)
    question = np.array([1, 0, 0, 0])
    searching = Searching(network, 4)
    searching.tell(story)
    found = searching.ask(question)
    assert searching.count == len(story)
    assert found.places.tolist() == [0, 71]  # what shares a word with the question, and what does with that
    assert found.look().shape[1] == 2
    assert Searching(network, 4, follow="words").most == 60


@pytest.fixture(scope="module")
def told(data):
    """Figures of an untrained network that keeps sentences, and of one that keeps a state."""
    corpus = data.trainings["1"]
    torch.manual_seed(0)
    keeps = OpenMemNN(*corpus.sizes, dim=4).eval().requires_grad_(False)
    moves_on = LSTM(*corpus.sizes, dim=4).eval().requires_grad_(False)
    return {name: haystack.figures(network, corpus) for name, network in (("keeps", keeps), ("moves", moves_on))}


def test_a_network_is_told_in_every_way_at_every_length(told, data):
    ways = {name: {(one["way"], one["length"]) for one in of} for name, of in told.items()}
    assert ways["keeps"] == {(way, n) for way in ("rule", "all", "index", "filter") for n in (100, 300)}
    assert ways["moves"] == {(way, n) for way in ("rule", "all") for n in (100, 300)}
    questions = {story.length: len(story.questions) for story in data.trainings["1"].long}
    for one in (*told["keeps"], *told["moves"]):
        assert one["asked"] == questions[one["length"]]
        assert one["sentences_per_second"] > 0
        assert 0 < one["ms_median"] <= one["ms_p99"]


def test_the_rule_answers_the_first_task(told):
    assert all(one["right"] == one["asked"] for one in told["keeps"] if one["way"] == "rule")


def test_a_window_that_is_too_small_is_a_cell_that_says_so(data):
    corpus = data.trainings["1"]
    network = MemN2N(*corpus.sizes, memory_size=20).eval().requires_grad_(False)
    found = haystack.figures(network, corpus)
    refused = [one for one in found if one["refused"]]
    assert [(one["way"], one["length"], one["refused"]) for one in refused] == [
        ("all", 100, "sees the last 20 sentences"), ("all", 300, "sees the last 20 sentences"),
    ]  # fmt: skip


def test_a_question_that_takes_too_long_stops_the_telling(monkeypatch):
    now = iter([0.0, 1.0, 1.0, 6.0])  # one second at 256 sentences, five at 1,024
    monkeypatch.setattr(haystack.time, "perf_counter", lambda: next(now))
    trial = haystack._Trial(lambda listener, question: 0, None, np.zeros(1, np.int64))
    trial.at(100)
    trial.at(256)
    with pytest.raises(haystack.TooSlow, match="from 4,096 sentences on"):
        trial.at(1024)


def test_a_restart_alone_answers_as_in_its_ensemble(data):
    corpus = data.trainings["1"]
    networks = []
    for seed in range(2):
        torch.manual_seed(seed)
        networks.append(MemN2N(*corpus.sizes))
    ensemble = Ensemble(networks)
    batch = corpus.by_question(corpus.test, torch.arange(5), 40)
    with torch.no_grad():
        assert torch.allclose(ensemble.alone(1)(batch).scores, ensemble.answer(batch).scores[1], atol=1e-6)


def as_haystack(file, told):
    """Make a record one of the family, of task 1."""
    record = raw(file)
    record |= {"family": "haystack", "source": "generated", "world": "strangers"}
    record["long"] = [one | {"task": "1"} for one in told]
    rewrite(file, record)
    return file


def test_a_record_becomes_rows_and_tables(told, tmp_path):
    file = as_haystack(add(tmp_path, tasks=[1], model="open_memnn"), told["keeps"])
    write(tmp_path)
    lines = list(csv.DictReader((tmp_path / "leaderboard_haystack.csv").open()))
    assert len(lines) == 8
    assert {line["model"] for line in lines} == {"open_memnn", "rule"}
    columns = "model experiment task kind length accuracy ms_per_question sentences_per_second memory_mb parameters"
    assert {*columns.split(), "supervision"} <= set(lines[0])
    assert {line["accuracy"] for line in lines if line["model"] == "rule"} == {"100.00"}
    text = (tmp_path / "leaderboard.md").read_text()
    for said in ("through an index of words", "behind a keyword filter", "The rule among strangers"):
        assert said in text
    report = (tmp_path / "haystack.md").read_text()
    assert re.search(r"\| open_memnn \| through an index of words \| – \| (none|[\d,]+) \|", report)
    assert report.index("## Haystack, among strangers") < report.index("## Published, of other models")
    assert re.search(r"\| ARMT \| 137 million \| fine-tuned .+ \| 1,000,000 \| 99 \| 99 \| 72 \| .+table 4 \|", report)
    assert "ARMT" not in text + (tmp_path / "leaderboard_haystack.csv").read_text()
    page = (tmp_path / "leaderboard.html").read_text()
    for name in ("accuracy", "time", "memory"):
        drawn = (tmp_path / f"pictures/haystack_strangers_{name}.svg").read_bytes()
        assert f'"data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}"' in page
    one = records.read(file).long[0]
    low, high = one.interval
    assert (round(low, 1), high) == (round(100 * one.asked / (one.asked + 1.96**2), 1), 100.0)  # Wilson's, all right


@pytest.mark.parametrize("wrong", [{"right": 10**6}, {"refused": "no"}, {"task": "7"}, {"way": "magic"}])
def test_figures_that_contradict_each_other_are_refused(wrong, told, tmp_path):
    file = as_haystack(add(tmp_path, tasks=[1]), told["keeps"])
    record = raw(file)
    record["long"][0] |= wrong
    rewrite(file, record)
    with pytest.raises(UserError, match="is not a record"):
        records.read(file)


@pytest.mark.parametrize(
    ("right", "reached"),
    [
        ({1000: 9, 2000: 9, 5000: 10}, "5,000"),
        ({100: 10, 500: 10, 900: 10}, "900"),
        ({100: 9, 500: 8, 900: 10}, "100"),
        ({100: 8, 500: 10}, "none"),
    ],
)
def test_the_longest_story_that_is_remembered_is_named(right, reached):
    figures = [
        LongFigures(
            task="1", kind="strangers", length=length, way="all", asked=10, right=count, ms_median=1.0, ms_p99=1.0,
            sentences_per_second=1, memory_mb=1,
        )
        for length, count in right.items()
    ]  # fmt: skip
    assert _reach(figures) == reached
