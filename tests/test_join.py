"""`zoo join`: restarts that were made in several runs, in one record."""

from pathlib import Path

import numpy as np
import pytest

from tasks.errors import UserError
from tests.records import put_weights, raw, rewrite, rows_of
from tests.runs import LITTLE, QUICK, SHORT, SMALL, again, made
from zoo import records
from zoo.commands import join, parse
from zoo.leaderboard import provenance
from zoo.records import Record, weights
from zoo.runs.plan import plan_of

pytestmark = pytest.mark.slow  # all look at runs that are made for them

STORIES = tuple(argument for argument in QUICK if not argument.startswith(("restarts=", "seed=")))
SEQUENCES = (
    "model=ntm", "task=copy", *SMALL["ntm"], *SHORT["copy"], *LITTLE, "task.epoch=24", "trainer.max_epochs=2",
    "logger=none", "trainer.workers=1",
)  # fmt: skip


def joins(*arguments: str) -> None:
    join.main(parse("join", join.GRAMMAR, list(arguments)))


def joined(folder: Path, *names: str) -> Path:
    joins(*names, f"results_dir={folder / 'results'}")
    return max((folder / "results/runs").glob("*.json"), key=lambda file: file.stat().st_mtime_ns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two runs, with the seeds 3 and 4, and 5; what they were and what they are together."""
    folder = tmp_path_factory.mktemp("join")
    files = [
        made(folder, *STORIES, "seed=5", "restarts=1"),
        made(folder, *STORIES, "seed=3", "restarts=2"),
    ]
    (folder / "parts").mkdir()
    for number, file in enumerate(reversed(files)):
        for suffix in (".json", ".npz"):
            (folder / f"parts/{number}{suffix}").write_bytes(file.with_suffix(suffix).read_bytes())
        (folder / f"parts/{number}.safetensors").write_bytes(records.weights_of(file).read_bytes())
    joined(folder, *(file.stem for file in files))
    return folder


def parts(folder: Path) -> list[tuple[Record, dict[str, np.ndarray]]]:
    whole = [records.read(file) for file in sorted((folder / "parts").glob("*.json"))]
    return [(record, records.arrays(record)) for record in whole]


@pytest.fixture
def whole(folder) -> Path:
    (file,) = (folder / "results/runs").glob("*.json")
    return file


def test_has_the_restarts_of_all_parts_in_the_order_of_their_seeds(folder, whole):
    record, ((first, _), (second, _)) = records.read(whole), parts(folder)
    assert (record.restarts, record.settings["seed"]) == (3, 3)
    for task, got in record.tasks.items():
        for name in ("valid_errors", "test_errors", "facts_found", "best_epochs"):
            assert getattr(got, name) == getattr(first.tasks[task], name) + getattr(second.tasks[task], name)
        assert got.valid_errors[got.selected] == min(got.valid_errors)
    for name, training in record.trainings.items():
        assert training.examples == first.trainings[name].examples + second.trainings[name].examples
    assert record.train_seconds == pytest.approx(first.train_seconds + second.train_seconds, abs=0.1)


def test_answers_and_curves_are_those_of_the_parts_and_give_the_errors(folder, whole):
    record, ((_, first), (_, second)) = records.read(whole), parts(folder)
    arrays = records.arrays(record)
    for task, got in record.tasks.items():
        for name, axis in (("predictions", 0), ("valid_error", 1)):
            both = np.concatenate([first[f"{task}/{name}"], second[f"{task}/{name}"]], axis)
            assert np.array_equal(arrays[f"{task}/{name}"], both)
        wrong = arrays[f"{task}/predictions"] != arrays[f"{task}/answer"]
        assert (100 * wrong.mean(1)).tolist() == pytest.approx(got.test_errors, abs=1e-3)
        shown = (first, second)[got.selected == 2][f"{task}/looks"]
        assert str(arrays[f"{task}/looks"]) == str(shown)


def test_stands_in_the_place_of_the_run_that_makes_all_restarts_at_once(folder, whole):
    plan = plan_of([*STORIES, "seed=3", "restarts=3", f"results_dir={folder / 'results'}"])
    assert plan.recorded() == [whole]
    (row,) = rows_of(folder / "results")
    assert row.record.restarts == 3
    assert row.setting == "default, model.dim=6, restarts=3, seed=3, trainer.max_epochs=4"
    assert records.read(whole).overrides == plan.labels["overrides"]


def test_its_parts_are_not_made_again_either(folder, whole):
    at = f"results_dir={folder / 'results'}"
    assert plan_of([*STORIES, "seed=5", "restarts=1", at]).recorded() == [whole]
    assert plan_of([*STORIES, "seed=5", "restarts=2", at]).recorded() == []


def test_its_weights_are_those_of_the_selected_restarts(folder, whole):
    record, (about, networks) = records.read(whole), weights.load(records.weights_of(whole))
    of_parts = [weights.load(folder / f"parts/{part}.safetensors")[1] for part in (0, 1)]
    assert about.record == whole.stem
    assert list(networks) == list(record.trainings)
    for task, of in networks.items():
        part = of_parts[record.tasks[task].selected == 2][task]
        assert of.facts.words == part.facts.words
        assert of.facts.test == {task: record.tasks[task].error}
        assert all(np.array_equal(table, part.weights[name]) for name, table in of.weights.items())


def test_is_repeated_run_by_run_to_the_bit(folder, whole, capsys):
    again(folder, f"run={whole.stem}", "task=2")
    assert f"the same as {whole.name}" in capsys.readouterr().out


def test_a_joined_record_is_joined_with_more(folder, whole, tmp_path):
    runs = tmp_path / "results/runs"
    runs.mkdir(parents=True)
    for suffix in (".json", ".npz"):
        (runs / whole.name).with_suffix(suffix).write_bytes(whole.with_suffix(suffix).read_bytes())
    more = made(tmp_path, *STORIES, "seed=6", "restarts=7")
    record = records.read(joined(tmp_path, more.stem, whole.stem))
    assert [(part.seed, part.restarts) for part in record.parts] == [(3, 2), (5, 1), (6, 7)]
    assert record.command.count("python run.py") == 3
    assert not any(override.startswith("restarts=") for override in record.overrides)  # ten are what nobody says


def copied(whole: Path, folder: Path, *changes: tuple[float, list[float]]) -> list[Path]:
    """Records of one restart each, of one task, by its best error and its validation losses."""
    files = []
    for number, (error, losses) in enumerate(changes):
        record, arrays = raw(whole), records.arrays(records.read(whole))
        (part, *_), got = record["parts"], record["tasks"]["2"]
        lists = {name: value[:1] for name, value in got.items() if isinstance(value, list)}
        record["tasks"] = {"2": got | lists | {"selected": 0, "best_epochs": [0], "valid_errors": [error]}}
        record["trainings"] = {"2": record["trainings"]["2"]}
        record["settings"] |= {"restarts": 1, "seed": 3 + number}
        record["parts"] = [part | {"restarts": 1, "seed": 3 + number, "trainings": record["trainings"]}]
        kept = {name: table for name, table in arrays.items() if name.startswith("2/")}
        curve = np.array([losses], np.float16).T
        kept |= {f"2/{name}": curve for name in records.CURVES}
        kept |= {"2/predictions": np.full_like(kept["2/predictions"][:1], number)}
        file = folder / f"runs/a-b-{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        rewrite(file, record)
        np.savez(file.with_suffix(".npz"), **kept)
        files.append(file)
    return files


@pytest.mark.parametrize(
    ("parts", "selected"),
    [
        # of equals the one of the lowest loss at its own end
        (((0.0, [0.9, 0.5]), (10.0, [0.1, 0.1, 0.1]), (0.0, [0.9, 0.9, 0.01])), 2),
        # curves that were joined before may be filled up
        (((0.0, [0.9, 0.5, np.nan]), (10.0, [0.1, 0.1, 0.1]), (0.0, [0.9, 0.9, 0.6])), 0),
        (((0.0, [np.nan, np.nan]), (0.0, [0.9, 0.9, 0.6])), 1),
    ],
)
def test_one_restart_is_selected_and_curves_that_end_early_are_filled_up(whole, tmp_path, parts, selected):
    files = copied(whole, tmp_path, *parts)
    put_weights(files[selected], {"2": {"words": np.ones(1) * selected}})  # no others are needed
    record = records.read(join.join(files))
    assert record.tasks["2"].selected == selected
    _, networks = weights.load(records.weights_of(record.file))
    assert networks["2"].weights["words"].item() == selected
    arrays = records.arrays(record)
    assert arrays["2/predictions"][:, 0].tolist() == list(range(len(parts)))
    curve = arrays["2/valid_loss"]
    assert (curve.dtype, len(curve)) == (np.float16, max(len(losses) for _, losses in parts))
    for number, (_, losses) in enumerate(parts):
        np.testing.assert_array_equal(curve[: len(losses), number], np.array(losses, np.float16))
        assert np.isnan(curve[len(losses) :, number]).all()


def test_without_the_weights_of_a_selected_restart_there_are_none(whole, tmp_path):
    files = copied(whole, tmp_path, (0.0, [0.9]), (10.0, [0.1]))
    put_weights(files[1], {"2": {"words": np.ones(1)}})
    assert not records.weights_of(join.join(files)).exists()


def test_sequences_are_joined_with_the_tape_of_the_selected_restart(tmp_path, capsys):
    files = [made(tmp_path, *SEQUENCES, f"seed={seed}", "restarts=1") for seed in (0, 1)]
    bits = [records.read(file).validation.bits[0] for file in files]
    tapes = [records.arrays(records.read(file))["length=5/outputs"] for file in files]
    whole = joined(tmp_path, *(file.stem for file in files))
    record = records.read(whole)
    assert record.validation.bits == bits
    assert record.validation.selected == bits.index(min(bits))
    assert all(len(of.bits) == 2 and of.optimal_bits is None for of in record.tests.values())
    assert np.array_equal(records.arrays(record)["length=5/outputs"], tapes[bits.index(min(bits))])
    again(tmp_path, f"run={whole.stem}")
    assert f"the same as {whole.name}" in capsys.readouterr().out


def test_one_network_for_all_tasks_is_chosen_by_its_error_on_all_of_them(tmp_path):
    joint = (*STORIES, "task=babi_joint", "task.ids=[1,2]")
    files = [made(tmp_path, *joint, f"seed={seed}", "restarts=2") for seed in (2, 0)]
    errors = []
    for file in reversed(files):
        record = records.read(file)
        curve = records.arrays(record)["joint/valid_error"]
        errors += [curve[epoch, k] for k, epoch in enumerate(record.tasks["1"].best_epochs)]
    tasks = records.read(joined(tmp_path, *(file.stem for file in files))).tasks
    assert {errors[got.selected] for got in tasks.values()} == {min(errors)}


def test_every_part_is_asked_for_its_commit(folder, tmp_path, whole):
    changed = raw(whole)
    changed["parts"][0]["commit"] = "90e"
    file = tmp_path / "runs/a.json"
    file.parent.mkdir()
    rewrite(file, changed)
    record = records.read(file)
    assert "90e" in provenance.named([record])
    assert provenance.marks(record, {"90e": provenance.GONE}) == ["code no longer in the history"]
    assert provenance.marks(record, {}) == []


def test_what_is_no_one_run_is_not_joined(whole, tmp_path):
    def copy(name: str, change) -> str:
        record = raw(whole)
        change(record)
        file = tmp_path / f"{name}-1-2.json"
        rewrite(file, record)
        file.with_suffix(".npz").write_bytes(whole.with_suffix(".npz").read_bytes())
        return str(file)

    def later(record: dict) -> None:
        record["settings"]["seed"] = 6

    same = copy("same", lambda record: None)
    wider = copy("wider", lambda record: record["settings"]["model"].update(dim=7))
    gap = copy("gap", lambda record: record["settings"].update(seed=8))
    older = copy("older", lambda record: (later(record), record["tasks"]["2"].update(facts_found=None)))
    with pytest.raises(UserError, match=r"model\.dim is 6 in same-1-2.json, and 7 in wider-1-2.json"):
        joins(same, wider)
    with pytest.raises(UserError, match=r"gap-1-2\.json has the seeds 8 to 10; expected them to begin with 6"):
        joins(same, gap)
    with pytest.raises(UserError, match=r"older-1-2\.json does not keep the same figures as same-1-2\.json"):
        joins(same, older)
    with pytest.raises(UserError, match="lie in two folders"):
        joins(same, str(whole))
    with pytest.raises(UserError, match="nothing to join it with"):
        joins(same)
    with pytest.raises(UserError, match="is named twice"):
        joins(same, same)
    assert whole.exists()
    assert len(list(tmp_path.glob("*.json"))) == 4  # nothing was removed


def test_a_part_may_have_kernels_and_another_not(whole, tmp_path):
    record = raw(whole)
    for number, wish in enumerate((True, False)):
        record["settings"] |= {"seed": 3 + 3 * number, "kernels": wish}
        file = tmp_path / f"runs/a-b-{number}.json"
        file.parent.mkdir(exist_ok=True)
        rewrite(file, record)
        file.with_suffix(".npz").write_bytes(whole.with_suffix(".npz").read_bytes())
    settings = records.read(join.join(sorted((tmp_path / "runs").glob("*.json")))).settings
    assert "kernels" not in settings
    assert settings["restarts"] == 6
