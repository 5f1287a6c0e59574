"""`zoo repeat`: a cell of the leaderboard, made again by the command that its record holds."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import UserError
from tests.records import raw, rewrite
from tests.runs import LITTLE, QUICK, SHORT, SMALL, again, made
from zoo import records
from zoo.commands import repeat

pytestmark = pytest.mark.slow  # all look at runs that are made for them


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("repeat")
    made(folder, *QUICK)
    made(folder, *QUICK, "task=babi_joint", "task.ids=[1,2]")
    return folder


def tampered(folder: Path, name: str, change) -> None:
    """A record of that name whose figures somebody has changed."""
    (file,) = (folder / "results/runs").glob("memn2n-60-per_task-*.json")
    record = raw(file)
    change(record)
    other = file.with_name(f"{name}-{file.name}")
    rewrite(other, record)
    other.with_suffix(".npz").write_bytes(file.with_suffix(".npz").read_bytes())


def test_one_task_of_a_run_of_several_is_the_same_to_the_bit(folder, capsys):
    again(folder, "run=memn2n-60-per_task", "task=2")
    assert "the same as memn2n-60-per_task-" in capsys.readouterr().out
    (file,) = (folder / "results/runs").glob("memn2n-60-per_task-*.json")
    repeated = sorted((folder / "results/repeated/runs").glob("memn2n-60-per_task-*.json"))[-1]
    then, now = records.read(file), records.read(repeated)
    assert list(then.tasks) == ["1", "2", "6"]
    assert now.tasks == {"2": then.tasks["2"]}
    with np.load(file.with_suffix(".npz")) as old, np.load(repeated.with_suffix(".npz")) as new:
        assert {name.partition("/")[0] for name in new.files} == {"2"}
        for name in new.files:
            assert old[name].tobytes() == new[name].tobytes(), name


def test_a_command_can_be_pasted_into_a_shell(folder):
    (file,) = (folder / "results/runs").glob("memn2n-60-per_task-*.json")
    assert shlex.split(records.read(file).command) == ["python", "run.py", *QUICK]


def test_a_joint_training_is_repeated_whole(folder, capsys):
    again(folder, "run=memn2n-60-joint", "task=2")
    assert "the same as memn2n-60-joint-" in capsys.readouterr().out
    repeated = sorted((folder / "results/repeated/runs").glob("memn2n-60-joint-*.json"))[-1]
    assert list(records.read(repeated).tasks) == ["1", "2"]


def test_sequences_are_repeated(tmp_path, capsys):
    made(tmp_path, "model=ntm", "task=copy", *SMALL["ntm"], *SHORT["copy"], *LITTLE, "task.epoch=24", "restarts=2",
         "trainer.max_epochs=2", "logger=none")  # fmt: skip
    again(tmp_path, "run=ntm")
    assert "the same as ntm-copy-" in capsys.readouterr().out


@pytest.mark.parametrize("dirty", [True, False, None])
def test_uncommitted_code_is_named_before_the_training(tmp_path, monkeypatch, capsys, dirty):
    monkeypatch.setattr(records, "commit_of_code", lambda results: {"commit": "0" * 40, "dirty": dirty})
    file = made(tmp_path, *QUICK, "task.ids=[1]", "trainer.max_epochs=1")
    before_it = capsys.readouterr().err.partition("memn2n on generated")[0]
    assert ("will mark this run as of uncommitted code" in before_it) is (dirty is True)
    assert records.read(file).dirty is dirty


def test_what_differs_is_named(folder):
    def change(record: dict) -> None:
        record["tasks"]["2"]["test_errors"][0] += 2.5

    tampered(folder, "changed", change)
    with pytest.raises(ValueError, match=r"NOT the same as changed.*\n  2: test_errors \[.* then, \[.* now"):
        again(folder, "run=changed", "task=2")


def test_answers_and_curves_that_differ_are_named_of_the_task_that_was_asked_for(folder):
    def change(record: dict) -> None:
        pass

    tampered(folder, "answered", change)
    (file,) = (folder / "results/runs").glob("answered-*.npz")
    arrays = dict(np.load(file))
    arrays["2/predictions"][1, 3] += 1
    arrays["2/valid_loss"][0, 0] += 1
    arrays["6/predictions"][0, 0] += 1
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match="NOT the same as answered") as caught:
        again(folder, "run=answered", "task=2")
    differ = [line.strip() for line in str(caught.value).splitlines() if line.endswith("differ")]
    assert sorted(differ) == ["2/predictions differ", "2/valid_loss differ"]


def test_a_record_that_names_code_of_its_own_is_refused_before_anything_is_imported(folder, monkeypatch):
    (folder / "mine.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(folder)
    for group in ("model", "task"):

        def change(record: dict, group: str = group) -> None:
            record["settings"][group]["_target_"] = "mine.Code"

        tampered(folder, f"foreign_{group}", change)
        with pytest.raises(ValueError, match=rf"names mine\.Code, which no yaml in conf/{group}/ registers"):
            again(folder, f"run=foreign_{group}", "task=1")
    with pytest.raises(ValueError, match="would change the run; what may be set is"):
        again(folder, "run=memn2n-60-per_task", "task=1", "model.dim=7")


def test_a_run_follows_from_the_settings_of_the_record_and_not_from_its_command(folder, capsys):
    def change(record: dict) -> None:
        record["settings"]["model"]["recipe"]["learning_rate"] = 0.5

    tampered(folder, "older", change)
    with pytest.raises(UserError, match="NOT the same as older"):
        again(folder, "run=older", "task=1")


@pytest.mark.parametrize(
    ("kernels", "arguments", "expected"),
    [
        ((None, None, None), ["task=2"], False),  # a record older than kernels
        ((False, True, False), ["task=2"], True),
        ((False, True, False), ["task=1"], False),
        ((True, True, True), [], True),
        ((False, True, False), [], "auto"),
        ((False, False, False), ["trainer.kernels=true"], True),
    ],
)
def test_kernels_run_if_they_did(folder, monkeypatch, capsys, kernels, arguments, expected):
    def change(record: dict) -> None:
        for training, was in zip(record["trainings"].values(), kernels, strict=True):
            del training["kernels"]
            training |= {} if was is None else {"kernels": was}

    tampered(folder, "programs", change)
    plans = []
    monkeypatch.setattr(repeat, "run", lambda plan: plans.append(plan) or records.find("programs", folder / "results"))
    again(folder, "run=programs", *arguments)
    assert plans[0].config["trainer"]["kernels"] == expected
    assert "NOTE" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run=memn3n"], "no record in .* begins so, or is of this experiment; did you mean 'memn2n'"),
        (["run=memn2n-60-per_task", "task=7"], "task=7: this run has the tasks 1, 2, 6"),
        (["task=2"], "run= is missing"),
        (["run=memn2n", "7"], "'7': expected name=value; zoo repeat --help"),
    ],
)
def test_a_mistake_gets_one_clear_message(folder, arguments, said):
    with pytest.raises(ValueError, match=said):
        again(folder, *arguments)
