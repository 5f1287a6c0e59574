"""Records: old ones are completed, wrong ones are refused by name, and options that are neutral change no identity."""

import copy
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.errors import UserError
from tests.records import add, as_sequences, raw, rewrite, settings_of
from tests.tiny_babi import stories, write_release
from zoo import records
from zoo.records import identity
from zoo.records.weights import Facts
from zoo.runs.plan import plan_of


@pytest.fixture
def file(tmp_path) -> Path:
    return add(tmp_path, tasks=(1, 2))


def changed(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A record with another value at a dotted path; ... takes it away."""
    record = copy.deepcopy(record)
    *above, name = path.split(".")
    place = record
    for step in above:
        place = place[int(step) if isinstance(place, list) else step]
    if value is ...:
        del place[name]
    else:
        place[int(name) if isinstance(place, list) else name] = value
    return record


# --- older records


def test_an_older_record_is_completed(file):
    old = changed(raw(file), "family", ...)
    rewrite(file, old)
    record = records.read(file)
    assert record.family == "babi"
    (part,) = record.parts
    assert (part.restarts, part.seed, part.identity) == (2, 0, record.identity)
    assert (part.command, part.commit, part.workers) == (record.command, "abc", 1)
    assert (part.trainings, part.environment) == (record.trainings, record.environment)
    assert (record.traces, record.filled, record.recall) == (None, {}, {})


def test_a_record_is_frozen(file):
    record = records.read(file)
    with pytest.raises(ValidationError):
        record.model = "another"
    with pytest.raises(ValidationError):
        record.tasks["1"].selected = 0


# --- wrong records


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("model", ..., "model: Field required"),
        ("model", 5, "model: Input should be a valid string"),
        ("model", "<b>", "model: "),
        ("identity", "0123XYZ", "identity: "),
        ("paper", "javascript:alert(1)", "paper: "),
        ("commit", "HEAD --all", "commit: "),
        ("workers", 0, "workers: "),
        ("workers", True, "workers: "),
        ("train_seconds", -1.0, "train_seconds: "),
        ("train_seconds", "30", "train_seconds: "),
        ("foo", 1, "foo: Extra inputs are not permitted"),
        ("settings", [], "settings"),
        ("settings.restarts", 0, "parts.0.restarts: "),
        ("settings.restarts", 3, "3 restarts"),
        ("settings.seed", -1, "parts.0.seed: "),
        ("settings.protocol", "both", "settings.protocol"),
        ("settings.model._target_", ..., r"settings.model._target_"),
        ("tasks", {}, "expected figures of tasks"),
        ("tasks.1.test_errors", [1.0], "expected one for each of 2 restarts"),
        ("tasks.1.test_errors", [1.0, 2.0, 3.0], "expected one for each of 2 restarts"),
        ("tasks.1.test_errors", [1.0, 101.0], r"tasks.1.test_errors.1: "),
        ("tasks.1.test_errors", [1.0, float("nan")], r"tasks.1.test_errors.1: "),
        ("tasks.1.test_errors", [1.0, "2"], r"tasks.1.test_errors.1: "),
        ("tasks.1.test_errors", 5.0, r"tasks.1.test_errors: "),
        ("tasks.1.best_epochs", [0], "expected one for each of 2 restarts"),
        ("tasks.1.best_epochs", [0, 1.5], r"tasks.1.best_epochs.1: "),
        ("tasks.1.selected", 2, "selected is 2, expected less than 2"),
        ("tasks.1.selected", -1, "tasks.1.selected: "),
        ("tasks.1.training", "9", "is not among its trainings"),
        ("trainings", {}, "it holds no training"),
        ("trainings.1.parameters", 1.5, "trainings.1.parameters: "),
        ("environment.finished", "yesterday", "environment.finished: "),
        ("environment.cores", ..., "environment.cores: Field required"),
    ],
)
def test_what_does_not_fit_is_said_with_the_name_of_the_file(file, path, value, said):
    rewrite(file, changed(raw(file), path, value))
    with pytest.raises(UserError) as caught:
        records.read(file)
    message = str(caught.value)
    assert message.startswith(f"{file} is not a record of a run (")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("tests.length=10.bits", [1.0], "expected one for each of 2 restarts"),
        ("validation.selected", 5, "selected is 5"),
        ("validation", ..., "expected figures of tasks, or of tests with validation"),
    ],
)
def test_figures_of_sequences_are_checked_too(file, path, value, said):
    as_sequences(file)
    record = raw(file)
    assert records.read(file).kind == "sequences"
    rewrite(file, changed(record, path, value))
    with pytest.raises(UserError, match=said):
        records.read(file)


def change_a_number(file: Path) -> None:
    """Change an array that stays what an array of a record is to be."""
    arrays = dict(np.load(file))
    arrays["1/valid_error"][0, 0] += 1
    np.savez_compressed(file, **arrays)


def test_a_record_of_a_later_version_is_not_guessed_at(file):
    rewrite(file, raw(file) | {"schema": 2})
    with pytest.raises(UserError, match=r"schema 2, expected 1; it was written by another version"):
        records.read(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda file: file.write_text(file.read_text().replace('"workers": 1', '"workers": 2', 1)), "checksum"),
        (lambda file: np.savez(file.with_suffix(".npz"), **{"1/valid_error": np.zeros((3, 2))}), "npz is damaged"),
        (lambda file: change_a_number(file.with_suffix(".npz")), "npz is damaged .its checksum is another one"),
    ],
    ids=["record", "arrays", "a number"],
)
def test_what_somebody_has_edited_since_is_noticed(file, change, said):
    records.arrays(records.read(file))
    change(file)
    with pytest.raises(UserError, match=said):
        records.arrays(records.read(file))


def test_runs_that_end_in_the_same_second_get_names_of_their_own(tmp_path, monkeypatch):
    store = import_module("zoo.records.store")
    now = records.environment() | {"finished": "2026-11-30T23:59:59Z"}
    monkeypatch.setattr(store, "environment", lambda: now)
    files = [add(tmp_path, tasks=(1,), shift=shift) for shift in (0.0, 1.0, 2.0)]
    assert [file.stem.rpartition("-")[2] for file in files] == ["20261130235959", "20261201000000", "20261201000001"]
    assert [records.read(file).tasks["1"].test_errors[0] for file in files] == [2.0, 3.0, 4.0]
    assert records.files(tmp_path) == files


def test_arrays_and_weights_without_a_record_are_removed_and_no_others(tmp_path):
    kept = add(tmp_path, tasks=(1,))
    title = kept.stem.rpartition("-")[0]
    assert records.weights_of(kept).exists()
    left = [
        tmp_path / "runs" / f"{title}-20000101000000.npz",
        tmp_path / "weights" / f"{title}-20000101000000.safetensors",
    ]
    others = [tmp_path / "runs/another-0123456789-20000101000000.npz", tmp_path / "weights/mine.safetensors"]
    for file in (*left, *others):
        file.touch()
    before = set(tmp_path.rglob("*"))
    records.remove_unrecorded(tmp_path, title)
    assert before - set(tmp_path.rglob("*")) == set(left)


# --- identities


def test_other_data_make_another_run(tmp_path):
    plans = {}
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        home = write_release(tmp_path / name, tasks=(1,)) / "tasks_1-20_v1-2/en"
        (home / "qa1_little-world_train.txt").write_text(stories(40, seed=seed))
        given = ["model=memn2n", "task=babi", f"data_dir={tmp_path / name}", f"cache_dir={tmp_path / 'cache'}"]
        plans[name] = plan_of([*given, f"results_dir={tmp_path / 'results'}"]).identity
    assert plans["one"] == plans["same"] != plans["other"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1), ("restarts", 3), ("max_epochs", 5), ("protocol", "joint"), ("data_sha256", "1"),
        ("experiment", "another"), ("model.dim", 21), ("model.recipe.learning_rate", 0.5), ("task.ids", [3]),
        ("accelerator", "gpu"), ("compile", True), ("kernels", False),
    ],
)  # fmt: skip
def test_what_decides_figures_decides_the_identity(name, value):
    before = settings_of("model=memn2n", "task=babi")
    assert records.identity_of(changed(before, name, value), "stories") != records.identity_of(before, "stories")


def test_where_and_how_a_run_is_made_does_not_decide_its_identity(tmp_path):
    given = ["model=memn2n", "task.source=generated", "task.size=20", "task.ids=[1,2]", f"cache_dir={tmp_path}"]
    usual = plan_of(given).identity
    free = ("logger=none", "trainer.workers=2", "trainer.checkpoint_seconds=5", "rerun=true", "task.ids=[2,1]")
    assert plan_of([*given, *free, f"results_dir={tmp_path}"]).identity == usual
    for decides in ("seed=1", "task.size=30", "trainer.max_epochs=3", "model.hops=2"):
        assert plan_of([*given, decides]).identity != usual, decides


# --- the code that a run was made with


def test_changes_that_git_does_not_know_are_recorded(tmp_path, monkeypatch):
    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        done = subprocess.run(("git", *identity, *words), cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def recorded(results: str = "results") -> dict:
        return records.commit_of_code(tmp_path / results)

    monkeypatch.setattr(import_module("zoo.records.environment"), "ROOT", tmp_path)
    assert recorded() == {"commit": None, "dirty": None}  # no git
    git("init", "-q")
    for name in ("zoo/x.py", "results/published.csv", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    clean = {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert recorded() == clean
    for name in ("results/published.csv", "results/runs.json", "README.md", "mine/runs.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("changed\n")
    assert recorded("mine") == clean  # what runs write themselves
    assert recorded() == clean | {"dirty": True}
    (tmp_path / "mine/runs.json").unlink()
    for change in (lambda: (tmp_path / "zoo/x.py").write_text("x = 2\n"), lambda: (tmp_path / "new.py").touch()):
        change()
        assert recorded() == clean | {"dirty": True}
        git("stash", "-q", "-u")
        assert recorded() == clean


# --- options that are neutral


@pytest.mark.parametrize(
    ("option", "neutral", "other"),
    [("average", False, True), ("model.recipe.average", None, 0.99), ("task.rename", False, True)],
)
def test_an_option_that_is_neutral_changes_no_identity(monkeypatch, option, neutral, other):
    monkeypatch.setattr(identity, "NEUTRAL", identity.NEUTRAL | {option: neutral})
    before = records.without_neutral(settings_of("model=memn2n", "task=babi"))

    def identity_with(value: object) -> str:
        now = changed(before, option, value)
        return records.identity_of(records.without_neutral(now), "stories")

    assert identity_with(neutral) == records.identity_of(before, "stories")
    assert identity_with(other) != identity_with(neutral)
    # the same name elsewhere is another option
    elsewhere = changed(before, "model.elsewhere", {option.rpartition(".")[2]: neutral})
    assert records.without_neutral(elsewhere) == elsewhere


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"test": {}}, "it names no errors"),
        ({"valid": {}}, "it names no errors"),
        ({"unlearned": [9999]}, "unlearned has 9999, expected numbers of words"),
        ({"sizes": [3, 4]}, "it has 3 words, expected 0"),
        ({"words": ["", "mary"]}, "it has 2 words, expected 3"),
    ],
)
def test_what_a_file_of_weights_says_of_a_network_fits_together(change, said):
    whole = {"sizes": [3, 4, 5], "words": ["", "a", "b"], "unlearned": [2], "valid": {"1": 1.0}, "test": {"1": 2.0}}
    assert Facts(**whole).words == ["", "a", "b"]
    with pytest.raises(ValueError, match=said):
        Facts(**whole | change)
