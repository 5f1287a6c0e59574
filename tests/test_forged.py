"""`zoo verify`: a record that was forged is found, however much of it was forged with it."""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import UserError
from tests.records import raw
from tests.runs import QUICK, made
from zoo import records
from zoo.commands import parse, verify
from zoo.leaderboard.generate import write
from zoo.leaderboard.provenance import read_verified
from zoo.records.record import sealed

pytestmark = pytest.mark.slow  # all look at a run that is made for them


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    made(folder, *QUICK, "task.ids=[1]")
    write(folder / "results")
    return folder


@pytest.fixture
def results(run, tmp_path) -> Path:
    shutil.copytree(run / "results", tmp_path / "results")
    return tmp_path / "results"


def check(results: Path, cells: int = 0) -> None:
    given = [f"results_dir={results}", f"cells={cells}", f"cache_dir={results.parent / 'cache'}"]
    verify.main(parse("verify", verify.GRAMMAR, given))


def forge(results: Path, of_record=lambda record: None, of_arrays=lambda arrays: None) -> Path:
    """Change a record and its arrays, and seal them anew with right checksums, and make the leaderboard of them."""
    (file,) = (results / "runs").glob("*.json")
    record, stream = raw(file), io.BytesIO()
    with np.load(file.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    of_record(record)
    of_arrays(arrays)
    np.savez_compressed(stream, **arrays)
    file.with_suffix(".npz").write_bytes(stream.getvalue())
    file.write_text(records.dump(sealed(record, stream.getvalue())))
    write(results)
    return file


def test_a_run_is_verified_and_a_cell_made_again_to_the_bit(results, capsys):
    check(results, cells=1)
    assert "verified: 1 records, 1 cells repeated" in capsys.readouterr().out
    ((name, row),) = read_verified(results).items()
    assert row["repeated"] == "to the bit"
    assert f'"{name}":"{row["verified"]}; made again' in (results / "leaderboard.html").read_text()
    check(results)  # what was verified is no fault of the next time


def test_an_error_that_was_changed_is_found(results):
    file = forge(results, lambda record: record["tasks"]["1"].update(test_errors=[0.0, 0.0]))
    with pytest.raises(UserError, match=rf"{file.stem}: task 1: the recorded errors \[0\.0, 0\.0\] do not follow"):
        check(results)


def test_a_changed_digit_is_found_by_its_checksum(results):
    (file,) = (results / "runs").glob("*.json")
    file.write_text(file.read_text().replace('"restarts": 2', '"restarts": 1', 1))
    with pytest.raises(UserError, match=file.name):
        check(results)


def test_predictions_that_were_changed_with_it_are_found_by_making_the_cell_again(results):
    def perfect(arrays):
        arrays["1/predictions"] = np.repeat(arrays["1/answer"][None], 2, axis=0)

    file = forge(results, lambda record: record["tasks"]["1"].update(test_errors=[0.0, 0.0]), perfect)
    with pytest.raises(UserError, match=rf"{file.stem}: 1: test_errors \[0\.0, 0\.0\] then"):
        check(results, cells=1)


def test_they_are_found_on_a_machine_that_rounds_otherwise_too(results, tmp_path):
    def perfect(arrays):
        arrays["1/predictions"] = np.repeat(arrays["1/answer"][None], 2, axis=0)

    def forged(record):
        record["tasks"]["1"].update(test_errors=[0.0, 0.0])
        record["environment"]["processor"] = "another"

    file = forge(results, forged, perfect)
    with pytest.raises(UserError, match=rf"{file.stem}: 1: test_errors .* \(more than 2 points\)"):
        check(results, cells=1)
    ((_, row),) = read_verified(results).items()
    assert row["repeated"] == "no"


def test_a_record_with_a_fault_is_not_noted_as_verified(results):
    forge(results, lambda record: record["tasks"]["1"].update(test_errors=[0.0, 0.0]))
    with pytest.raises(UserError):
        check(results)
    assert not read_verified(results)


def test_a_record_under_the_name_of_another_run_is_found(results):
    for file in (results / "runs").iterdir():
        *title, _, moment = file.name.split("-")
        file.rename(file.with_name("-".join([*title, "0123456789", moment])))
    write(results)
    with pytest.raises(UserError, match="its name has another identity"):
        check(results)


def test_cells_are_drawn_by_the_seed_that_whoever_verifies_types(results):
    (file,) = (results / "runs").glob("*.json")
    for number in range(12):  # as if they were runs of their own
        shutil.copy(file, file.with_name(f"{file.stem[:-14]}{20200101000000 + number}.json"))
    whole = [records.read(file) for file in records.files(results)]

    def names(seed: int) -> list[str]:
        return [record.name for record, _ in verify.drawn(whole, 3, seed)]

    assert len(set(names(0))) == 3
    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(5)}) == 5
    assert {name for seed in range(40) for name in names(seed)} == {record.name for record in whole}


