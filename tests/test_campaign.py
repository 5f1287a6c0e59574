"""A list of runs: made as many at once as there are cores, never twice, and honest about what failed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.leases import held
from tests.configs import ROOT, config
from tests.records import add, as_dialog, as_sequences, raw, rewrite
from tests.runs import environment
from tests.tiny_babi import write_release
from zoo import records
from zoo.commands import campaign as verb
from zoo.commands import parse
from zoo.commands.campaign import headline_of, read
from zoo.engines import local
from zoo.runs import cells
from zoo.runs.messages import ends_with_message
from zoo.runs.plan import plan_of
from zoo.runs.timing import left, seconds_of
from zoo.training.recipe import Recipe

FILES = sorted((ROOT / "conf/campaign").glob("*.yaml"))
BABI = [file for file in FILES if file.stem.startswith("babi")]


def main(arguments: list[str]) -> None:
    verb.main(parse("campaign", verb.GRAMMAR, arguments))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_run_of_a_campaign_composes(file):
    for arguments in read(file):
        assert Recipe.from_config(config(*arguments)["model"]["recipe"]).epochs > 0


@pytest.mark.slow
@pytest.mark.parametrize("file", BABI, ids=lambda file: file.stem)
def test_every_run_of_a_campaign_on_babi_can_be_planned(file, release):
    for arguments in read(file):
        with ends_with_message(arguments):
            # the little world has no 10k, nor 20 tasks
            plan = plan_of([*arguments, f"data_dir={release}", "task.ids=[1]", "task.source=generated", "task.size=50"])
        assert plan.recipe.epochs > 0


def test_how_long_a_run_takes_is_told_by_the_nearest_run_that_was_made():
    plan = plan_of(["experiment=graves2014_ntm_copy"])
    pace = {("algorithmic", "lstm"): 1.0}
    assert seconds_of(plan, pace) is None
    nearer = [("algorithmic", "ntm"), ("algorithmic", "ntm", 100), ("ntm-copy-fresh",), ("ntm-copy-fresh", 100)]
    for number, kind in enumerate(nearer, start=2):
        pace[kind] = float(number)
        assert seconds_of(plan, pace) == number * plan.examples


def test_when_the_rest_is_finished_is_told_by_the_cores_and_by_the_longest_run():
    plan = plan_of(["experiment=graves2014_ntm_copy"])  # one training keeps one core busy
    pace = {("algorithmic", "ntm"): 3600 / plan.examples}
    begun = plan, 1, 2400.0
    assert left([plan] * 4, [], pace, 2).startswith("4 left: about 2:00:00, until ")
    assert left([plan], [], pace, 2).startswith("1 left: about 1:00:00, until ")
    assert left([plan] * 2, [begun], pace, 2).startswith("3 left: about 1:10:00, until ")
    lstm = plan_of(["experiment=graves2014_lstm_copy"])
    assert left([lstm], [begun], pace, 2).endswith(", and 1 of models that have no record yet")
    assert left([lstm], [], pace, 2) == "1 left: no telling yet"


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


@pytest.mark.parametrize("given", [[], ["babi_2k"]])
def test_who_names_no_list_is_told_which_there_are(given):
    with pytest.raises(UserError, match="there are: babi_10k, babi_10k_renamed, babi_1k, "):
        main(given)


def test_a_list_that_would_be_made_on_generated_stories_says_so(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n  - model=kv_memnn task=babi\n")
    drain(tmp_path, "--show", "task.ids=[1]", "task.size=50", "task.generator.test=20")
    assert capsys.readouterr().err.count("generated stories are used instead") == 1


def test_what_is_to_do_is_shown_wherever_the_word_stands(tmp_path, release, capsys):
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n")
    added = [f"data_dir={release}", f"results_dir={tmp_path / 'results'}"]
    for arguments in (["--show", *added], [*added, "--show"]):
        main([str(tmp_path / "mine.yaml"), *arguments])
        assert "to do" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    (tmp_path / "results/runs").mkdir(parents=True)
    (tmp_path / "results/runs/broken-1k-per_task-0123456789-1.json").write_text("{}")  # of another run
    main([str(tmp_path / "mine.yaml"), "--show", *added])
    (tmp_path / "results/runs/memn2n-1k-per_task-0123456789-1.json").write_text("{}")  # of a run like this one
    capsys.readouterr()
    main([str(tmp_path / "mine.yaml"), "--show", *added])
    assert "to do" in capsys.readouterr().out  # what cannot be read is not taken for done


def test_the_figure_of_a_record(tmp_path):
    def figure(tasks: dict[str, dict], *changes, **also) -> str:
        file = add(tmp_path, tasks=tuple(map(int, tasks)), identity="1", restarts=2)
        for change in changes:
            change(file)
        record = raw(file) | also
        for task, of in tasks.items():
            if not also.get("validation"):
                record["tasks"][task] |= of
        rewrite(file, record)
        return headline_of(records.read(file))

    tasks = {"1": {"test_errors": [9.0, 1.0], "selected": 1}, "2": {"test_errors": [2.0, 9.0], "selected": 0}}
    assert figure(tasks) == "1.50 % test error"
    assert figure(tasks, family="wikimovies") == "98.50 % hits@1"
    sixth = {"6": {"test_errors": [50.0, 60.0], "selected": 0}}  # of which the dialogs' mean is not
    assert figure(tasks | sixth, as_dialog) == "98.50 % right replies"
    assert figure(sixth, as_dialog) == "50.00 % right replies"
    validation = {"bits": [3.0, 0.25], "wrong_bits": [1.0, 1.0], "selected": 1, "best_epochs": [0, 0]}
    assert figure({"1": {}}, as_sequences, validation=validation) == "0.25 bits on validation"


def command(folder: Path, *arguments: str) -> list[str]:
    world = [f"data_dir={folder / 'data'}", f"results_dir={folder / 'results'}", "logger=none"]
    return [sys.executable, "-m", "zoo", "campaign", str(folder / "mine.yaml"), *world, *arguments]


def drain(folder: Path, *arguments: str) -> None:
    """Make a campaign in this process, which spares its start."""
    main(command(folder, f"cache_dir={folder / 'cache'}", *arguments)[4:])


@pytest.mark.slow
def test_a_campaign_makes_what_is_missing(tmp_path, capsys):
    write_release(tmp_path / "data")
    common = "task=babi restarts=1 trainer.max_epochs=2 trainer.workers=1"
    runs = [f"model=memn2n {common}", f"model=kv_memnn {common}", f"model=memn2n {common} model.dim=10"]
    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs[:2]))
    drain(tmp_path)
    first = capsys.readouterr().out
    assert "2 left: no telling yet" in first
    assert first.count("done") == 2  # in the table at the end
    assert "kv_memnn" in (tmp_path / "results/leaderboard.md").read_text()

    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs))
    (file,) = (tmp_path / "results/runs").glob("kv_memnn-*.json")
    rewrite(file, raw(file) | {"resumed": True})
    drain(tmp_path, "--show")
    shown = capsys.readouterr().out
    assert (shown.count("done"), shown.count("to do")) == (2, 1)
    assert re.search(r"about \d+:\d\d", shown)  # memn2n has been timed
    assert shown.count("interrupted") == 1  # and what kv_memnn took is not known
    drain(tmp_path)
    second = capsys.readouterr().out
    assert "3/3" in second
    assert "1/3" not in second
    assert len(list((tmp_path / "results/runs").glob("*.json"))) == 3


@pytest.mark.slow
def test_a_record_that_is_damaged_meanwhile_ends_nothing(tmp_path, monkeypatch, capsys):
    write_release(tmp_path / "data")
    common = "task=babi restarts=1 trainer.max_epochs=2 trainer.workers=1"
    (tmp_path / "mine.yaml").write_text(f"runs:\n  - model=memn2n {common}\n  - model=kv_memnn {common}\n")
    damaged = tmp_path / "results/runs/lstm-1k-per_task-0123456789-20260101000000.json"

    def say(text: str, **how: object) -> None:
        print(text, **how)
        if "1/2" in text:
            damaged.parent.mkdir(parents=True, exist_ok=True)
            damaged.write_text("{")

    monkeypatch.setattr(local, "print", say, raising=False)
    drain(tmp_path)
    assert f"left out: runs/{damaged.name} is not a record" in capsys.readouterr().err
    assert {file.name.partition("-")[0] for file in damaged.parent.glob("*.json")} == {"memn2n", "kv_memnn", "lstm"}


def test_a_mistake_in_the_last_run_shows_before_the_first_is_made(tmp_path):
    write_release(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n  - model=memn3n task=babi\n")
    said = "mine.yaml, model=memn3n task=babi: model 'memn3n' is not known; did you mean 'memnn'?"
    with pytest.raises(UserError, match=re.escape(said)):
        drain(tmp_path)
    assert not (tmp_path / "results").exists()


def test_making_runs_again_is_refused(tmp_path):
    write_release(tmp_path / "data")
    (tmp_path / "mine.yaml").write_text("runs:\n  - model=memn2n task=babi\n")
    with pytest.raises(UserError, match="rerun=true: a campaign makes what has no record"):
        drain(tmp_path, "rerun=true")
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_as_many_runs_are_made_at_once_as_there_are_cores_and_one_that_fails_stops_no_other(
    tmp_path, monkeypatch, capfd
):
    forkserver._forkserver._stop()  # an earlier test's, whose processes write where that test was heard
    write_release(tmp_path / "data")
    common = "task=babi restarts=1 trainer.max_epochs=2"
    runs = [f"model=memn2n {common}", f"model=kv_memnn {common} task.ids=[1,2]", f"model=memn2n {common} model.dim=10"]
    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs))
    world = [f"data_dir={tmp_path / 'data'}", f"results_dir={tmp_path / 'results'}", f"cache_dir={tmp_path / 'cache'}"]
    first = plan_of([*runs[0].split(), *world])
    work, _ = cells.begin(first)
    monkeypatch.setattr(records, "cores", lambda: 2)
    with contextlib.ExitStack() as stack:
        stack.enter_context(held(work / "1"))  # as if another machine had begun it

        def say(text: str, **how: object) -> None:
            print(text, **how)
            if "waiting for them" in text:
                stack.close()  # and it gives up

        monkeypatch.setattr(local, "print", say, raising=False)
        drain(tmp_path)
    out, err = capfd.readouterr()
    assert "other processes make what is left (1/3); waiting for them" in out
    assert "failed" not in err
    assert "1/3  task 1" not in err
    assert out.index("\n2/3 model=kv_memnn") < out.index("3/3  record:") < out.index("\n1/3 model=memn2n")
    assert "3/3    1/1  task 1: test error" in err
    assert not list((tmp_path / "results/unfinished").iterdir())
    kv, *two = (records.read(file) for file in sorted((tmp_path / "results/runs").glob("*.json")))
    assert (kv.model, kv.workers) == ("kv_memnn", 2)  # of two trainings, where two cores were left
    assert {(memn2n.model, memn2n.settings["model"]["dim"]) for memn2n in two} == {("memn2n", 10), ("memn2n", 20)}
    assert "trainer.workers" not in kv.command


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_what_stops_a_campaign_stops_its_runs_and_the_same_command_goes_on(tmp_path, stop):
    write_release(tmp_path / "data")
    common = "task=babi restarts=1 model.recipe.linear_start_epochs=0 trainer.max_epochs=30"
    runs = [f"model=memn2n {common}", f"model=memn2n {common} model.dim=10"]
    (tmp_path / "mine.yaml").write_text("runs:\n" + "".join(f"  - {line}\n" for line in runs))
    results = tmp_path / "results"
    process = subprocess.Popen(
        command(tmp_path, "trainer.checkpoint_seconds=0"), cwd=ROOT, env=environment(results), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which the tests' own parent may ignore
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((results / "unfinished").glob("memn2n-*/0-*/1/last.ckpt")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, stop)  # the campaign alone: its runs must notice
    said = process.communicate(timeout=60)[1]  # ends when no run holds the other end of the pipe
    assert process.returncode != 0
    assert ("stopped; the same command goes on from here" in said) == (stop == signal.SIGINT)
    assert "Traceback" not in said
    assert not list((results / "runs").glob("*.json"))
    drain(tmp_path, "trainer.checkpoint_seconds=0")
    made = [records.read(file) for file in (results / "runs").glob("*.json")]
    assert len(made) == 2
    assert any(record.resumed for record in made)
