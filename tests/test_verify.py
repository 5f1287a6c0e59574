"""`zoo verify`: records that agree with their predictions, and records that somebody has changed."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import UserError
from tests.configs import ROOT
from tests.records import raw, rewrite
from tests.runs import QUICK, made
from zoo import records
from zoo.commands import parse, verify
from zoo.leaderboard.generate import write
from zoo.records import weights

pytestmark = pytest.mark.slow  # all look at a run that is made for them


def verifies(results: Path, *arguments: str) -> None:
    verify.main(parse("verify", verify.GRAMMAR, [f"results_dir={results}", *arguments]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Hold the results of a run of three tasks, with their leaderboard."""
    folder = tmp_path_factory.mktemp("verify")
    made(folder, *QUICK)
    write(folder / "results")
    return folder / "results"


@pytest.fixture
def results(whole, tmp_path) -> Path:
    """Hold a copy that may be changed."""
    shutil.copytree(whole, tmp_path / "results")
    return tmp_path / "results"


def test_a_record_agrees_with_itself_and_with_the_run_made_again(results, tmp_path, capsys):
    verifies(results, "cells=1", f"cache_dir={tmp_path / 'cache'}")
    said = capsys.readouterr()
    assert "1 of 1 records agree with their predictions" in said.err
    assert "verified: 1 records, 1 cells repeated" in said.out
    assert said.out.strip().endswith(": to the bit")
    (row,) = (results / "verified.csv").read_text().splitlines()[1:]
    assert row.startswith("memn2n-60-per_task-")


def changed_errors(record: dict, arrays: dict) -> None:
    record["tasks"]["2"]["test_errors"][1] -= 2.5


def changed_predictions(record: dict, arrays: dict) -> None:
    arrays["2/predictions"][1, 0] = arrays["2/predictions"][1].max() + 1
    arrays["2/predictions"][1, 1] = arrays["2/answer"][1]
    arrays["2/predictions"][1, 2] = arrays["2/answer"][2]


def changed_selection(record: dict, arrays: dict) -> None:
    valid = record["tasks"]["2"]["valid_errors"]
    valid[:] = [valid[0], valid[0]]
    for task in record["tasks"].values():
        best = task["valid_errors"]
        task["selected"] = best.index(max(best))


def changed_epoch(record: dict, arrays: dict) -> None:
    curve = arrays["1/valid_error"][:, 0]
    record["tasks"]["1"]["best_epochs"][0] = int(np.argmax(curve))
    arrays["1/valid_error"][int(np.argmax(curve)), 0] += 5


def changed_settings(record: dict, arrays: dict) -> None:
    record["settings"]["model"]["dim"] = 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed_errors, r"task 2: the recorded errors \[.*\] do not follow from its predictions, \["),
        (changed_predictions, r"task 2: the recorded errors \[.*\] do not follow from its predictions, \["),
        (changed_selection, r"task \d: restart \d was selected, and is not the best on validation"),
        (changed_epoch, r"task 1: validation errors \[.*\] are not those of its best epochs, \["),
        (changed_settings, "its identity does not follow from its settings"),
    ],
)
def test_what_somebody_has_changed_is_named(results, change, said):
    (file,) = records.files(results)
    record, arrays = raw(file), dict(np.load(file.with_suffix(".npz")))
    change(record, arrays)
    np.savez(file.with_suffix(".npz"), **arrays)
    rewrite(file, record)  # without checksums, as whoever forges a record would
    with pytest.raises(UserError, match=said):
        verifies(results, "cells=0")


def test_a_leaderboard_that_does_not_follow_from_the_records_is_named(results):
    with (results / "leaderboard.csv").open("a") as file:
        file.write("one more line\n")
    with pytest.raises(UserError, match=r"leaderboard\.csv does not follow from the records"):
        verifies(results, "cells=0")


def test_a_folder_without_records_is_named_and_stays_as_it_was(tmp_path):
    with pytest.raises(UserError, match="expected a folder with records"):
        verifies(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_an_option_that_would_change_the_runs_ends_it_before_anything_is_verified(results):
    with pytest.raises(UserError, match="'run=memn2n' would change the run"):
        verifies(results, "cells=0", "run=memn2n")
    assert not (results / "verified.csv").exists()


def test_weights_are_compared_with_the_record_and_not_with_themselves(results, tmp_path):
    (file,) = (results / "weights").iterdir()
    about, trained = weights.load(file)
    for of in trained.values():
        for table in of.weights.values():
            table[:] = 0
    said = {name: facts.model_copy(update={"test": {name: 99.0}}) for name, facts in about.trainings.items()}
    weights.save(file, about.model_copy(update={"trainings": said}), trained)
    with pytest.raises(UserError, match=r"1: \d+\.\d+ in the record, \d+\.\d+ by the weights"):
        verifies(results, "cells=0", f"cache_dir={tmp_path / 'cache'}")
    assert "memn2n-60" not in (results / "verified.csv").read_text()


def test_a_cell_that_cannot_be_repeated_hides_no_other_fault(results, monkeypatch):
    def fails(*given):
        raise UserError("the data are not here")

    monkeypatch.setattr(verify, "repeat", fails)
    (results / "runs" / "damaged-1k-per_task-0123456789-20260101000000.json").write_text("{}")
    with pytest.raises(UserError, match=r"(?s)damaged-1k.*cannot be repeated: the data are not here"):
        verifies(results, "cells=1")


def test_the_worst_of_several_cells_of_a_record_stands(results, monkeypatch):
    said = iter([["1: test_errors [0.0, 0.0] then, [90.0, 90.0] now"], [], []])
    monkeypatch.setattr(verify, "repeat", lambda *given: (None, next(said)))
    with pytest.raises(UserError, match="1 wrong"):
        verifies(results, "cells=3")
    assert ",no," in (results / "verified.csv").read_text()


@pytest.mark.parametrize(
    ("difference", "is_serious"),
    [
        ("2: test_errors [1.0, 2.0] then, [3.0, 3.5] now", False),
        ("2: test_errors [1.0, 2.0] then, [4.0, 4.5] now", True),
        ("length=20: bits [0.1, 0.2] then, [400.0, 380.0] now", True),
        ("1/predictions differ", False),
    ],
)
def test_more_than_two_points_or_bits_are_serious(difference, is_serious):
    assert verify._is_serious(difference) == is_serious


def test_a_run_whose_trainings_are_shared_is_drawn_once():
    joint = [record for record in records.readable(ROOT / "results").values() if record.protocol == "joint"][:3]
    assert len(verify.drawn(joint, 100, 0)) == 3
