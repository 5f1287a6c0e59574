"""Where the texts of bAbI come from: official, generated, one after the other, or one in place of the other."""

import json

import pytest

from tasks.babi import official as release_module
from tasks.babi.generator import BabiWorld, fingerprint, generate, statements
from tasks.babi.official import FOLDER, find, parts_of
from tasks.babi.sources import Official, Stories, Transfer, questions_of
from tasks.babi.text import parse, write
from tasks.errors import UserError
from tests.runs import made, the_record
from tests.tiny_babi import load_babi, write_release


def test_generated_stories_are_those_that_the_generator_tells(tmp_path):
    data = load_babi(tmp_path, tmp_path / "cache", [1, 4], source="generated", size=200, generator={"test": 50})
    assert data.source == "generated"
    assert (data.world, data.filled, data.notice) == ("test=50", {}, "")
    for training in data.trainings.values():
        assert (len(training.train), len(training.valid), len(training.test)) == (180, 20, 50)
    corpus = data.trainings["1"]
    told = generate(1, {"train": 180, "valid": 20, "test": 50}, 0, BabiWorld())
    first = [" ".join(corpus.words[w] for w in corpus.sentences[row] if w) for row in corpus.test.facts[:2]]
    assert first == [line.rstrip(".").lower() for line in told["test"][0][:2]]


def test_the_cache_gives_the_same_and_notices_every_setting(tmp_path):
    def fingerprint_of(**options):
        return load_babi(
            tmp_path, tmp_path / "cache", [2], **({"source": "generated", "size": 100} | options)
        ).fingerprint

    usual = fingerprint_of()
    assert fingerprint_of() == usual
    others = [
        fingerprint_of(size=110),
        *(
            fingerprint_of(generator={"test": 1000} | change)
            for change in ({"seed": 1}, {"people": 3}, {"sentences": 40})
        ),
    ]
    assert len({usual, *others}) == 5


def test_auto_takes_the_release_where_it_is_and_says_where_it_is_not(release, tmp_path):
    there = load_babi(release, tmp_path / "cache", [1], source="auto")
    where = release / FOLDER
    other = f"NOTE: task 1: the files in {where} are not those of bAbI v1.2; this run gets its own table"
    assert (there.source, there.notice) == ("official", other)
    away = load_babi(tmp_path / "nowhere", tmp_path / "cache", [1], source="auto", size=100)
    assert away.source == "generated"
    assert "the official bAbI v1.2 is not in" in away.notice
    assert "task.download=true" in away.notice


def test_auto_goes_on_with_generated_stories_when_no_mirror_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(release_module, "MIRRORS", ("http://127.0.0.1:9/none.tar.gz",))
    data = load_babi(tmp_path / "nowhere", tmp_path / "cache", [1], source="auto", size=100, download=True)
    assert data.source == "generated"
    assert data.notice.startswith("NOTE: bAbI v1.2 (16 MB) could not be downloaded; generated stories are used instead")
    assert "put tasks_1-20_v1-2.tar.gz into" in data.notice
    assert len(data.notice.splitlines()) == 1
    with pytest.raises(UserError, match="could not be downloaded"):
        load_babi(tmp_path / "nowhere", tmp_path / "cache", [1], source="official", download=True)


def test_transfer_is_tested_on_the_release_and_learns_none_of_its_stories(official, tmp_path):
    data = load_babi(official, tmp_path, [4], source="transfer")
    released = load_babi(official, tmp_path, [4])
    assert data.source == "transfer"
    here, there = data.trainings["4"], released.trainings["4"]
    assert (len(here.train), len(here.valid), len(here.test)) == (900, 100, 1000)
    assert [here.words[a] for a in here.test.answer] == [there.words[a] for a in there.test.answer]
    source = Transfer(Stories({}), 1000, Official(find(official), "en", "1k", None))
    parts = {part: {fingerprint(s) for s in parse(text.data, part)} for part, text in source.parts(4).items()}
    assert not parts["train"] & parts["test"]
    assert not parts["valid"] & parts["test"]


@pytest.fixture
def larger(tmp_path):
    """A release in the language of bAbI, with 10k folders of 300 questions; the training file of task 1 is missing."""
    home = tmp_path / "data" / FOLDER
    for task in (1, 2):
        told = generate(task, {"train": 300, "test": 100}, seed=99, world=BabiWorld())
        for subset, train in (("en", told["train"][:20]), ("en-10k", told["train"])):
            (home / subset).mkdir(parents=True, exist_ok=True)
            (home / subset / f"qa{task}_x_train.txt").write_text(write(train))
            (home / subset / f"qa{task}_x_test.txt").write_text(write(told["test"]))
    (home / "en-10k/qa1_x_train.txt").unlink()
    return tmp_path / "data"


