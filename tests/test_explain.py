"""`zoo explain`: what a record keeps, and stories that somebody types."""

import io
import re
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tests.configs import ROOT
from tests.homes import network_of
from tests.records import raw, rewrite
from tests.tiny_babi import write_release
from zoo import records
from zoo.__main__ import main
from zoo.commands import explain, help_of, parse
from zoo.pretrained.storyfile import asked
from zoo.records import weights
from zoo.runs.plan import plan_of
from zoo.runs.run import run

pytestmark = pytest.mark.slow  # all look at runs that are made for them

STORY = "Ada went to the attic.\nBen ran to the barn.\nWhere is Ada?\n\nAda walked to the yard.\nWhere is Ada?\n"


def explains(*arguments: str) -> None:
    explain.main(parse("explain", explain.GRAMMAR, list(arguments)))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Of a network that has learned the little world."""
    folder = tmp_path_factory.mktemp("explained")
    write_release(folder / "data")
    results = folder / "results"
    threads = torch.get_num_threads()
    run(plan_of([
        "model=memn2n", "task=babi", "restarts=2", "logger=none", "trainer.workers=1", "model.recipe.batch_size=8",
        f"data_dir={folder / 'data'}", f"cache_dir={folder / 'cache'}", f"results_dir={results}",
    ]))  # fmt: skip
    torch.set_num_threads(threads)
    return results


def test_weights_are_those_of_one_restart_alone(results):
    (file,) = (results / "weights").iterdir()
    about, trained = weights.load(file)
    assert list(trained) == ["1"]
    record = records.read(results / "runs" / f"{about.record}.json")
    assert sum(table.size for table in trained["1"].weights.values()) == record.parameters


def test_shows_the_questions_of_a_record(results, capsys):
    explains("run=memn2n", "task=1", f"results_dir={results}")
    said = capsys.readouterr().out
    assert said.count("•") == said.count("?") >= 2  # a supporting fact for each question
    assert "right" in said


def test_the_newest_record_that_has_the_task_is_taken(results, tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    (made,) = (results / "runs").glob("*.json")
    for name, tasks in (("memn2n-1k-per_task-a-1", ("1",)), ("memn2n-dialog-per_task-b-2", ("4",))):
        record = raw(made)
        record["tasks"] = dict.fromkeys(tasks, record["tasks"]["1"])
        rewrite(tmp_path / "runs" / f"{name}.json", record)
        (tmp_path / "runs" / f"{name}.npz").write_bytes(made.with_suffix(".npz").read_bytes())
    explains("run=memn2n", "task=1", f"results_dir={tmp_path}")
    said = capsys.readouterr().out
    setting = "default, model.recipe.batch_size=8, restarts=2"
    assert said.startswith(f"memn2n-1k-per_task-a-1: {setting}, official data (task 1: not the release's")
    assert records.find("memn2n", tmp_path, "4").stem == records.find("memn2n", tmp_path).stem
    assert records.find("memn2n", tmp_path, "4").stem == "memn2n-dialog-per_task-b-2"


def test_a_record_is_named_by_its_experiment_too_and_official_data_with_their_names_come_first(results, tmp_path):
    (tmp_path / "runs").mkdir()
    (made,) = (results / "runs").glob("*.json")
    for name, experiment, source, rename, refit in (
        ("memn2n-1k-per_task-a-1", "mine", "official", False, False),
        ("memn2n-1k-per_task-b-2", "mine", "generated", False, False),
        ("memn2n-1k-per_task-c-3", None, "official", False, False),
        ("memn2n-1k-per_task-d-4", "mine", "official", True, False),
        ("memn2n-1k-per_task-e-5", "mine", "official", False, True),
    ):
        changed = raw(made) | {"experiment": experiment, "source": source}
        changed["settings"]["task"]["rename"] = rename
        changed["settings"]["model"]["recipe"]["refit"] = refit
        rewrite(tmp_path / "runs" / f"{name}.json", changed)
    assert records.find("mine", tmp_path, "1").stem == "memn2n-1k-per_task-a-1"
    assert records.find("memn2n-1k-per_task-b", tmp_path, "1").stem == "memn2n-1k-per_task-b-2"
    assert records.find("memn2n-1k", tmp_path, "1").stem == "memn2n-1k-per_task-c-3"


@pytest.mark.parametrize("verb", ["explain", "repeat"])
@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_is_help(verb, asked, capsys):
    main([verb, asked])
    said = capsys.readouterr().out
    assert said.startswith(f"zoo {verb} run=RECORD")
    assert said == help_of(verb) + "\n"


@pytest.mark.parametrize(
    ("said", "answer", "right"),
    [
        ("Mine", "Mine", True),
        ("Mine", "Yours, Mine and Ours, Mine", True),
        ("Yours, Mine and Ours", "Night, Yours, Mine and Ours", True),
        ("Ours", "Yours, Mine and Ours, Mine", False),
        ("Up", "Heat, Upside", False),
        ("milk", "milk,football", False),  # of bAbI, where that is one answer
    ],
)
def test_any_of_several_answers_is_right(said, answer, right, capsys):
    shown = {"story": ["x"], "question": "q", "said": said, "answer": answer, "facts": [], "attention": [[1.0]]}
    explain.show(shown, "weights", Console(width=100))
    assert ("wrong: " in capsys.readouterr().out) == (not right)


def test_answers_a_story_that_is_typed(results, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(STORY))
    explains("run=memn2n", "task=1", "story=-", f"results_dir={results}")
    first, second = capsys.readouterr().out.split("where is ada?")[1:]
    assert first.split()[0] == "attic"
    assert second.split()[0] == "yard"
    assert "ben ran" not in first  # an empty line begins a new story


def test_somebody_who_types_may_try_again(results, capsys, monkeypatch):
    typed = io.StringIO(STORY.replace("Where", "Ada went to the attik.\nWhere", 1))
    monkeypatch.setattr(typed, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", typed)
    explains("run=memn2n", "task=1", "story=-", f"results_dir={results}")
    said = capsys.readouterr().out
    assert "did you mean 'attic'" in said
    assert said.count("where is ada?") == 2


def test_weights_that_come_with_the_project_answer(capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("John went to the hallway.\nMary moved to the garden.\nWhere is Mary?\n")
    )
    explains("run=sukhbaatar2015_memn2n_babi_1k", "task=1", "story=-", f"results_dir={ROOT / 'results'}")
    assert "where is mary?  garden" in capsys.readouterr().out


def test_of_several_records_one_whose_weights_are_here_answers(results, tmp_path, capsys, monkeypatch):
    shutil.copytree(results, tmp_path / "results")
    (file,) = (tmp_path / "results" / "runs").glob("*.json")
    newer = file.with_stem(file.stem.rpartition("-")[0] + "-20991231235959")
    for made in (file, file.with_suffix(".npz")):
        shutil.copy(made, newer.with_suffix(made.suffix))
    assert records.find("memn2n", tmp_path / "results") == newer
    monkeypatch.setattr("sys.stdin", io.StringIO(STORY))
    explains("run=memn2n", "task=1", "story=-", f"results_dir={tmp_path / 'results'}")
    assert "where is ada?  attic" in capsys.readouterr().out


def test_among_many_sentences_those_that_were_looked_at_are_shown_with_their_numbers(capsys):
    explains("run=tuned/open_memnn_haystack", "task=2", "length=5000", f"results_dir={ROOT / 'results'}")
    said = capsys.readouterr().out
    assert said.count("•") == 2 * said.count("?") >= 8  # both facts of each question, found and nothing else
    places = [int(place.replace(",", "")) for place in re.findall(r"([\d,]+): \w+ \w+ ", said)]
    assert 2000 < max(places) <= 5000
    assert "wrong" not in said


def test_only_a_haystack_has_other_lengths(results):
    with pytest.raises(ValueError, match="is of another task; expected a record of task=haystack"):
        explains("run=memn2n", "task=1", "length=100", f"results_dir={results}")


def test_a_network_that_treats_new_words_otherwise_knows_which_are_new(tmp_path):
    words = ["", "ada", "ran", "to", "the", "attic", "barn", "where", "is"]
    story, question = ["Ada ran to the attic.", "Ada ran to the barn."], "Where is Ada?"
    replies = [
        network_of(tmp_path / name, "open_memnn", words, unlearned).answer(story, question)
        for name, unlearned in (("old", []), ("new", ["barn"]))
    ]
    old, new = (dict(reply.ranking(len(words))) for reply in replies)
    assert old["barn"] != pytest.approx(new["barn"])


@pytest.mark.parametrize("model", ["memnn", "dmn", "memn2n"])
def test_a_story_may_be_longer_than_those_of_training(tmp_path, model):
    words = ["", "ada", "ran", "to", "the", "attic", "where", "is"]
    options = ["model.hears=sentences"] if model == "dmn" else []
    network = network_of(tmp_path, model, words, [], *options)
    for told in (2, 4):  # as long, and longer
        story = [*["Ada ran to the attic."] * told, "Where is Ada?"]
        (one,) = asked(network, story)
        assert len(one.reply.story) == (2 if model == "memn2n" else told)  # MemN2N sees its window
        assert one.told == told


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["run=memn3n", "task=1"], "", "no record in .* begins so, or is of this experiment; did you mean 'memn2n'"),
        (["run=memn2n", "task=7"], "", "task=7: this run has the tasks 1"),
        (["run=memn2n"], "", "task= is missing"),
        (["run=memn2n", "task=1", "storey=x"], "", "'storey' is not an option of zoo explain; did you mean 'story'"),
        (["run=memn2n", "task=1", "story=nowhere.txt"], "", "story=nowhere.txt: no such file"),
        (["run=memn2n", "task=1", "story=-"], "Ada went to the attik.", "did you mean 'attic'"),
        (["run=memn2n", "task=1", "story=-"], "Where is Ada?", "a question before any sentence"),
        (["run=memn2n", "task=1", "story=-"], "Ada went to the attic.", "no question; expected a line that ends with"),
        (["run=memn2n", "task=1", "story=-"], "Ada Ada Ada Ada Ada Ada Ada", "7 words: expected at most 5"),
    ],
)
def test_a_mistake_gets_one_clear_message(results, monkeypatch, arguments, typed, said):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(ValueError, match=said):
        explains(*arguments, f"results_dir={results}")


def test_without_weights_it_says_how_to_get_them(results, tmp_path):
    (tmp_path / "runs").mkdir()
    for file in (results / "runs").iterdir():
        (tmp_path / "runs" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=r"zoo weights memn2n-1k-per_task-\S+"):
        explains("run=memn2n", "task=1", "story=-", f"results_dir={tmp_path}")


def test_a_record_without_what_lies_beside_it_says_so(results, tmp_path):
    (tmp_path / "runs").mkdir()
    (made,) = (results / "runs").glob("*.json")
    file = tmp_path / "runs" / made.name
    file.write_bytes(made.read_bytes())
    with pytest.raises(ValueError, match=r"memn2n-1k-per_task-\S+npz: missing beside its record; restore it"):
        explains("run=memn2n", "task=1", f"results_dir={tmp_path}")
    file.with_suffix(".npz").write_bytes((results / "runs" / file.name).with_suffix(".npz").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"memn2n-1k-per_task-\S+npz is damaged .*; restore it"):
        explains("run=memn2n", "task=1", f"results_dir={tmp_path}")
    (tmp_path / "runs" / file.name).write_text('{"schema": 1}')
    with pytest.raises(ValueError, match=r"json is not a record of a run"):
        explains("run=memn2n", "task=1", f"results_dir={tmp_path}")