def test_few_predictions_that_were_changed_are_found_where_rounding_agrees(results):
    """Less than the tolerance between machines, and yet no rounding: this machine has made the record."""

    def better(arrays):
        k = next(k for k in (0, 1) if (arrays["1/predictions"][k] != arrays["1/answer"]).any())
        wrong = np.flatnonzero(arrays["1/predictions"][k] != arrays["1/answer"])[0]
        arrays["1/predictions"][k, wrong] = arrays["1/answer"][wrong]
        better.errors = [round(float(e), 4) for e in 100 * (arrays["1/predictions"] != arrays["1/answer"]).mean(1)]

    forge(results, of_arrays=better)
    forge(results, lambda record: record["tasks"]["1"].update(test_errors=better.errors))
    with pytest.raises(UserError, match="on a machine that rounds alike"):
        check(results, cells=1)


@pytest.mark.parametrize("name", ["vectors", "matrices", "threads", "instructions", "kernels", "processor", "torch"])
def test_a_machine_rounds_alike_only_if_all_that_decides_it_agrees(results, name):
    def another(record):
        environment = record["environment"]
        if name == "processor":
            environment[name] = "another"
        else:
            environment["versions" if name == "torch" else "rounding"][name] = "another"

    (file,) = (results / "runs").glob("*.json")
    assert verify.rounds_alike(records.read(file))
    assert not verify.rounds_alike(records.read(forge(results, another)))
    older = forge(results, lambda record: record["environment"].pop("rounding"))
    assert not verify.rounds_alike(records.read(older))


def test_another_restart_than_validation_selects_is_found(results):
    def other(record):
        got = record["tasks"]["1"]
        got["selected"] = 1 - got["selected"]

    (file,) = (results / "runs").glob("*.json")
    record = records.read(file)
    errors = record.tasks["1"].valid_errors
    forge(results, other)
    said = "was selected, and is not the best on validation" if errors[0] != errors[1] else "loss"
    with pytest.raises(UserError, match=said):
        check(results)


def test_a_setting_that_was_changed_is_found(results):
    forge(results, lambda record: record["settings"]["model"].update(dim=7))
    with pytest.raises(UserError, match="its identity does not follow from its settings"):
        check(results)


def test_answers_that_are_not_those_of_the_data_are_found(results):
    """Errors, predictions and answers forged together: the answers of the test are no secret."""

    def easy(arrays):
        arrays["1/answer"] = arrays["1/predictions"][0].copy()
        arrays["1/predictions"] = np.repeat(arrays["1/answer"][None], 2, axis=0)

    forge(results, lambda record: record["tasks"]["1"].update(test_errors=[0.0, 0.0]), easy)
    with pytest.raises(UserError, match=r"test_errors \[0\.0, 0\.0\] then"):
        check(results, cells=1)


def test_a_page_that_was_changed_is_found(results):
    page = results / "leaderboard.md"
    page.write_text(page.read_text().replace("memn2n", "mine"))
    with pytest.raises(UserError, match=r"leaderboard\.md does not follow from the records"):
        check(results)


def test_an_edit_of_the_arrays_alone_is_found(results):
    (file,) = (results / "runs").glob("*.npz")
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["1/predictions"][0, 0] += 1
    np.savez_compressed(file, **arrays)
    assert hashlib.sha256(file.read_bytes()).hexdigest() != before
    with pytest.raises(UserError, match="its checksum is another one"):
        check(results)