def test_a_missing_file_is_named_or_filled(larger, tmp_path):
    with pytest.raises(UserError, match=r"(?s)train file of task 1 .* or add task.fill_missing=generated"):
        load_babi(larger, tmp_path / "cache", [1, 2], size="10k")
    data = load_babi(larger, tmp_path / "cache", [1, 2], size="10k", fill_missing="generated")
    assert data.source == "official"
    assert data.filled == {1: 9900}  # 20 official stories have 100 questions
    corpus = data.trainings["1"]
    assert len(corpus.train) + len(corpus.valid) == 10_000
    assert len(data.trainings["2"].train) + len(data.trainings["2"].valid) == 300
    # what is validated on ends with what the release has
    source = Official(find(larger), "en", "10k", Stories({}))
    parts = source.parts(1)
    learned = list(parse(parts["train"].data, "train"))
    official = list(parse(parts_of(1, find(larger).files("en"), "en")["train"].data, "en"))
    assert learned[-20:] == official


def test_nothing_that_is_tested_on_fills_a_missing_file(larger):
    tested = generate(1, {"train": 100}, seed=0, world=BabiWorld())["train"]  # what the filler would tell first
    (larger / FOLDER / "en-10k/qa1_x_test.txt").write_text(write(tested))
    parts = Official(find(larger), "en", "10k", Stories({})).parts(1)
    learned = {statements(story) for story in parse(parts["train"].data, "train")}
    assert len(learned) > 1000
    assert not learned & {statements(story) for story in tested}


def test_the_official_part_of_task_3_is_found_in_the_release(official, tmp_path):
    data = load_babi(official, tmp_path, [3], size="10k", fill_missing="generated")
    assert data.filled == {3: 8075}  # the release has 1,925 of its 10,000 questions
    assert len(data.trainings["3"].train) + len(data.trainings["3"].valid) == 10_000
    whole = load_babi(official, tmp_path, [1], size="10k", fill_missing="generated")
    assert whole.filled == {}
    assert whole.fingerprint == load_babi(official, tmp_path, [1], size="10k").fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "genrated"}, "task.source=genrated is not known; did you mean 'generated'"),
        ({"source": "generated", "size": "many"}, "task.size=many: expected a number of questions"),
        ({"source": "official", "size": 500}, "the release has task.size=1k and task.size=10k"),
        ({"generator": {"sentences": 9}}, "task.generator.sentences is about generated stories"),
        ({"source": "generated", "generator": {"peple": 9}}, "task.generator.peple is not an option.*'people'"),
        (
            {"source": "generated", "generator": {"seed": -1}},
            "task.generator.seed=-1: expected a whole number of at least 0",
        ),
        ({"source": "generated", "generator": {"places": 9, "people": 1}}, "people=1: expected 2 to"),
        ({"fill_missing": "zeros"}, r"task.fill_missing=zeros is not known .*\(generated\)"),
        ({"protocol": "both"}, "protocol=both is not known"),
    ],
)
def test_what_makes_no_sense_is_refused(release, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        load_babi(release, tmp_path / "cache", [1], **options)


def test_sizes_are_numbers_or_thousands():
    assert [questions_of(size) for size in ("1k", "10k", 250, "250")] == [1000, 10_000, 250, 250]


@pytest.mark.slow
class TestRun:
    QUICK = ("model=memn2n", "task=babi", "restarts=1", "trainer.max_epochs=2", "model.dim=4", "logger=none")

    def test_without_the_release_a_run_goes_on_and_says_so_everywhere(self, tmp_path, capsys):
        (tmp_path / "nowhere").mkdir()
        small = ("task.size=100", "task.generator.sentences=20", f"data_dir={tmp_path / 'nowhere'}")
        made(tmp_path, *self.QUICK, *small)
        said = capsys.readouterr()
        assert "generated stories are used instead" in said.err
        assert "generated data (sentences=20)" in said.out
        record = the_record(tmp_path / "results")
        assert (record["source"], record["world"]) == ("generated", "sentences=20")
        assert record["settings"]["task"]["generator"]["sentences"] == 20
        assert "nowhere" not in json.dumps(record)

    def test_official_records_do_not_depend_on_the_generator(self, tmp_path):
        world = write_release(tmp_path / "data")
        made(tmp_path, *self.QUICK, f"data_dir={world}")
        task = the_record(tmp_path / "results")["settings"]["task"]
        assert set(task) == {"_target_", "ids", "size", "variant", "source"}
