"""The program as people use it: in processes of its own, on the little world, killed and mistyped."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.configs import ROOT
from tests.tiny_babi import corpora_of, load_babi, write_release
from zoo import runner
from zoo.runs.compose import compose_config

# patience ends the linear starts at different epochs, and the training before its last epoch
PATIENT = ("model.recipe.linear_start_epochs=40", "model.recipe.linear_start_patience=1")
QUICK = ("model=memn2n", "task=babi", "task.ids=[1,2]", "restarts=2", "trainer.max_epochs=20", "model.dim=6", *PATIENT)


def command(release: Path, results: Path, *arguments: str) -> list[str]:
    return [sys.executable, "run.py", *arguments, f"data_dir={release}", f"results_dir={results}"]


def environment(results: Path) -> dict[str, str]:
    # a leaked WANDB or ZOO variable of the developer must not decide a test
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "ZOO", "HYDRA"))}
    return own | {"ZOO_CACHE": str(results.parent / "cache"), "HOME": str(results.parent), "COLUMNS": "120"}


def run(release: Path, results: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(release, results, *arguments), cwd=ROOT, env=environment(results), capture_output=True, text=True,
        timeout=240, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def the_record(results: Path) -> dict:
    (file,) = (results / "runs").glob("*.json")
    return json.loads(file.read_text())


def arrays(results: Path) -> dict[str, np.ndarray]:
    (file,) = (results / "runs").glob("*.npz")
    with np.load(file) as stored:
        return dict(stored)


TIMES = ("train_seconds", "wall_seconds", "resumed", "examples_per_second", "environment", "commit", "dirty")


def figures(record: dict) -> dict:
    """A record without what differs between two runs of the same: times and the machine."""
    kept = {key: value for key, value in record.items() if key not in TIMES}
    kept["trainings"] = {
        name: {key: value for key, value in training.items() if key != "seconds"}
        for name, training in record["trainings"].items()
    }
    return kept


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("data"), train=60)


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    results = tmp_path_factory.mktemp("finished") / "results"
    # a folder named with ++ must not enter the record either
    return results, run(world, results, *QUICK, f"++cache_dir={results.parent / 'cache'}")


@pytest.mark.slow
class TestRun:
    def test_leaves_a_record_and_says_what_came_out(self, finished):
        results, done = finished
        assert done.returncode == 0, done.stderr
        record = the_record(results)
        assert list(record["tasks"]) == ["1", "2"]
        for task in record["tasks"].values():
            assert len(task["test_errors"]) == 2
            assert task["valid_errors"][task["selected"]] == min(task["valid_errors"])
        assert record["settings"]["restarts"] == 2
        assert record["overrides"] == ["model.dim=6", *PATIENT, "restarts=2", "trainer.max_epochs=20"]
        assert "task 1" in done.stdout
        assert "record:" in done.stdout
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr

    def test_the_record_names_no_path_or_host(self, world, finished):
        text = json.dumps(the_record(finished[0]))
        for name in (str(Path.home()), str(finished[0]), str(world), os.uname().nodename):
            assert name not in text

    def test_predictions_give_the_errors_of_the_record(self, world, finished):
        results, record, stored = finished[0], the_record(finished[0]), arrays(finished[0])
        corpora = corpora_of(load_babi(world, results.parent / "cache", [1, 2]))
        for task, corpus in ((str(number), corpus) for number, corpus in corpora.items()):
            assert stored[f"{task}/words"].tolist() == corpus.words
            wrong = stored[f"{task}/predictions"] != corpus.test.answer.numpy()
            expected = record["tasks"][task]["test_errors"]
            np.testing.assert_allclose(100 * wrong.mean(1), expected, atol=1e-4)

    def test_is_not_made_twice_unless_asked(self, world, finished):
        results, _ = finished
        before = sorted((results / "runs").iterdir())
        again = run(world, results, *QUICK)
        assert again.returncode == 0
        assert "this run has been made" in again.stdout
        assert sorted((results / "runs").iterdir()) == before

    def test_is_recorded_beside_the_first_when_made_again(self, world, finished, tmp_path):
        results = tmp_path / "results"
        for _ in range(2):
            done = run(world, results, "model=memn2n", "task=babi", "restarts=1", "trainer.max_epochs=2", "rerun=true")
            assert done.returncode == 0, done.stderr
        first, second = (json.loads(f.read_text()) for f in sorted((results / "runs").glob("*.json")))
        assert figures(first) == figures(second)

    def test_joint_training_is_tested_task_by_task(self, world, tmp_path):
        results = tmp_path / "results"
        done = run(
            world, results, "model=gated_memn2n", "task=babi_joint", "task.ids=[1,2]", "restarts=2",
            "trainer.max_epochs=3", "logger=none",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        record = the_record(results)
        assert record["settings"]["protocol"] == "joint"
        assert list(record["tasks"]) == ["1", "2"]
        assert list(record["trainings"]) == ["joint"]

    @pytest.mark.parametrize("logger", ["csv", "tensorboard", "wandb"])
    def test_loggers_write_without_asking(self, world, tmp_path, logger):
        results = tmp_path / "results"
        done = run(
            world, results, "model=memn2n", "task=babi", "restarts=1", "trainer.max_epochs=2", f"logger={logger}"
        )
        assert done.returncode == 0, done.stderr
        written = [f.name for f in (results / "logs").rglob("*") if f.is_file()]
        expected = {"csv": "metrics.csv", "tensorboard": "events.out", "wandb": ".wandb"}[logger]
        assert any(expected in name for name in written), written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "kills"),
    [(1, ["1/last.ckpt", "1/figures.pt", "2/last.ckpt"]), (2, ["2/last.ckpt", "1/figures.pt"])],
)
def test_a_killed_run_ends_as_an_undisturbed_one(world, finished, tmp_path, workers, kills):
    results = tmp_path / "results"
    arguments = (*QUICK, f"trainer.workers={workers}", "trainer.checkpoint_seconds=0")
    for awaited in kills:
        process = subprocess.Popen(
            command(world, results, *arguments), cwd=ROOT, env=environment(results), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not list((results / "unfinished").glob(f"memn2n-*/0/{awaited}")):
            assert process.poll() is None, f"ended before {awaited} was written"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)  # the parent alone: its workers must notice
        process.wait()
        assert not list((results / "runs").glob("*.json"))
    done = run(world, results, *arguments)
    assert done.returncode == 0, done.stderr
    assert "continued" in done.stderr
    got, expected = figures(the_record(results)), figures(the_record(finished[0]))
    for of_this_command in ("command", "workers"):
        got.pop(of_this_command), expected.pop(of_this_command)
    assert got == expected
    stored, undisturbed = arrays(results), arrays(finished[0])
    assert stored.keys() == undisturbed.keys()
    for name in stored:
        np.testing.assert_array_equal(stored[name], undisturbed[name], err_msg=name)
    assert not list((results / "unfinished").glob("memn2n-*/"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=gated_memn2"], ["model 'gated_memn2' is not known; did you mean 'gated_memn2n'?", "memn2n"]),
        (["task=baby"], ["task 'baby' is not known; did you mean 'babi'?"]),
        (["trainer=cpus"], ["did you mean 'cpu'?"]),
        (["logger=wanbd"], ["did you mean 'wandb'?"]),
        (["experiment=liu2017"], ["experiment 'liu2017' is not known; did you mean 'liu2017_gated_memn2n_babi_"]),
        (["experiment=memnn"], ["experiment 'memnn' is not known; did you mean 'tuned/memnn'?"]),
        (["task=babi", "task.ids=[21]"], ["task.ids=[21]", "from 1 to 20"]),
        (["task.size=many"], ["task.size=many: expected a number of questions", "task.size=1k"]),
        (["task.source=generate"], ["task.source=generate is not known; did you mean 'generated'?"]),
        (["task.generator.people=many"], ["people=many: expected a whole number"]),
        (["task.generator.peple=3"], ["'task.generator.peple' is not an option; did you mean", "people"]),
        (
            ["model=ntm", "task=copy", "task.ids=[1]"],
            ["'task.ids' is not an option of what was chosen", "conf/task/dialog"],
        ),
        (["model.hops=0"], ["model.hops=0: expected at least 1"]),
        (["model.hops=many"], ["model.hops=many: expected int"]),
        (["model.hopps=3"], ["'model.hopps' is not an option; did you mean 'model.hops'?"]),
        (["+model.hopps=3"], ["model.hopps is not an option", "did you mean 'hops'?"]),
        (["model.recipe.epoch=3"], ["'model.recipe.epoch' is not an option; did you mean 'model.recipe.epochs'?"]),
        (
            ["model.recipe.perfect_epochs=3"],
            ["no yaml of this model sets", "type it with a plus: +model.recipe.perfect"],
        ),
        (["restart=3"], ["'restart' is not an option; did you mean 'restarts'?"]),
        (["restarts=0"], ["restarts=0: expected a whole number of at least 1"]),
        (["trainer.max_epochs=0"], ["trainer.max_epochs=0: expected"]),
        (["protocol=jiont"], ["protocol=jiont", "did you mean 'joint'?"]),
        (["memn2n"], ["expected name=value"]),
        (["model.recipe.epochs=many"], ["model.recipe.epochs=many: expected int"]),
        (
            ["model=lstm", "model.recipe.optimizer=adamm"],
            ["model.recipe.optimizer=adamm: expected sgd, adam, adamw", "did you mean 'adam"],
        ),
        (["model.recipe.batch_size=0"], ["model.recipe.batch_size=0: expected at least 1"]),
        (["model.recipe=5"], ["model.recipe=5: expected optimizer, learning_rate"]),
        (["published=5"], ["published=5: an experiment sets it"]),
        (["task.ids=5"], ["task.ids=5: expected a list, as in task.ids=[5]"]),
        (["trainer.accelerator=tpu"], ["expected cpu or gpu"]),
        (
            ["+trainer.lightning.precision=16"],
            ["trainer.lightning.precision is not an option: restarts share"],
        ),
        (["trainer.lightning.profiler=simpel"], ["expected simple or advanced or pytorch; did you mean 'simple'?"]),
    ],
)
def test_a_mistake_gets_one_clear_message(tmp_path, arguments, said):
    done = run(tmp_path / "no data", tmp_path / "results", *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Error executing job" not in done.stderr
    for words in said:
        assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert not (tmp_path / "results" / "runs").exists()


@pytest.mark.slow
def test_missing_and_damaged_data_are_named(world, tmp_path):
    missing = run(tmp_path / "nowhere", tmp_path / "results", "task=babi", "task.source=official")
    assert missing.returncode != 0
    assert "task.download=true" in missing.stderr
    assert "nowhere" in missing.stderr

    folder = write_release(tmp_path / "damaged")
    file = folder / "tasks_1-20_v1-2/en/qa2_little-world_train.txt"
    file.write_text(file.read_text().replace("\n4 ", "\n5 ", 1))
    damaged = run(folder, tmp_path / "results", "task=babi", "task.ids=[1,2]")
    assert damaged.returncode != 0
    assert "qa2_little-world_train.txt, line 4" in damaged.stderr
    assert "Traceback" not in damaged.stderr


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_says_so_and_one_with_a_damaged_checkpoint_begins_it_anew(world, tmp_path):
    results = tmp_path / "results"
    arguments = ("model=memn2n", "task=babi", "restarts=1", "trainer.checkpoint_seconds=0", "logger=none")
    process = subprocess.Popen(
        command(world, results, *arguments), cwd=ROOT, env=environment(results), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (found := list((results / "unfinished").glob("memn2n-*/0/1/last.ckpt"))):
        assert process.poll() is None, "ended before a checkpoint was written"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "stopped; the same command goes on from here" in said
    found[0].write_bytes(found[0].read_bytes()[:5000])
    done = run(world, results, *arguments)
    assert done.returncode == 0, done.stderr
    assert "last.ckpt is damaged" in done.stderr
    assert the_record(results)["resumed"]


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_pair_that_does_not_fit(tmp_path):
    results = tmp_path / "results"
    small = ("task.epoch=64", "task.valid_size=64", "task.test_size=2", "trainer.max_epochs=1", "trainer.compile=false")
    done = run(tmp_path, results, "-m", "model=memn2n,lstm", "task=copy", "restarts=1", *small)
    assert done.returncode == 1
    assert "model=memn2n task=copy" in done.stderr
    assert "choose model=lstm or ntm" in done.stderr
    assert "not every run of the sweep was made" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert the_record(results)["model"] == "lstm"


@pytest.mark.slow
def test_a_run_that_never_had_a_finite_loss_leaves_no_record(world, tmp_path):
    results = tmp_path / "results"
    wild = ("model=memn2n", "model.recipe.learning_rate=1e30", "model.recipe.clip=1e30", "trainer.max_epochs=2")
    done = run(world, results, *wild, "task=babi", "restarts=2")
    assert done.returncode == 1
    assert "after no epoch was the loss on validation a finite number" in done.stderr.splitlines()[-1]
    assert "model.recipe.learning_rate=1e+30" in done.stderr
    assert not (results / "runs").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_named(world, tmp_path):
    file = tmp_path / "file"
    file.touch()
    done = run(world, file / "results", "model=memn2n", "task=babi")
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(f"{file}/")
    assert "results_dir=" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_command_adds_and_takes_away_stands_in_its_record():
    arguments = ["model=memn2n", "++cache_dir=elsewhere", "+model.recipe.patience=20", "~model.hops", "restarts=2"]
    _, labels = compose_config(arguments)
    assert labels["overrides"] == ["model.recipe.patience=20", "restarts=2", "~model.hops"]
    assert labels["command"] == "python run.py model=memn2n +model.recipe.patience=20 '~model.hops' restarts=2"
    _, again = compose_config(shlex.split(labels["command"])[2:])
    assert again == labels


def test_only_other_code_begins_interrupted_work_anew(tmp_path, monkeypatch, capsys):
    work = tmp_path / "0"
    assert not runner.begun(work)
    (work / "1").mkdir()
    monkeypatch.setattr(runner.records, "commit", lambda results: {"commit": "another", "dirty": True})
    assert runner.begun(work)
    assert (work / "1").exists()
    monkeypatch.setattr(runner.records, "fingerprint", lambda: "another")
    assert not runner.begun(work)
    assert not (work / "1").exists()
    assert "the code, or a version of a library, has changed" in capsys.readouterr().err
    (work / "1").mkdir()
    (work / "code.txt").unlink()  # as where throwing the old work away was interrupted
    assert not runner.begun(work)
    assert not (work / "1").exists()


@pytest.mark.slow
def test_help_lists_what_there_is_and_answers_at_once(tmp_path):
    began = time.monotonic()
    shown = subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert time.monotonic() - began < 10
    for name in ("gated_memn2n", "babi_joint", "sukhbaatar2015_memn2n_babi_1k", "python -m zoo.leaderboard"):
        assert name in shown.stdout
    check = (
        "import sys; sys.argv=['run.py','--help']; import runpy\ntry: runpy.run_path('run.py', run_name='__main__')\n"
    )
    check += "except SystemExit: pass\nfinally: print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.strip().endswith("False")
