"""A list of runs: made one after another, never twice, and honest about what failed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.configs import ROOT, config
from tests.test_run import environment
from tests.worlds import write_release
from zoo.campaign import figure_of, main, read, seconds_of
from zoo.command import planned
from zoo.mistakes import explained
from zoo.training.recipe import Recipe

FILES = sorted((ROOT / "conf/campaign").glob("*.yaml"))
BABI = [file for file in FILES if file.stem.startswith("babi")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_run_of_a_campaign_composes(file):
    for arguments in read(file):
        assert Recipe.from_config(config(*arguments)["model"]["recipe"]).epochs > 0


@pytest.mark.parametrize("file", BABI, ids=lambda file: file.stem)
def test_every_run_of_a_campaign_on_babi_can_be_planned(file, release):
    for arguments in read(file):
        with explained(arguments):
            # the little world has no 10k, nor 20 tasks
            plan = planned([*arguments, f"data_dir={release}", "task.ids=[1]", "task.source=generated", "task.size=50"])
        assert plan.recipe.epochs > 0


def test_how_long_a_run_takes_is_told_by_the_nearest_run_that_was_made():
    plan = planned(["experiment=graves2014_ntm_copy", "trainer.workers=1"])
    pace = {("algorithmic", "lstm"): 1.0}
    assert seconds_of(plan, pace) is None
    nearer = [("algorithmic", "ntm"), ("algorithmic", "ntm", 100), ("ntm-copy-fresh",), ("ntm-copy-fresh", 100)]
    for number, kind in enumerate(nearer, start=2):
        pace[kind] = float(number)
        assert seconds_of(plan, pace) == number * plan.examples


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run:\n  - model=memn2n\n", "expected a list `runs`"),
        ("runs: [1, 2]\n", "expected a list `runs`"),
        ("runs: []\n", "lists no run"),
        ("runs:\n  - model=memn2n\n  - model=memn2n\n", "lists a run twice: model=memn2n"),
    ],
)
def test_a_file_that_is_no_campaign_is_refused(tmp_path, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read(tmp_path / "mine.yaml")


def test_what_is_to_do_is_shown_wherever_the_word_stands(tmp_path, release, capsys):
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n")
    added = [f"data_dir={release}", f"results_dir={tmp_path / 'results'}"]
    for arguments in (["--show", *added], [*added, "--show"]):
        main([str(tmp_path / "mine.yaml"), *arguments])
        assert "to do" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    (tmp_path / "results/runs").mkdir(parents=True)
    (tmp_path / "results/runs/broken.json").write_text("{}")
    with pytest.raises(ValueError, match=r"broken\.json is not a record"):
        main([str(tmp_path / "mine.yaml"), "--show", *added])


def test_the_figure_of_a_record():
    tasks = {"1": {"test_errors": [9.0, 1.0], "selected": 1}, "2": {"test_errors": [2.0, 9.0], "selected": 0}}
    assert figure_of({"tasks": tasks}) == "1.50 % test error"
    assert figure_of({"validation": {"bits": [3.0, 0.25], "selected": 1}}) == "0.25 bits on validation"


def campaign(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    world = [f"data_dir={folder / 'data'}", f"results_dir={folder / 'results'}", "logger=none"]
    return subprocess.run(
        [sys.executable, "-m", "zoo.campaign", str(folder / "mine.yaml"), *world, *arguments],
        cwd=ROOT, env=environment(folder / "results"), capture_output=True, text=True, timeout=240,
    )  # fmt: skip


@pytest.mark.slow
def test_a_campaign_makes_what_is_missing_and_says_what_failed(tmp_path):
    write_release(tmp_path / "data")
    common = "task=babi restarts=1 trainer.max_epochs=2 trainer.workers=1"
    runs = [f"model=memn2n {common}", f"model=kv_memnn {common}", f"model=memn2n {common} model.dim=10"]
    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs[:2]))
    first = campaign(tmp_path)
    assert first.returncode == 0, first.stderr
    assert "2 left: no telling yet" in first.stdout
    assert first.stdout.count("done") == 2  # in the table at the end
    assert "kv_memnn" in (tmp_path / "results/leaderboard.md").read_text()

    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs))
    (file,) = (tmp_path / "results/runs").glob("kv_memnn-*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"resumed": True}))
    shown = campaign(tmp_path, "--show")
    assert (shown.stdout.count("done"), shown.stdout.count("to do")) == (2, 1)
    assert "about 0:0" in shown.stdout  # memn2n has been timed
    assert shown.stdout.count("interrupted") == 1  # and what kv_memnn took is not known
    second = campaign(tmp_path)
    assert second.returncode == 0, second.stderr
    assert "3/3" in second.stdout
    assert "1/3" not in second.stdout
    assert len(list((tmp_path / "results/runs").glob("*.json"))) == 3


@pytest.mark.slow
def test_a_mistake_in_the_last_run_shows_before_the_first_is_made(tmp_path):
    write_release(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n  - model=memn3n task=babi\n")
    done = campaign(tmp_path)
    assert done.returncode != 0
    assert "model 'memn3n' is not known; did you mean 'memnn'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
