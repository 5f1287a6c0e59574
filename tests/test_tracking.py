"""Trackers: a run of wandb or a folder of TensorBoard for each run, whatever its workers and its interruptions."""

import json
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.errors import UserError
from tests.runs import QUICK, made, run
from zoo import records
from zoo.commands import campaign, parse
from zoo.families.board import valid_error
from zoo.runs import entry, tracking
from zoo.runs.compose import compose_config

ONE = (*QUICK, "task.ids=[1]", "trainer.checkpoint_seconds=0")
CURVES = {"training_loss", "validation_loss", "validation_error", "validation_error_lowest"}


# --- wandb, as it writes to the disk


def transactions(file: Path):
    """Read the log of an offline run: records in blocks of 32 KiB, each behind a checksum, a length and a kind."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if (room := 32768 - place % 32768) < 7:
            place += room
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(whole)
            whole = b""


def values(items) -> dict:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@pytest.mark.slow
def test_a_run_of_two_workers_is_one_offline_run_of_wandb(tmp_path):
    results = tmp_path / "results"
    own = ("task.ids=[1,6]", "trainer.workers=2", "logger=wandb", "logger.project=zoology", "logger.entity=someone")
    done = run(tmp_path, results, *QUICK, *own, "task.source=generated")
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr and "deprecated" not in done.stderr and "wandb" not in done.stderr, done.stderr
    (folder,) = (results / "logs/wandb").glob("offline-run-*")
    assert f"wandb sync {folder}" in done.stdout
    (file,) = folder.glob("*.wandb")
    told = list(transactions(file))

    (record,) = map(records.read, records.files(results))
    (begun,) = (one.run for one in told if one.WhichOneof("record_type") == "run")
    assert (begun.project, begun.entity) == ("zoology", "someone")
    assert begun.display_name == f"memn2n-60-per_task-{record.identity}"
    assert list(begun.tags) == ["memn2n", "babi", "60", "per_task", "generated"]
    config = values(begun.config.update)
    assert config["model"]["dim"] == 6 and config["task"]["ids"] == [1, 6]
    assert config["run"]["identity"] == record.identity

    defined = [one.metric for one in told if one.WhichOneof("record_type") == "metric"]
    assert {(one.glob_name, one.step_metric) for one in defined if one.glob_name} == {
        ("task_1/*", "task_1/epoch"), ("task_6/*", "task_6/epoch"),
    }  # fmt: skip

    points = [values(one.history.item) for one in told if one.WhichOneof("record_type") == "history"]
    arrays = records.arrays(record)
    for task in ("1", "6"):
        of_task = [point for point in points if f"task_{task}/epoch" in point]
        assert [point[f"task_{task}/epoch"] for point in of_task] == [1, 2, 3, 4]
        curve = arrays[f"{task}/valid_error"]
        for point, errors in zip(of_task, curve, strict=True):
            assert {name.split("/")[1] for name in point if name.startswith(f"task_{task}/")} == CURVES | {"epoch"}
            assert point[f"task_{task}/validation_error"] == pytest.approx(float(errors.mean()), rel=1e-3)
            assert point[f"task_{task}/validation_error_lowest"] == pytest.approx(float(errors.min()), rel=1e-3)

    summary: dict = {}
    for one in told:
        if one.WhichOneof("record_type") == "summary":
            summary |= values(one.summary.update)
    errors = [got.error for got in record.tasks.values()]
    assert summary["mean_validation_error"] == pytest.approx(valid_error(record))
    assert summary["mean_test_error"] == pytest.approx(sum(errors) / 2)
    assert summary["failed_tasks"] == sum(error > 5 for error in errors)
    assert not any("test_error" in name for point in points for name in point)  # once, at the end

    (table,) = (folder / "files/media/table").glob("restarts*.json")
    shown = json.loads(table.read_text())
    assert shown["columns"] == ["task", "restart", "selected", "epoch", "validation_error", "test_error"]
    assert shown["data"] == [
        [f"Task {task}", k, k == got.selected, got.best_epochs[k] + 1, got.valid_errors[k], got.test_errors[k]]
        for task, got in record.tasks.items()
        for k in range(2)
    ]
    kept = {one.artifact.type: one.artifact for one in told if one.WhichOneof("record_type") == "artifact"}
    assert sorted(entry.path for entry in kept["record"].manifest.contents) == sorted(
        f"{record.name}{suffix}" for suffix in (".json", ".npz", ".safetensors")
    )


# --- wandb, as another module plays it


class FakeRun:
    """A run at the server: what is told of one id is kept over attempts."""

    def __init__(self, server: dict, given: dict) -> None:
        of_id = server.setdefault(given["id"], {"points": [], "summary": {}, "exits": [], "files": []})
        self.kept, self.summary, self.url = of_id, of_id["summary"], "address"
        self.dir = f"{given['dir']}/wandb/offline-run-20261121_101010-{given['id']}/files"
        if given["mode"] == "offline":
            Path(self.dir).mkdir(parents=True)
            of_id |= {"points": [], "summary": {}}
            self.summary = of_id["summary"]

    def define_metric(self, name: str, **_: object) -> None:
        pass

    def log(self, point: dict) -> None:
        self.kept["points"].append(point)
        self.summary.update(point)

    def log_artifact(self, artifact: SimpleNamespace) -> None:
        self.kept["files"] += artifact.files

    def finish(self, exit_code: int) -> None:
        self.kept["exits"].append(exit_code)


class FakeArtifact(SimpleNamespace):
    def __init__(self, name: str, type: str) -> None:
        super().__init__(name=name, type=type, files=[])

    def add_file(self, file: str, policy: str) -> None:
        assert Path(file).exists()
        self.files.append(Path(file).suffix)


@pytest.fixture
def server(monkeypatch) -> dict:
    """Put a module that plays wandb in its place; return what the server has, by id, and all calls of init."""
    kept: dict = {"begun": []}

    def init(**given: object) -> FakeRun:
        kept["begun"].append(given)
        return FakeRun(kept, given)

    module = SimpleNamespace(
        init=init, setup=lambda settings: None, login=lambda prompt, verify: False, Artifact=FakeArtifact,
        Settings=SimpleNamespace, Table=SimpleNamespace, errors=SimpleNamespace(Error=ConnectionError),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return kept


def stop_at(epoch: int, monkeypatch, tracker: type[tracking.Tracker]) -> None:
    """Interrupt runs when an epoch of theirs is told."""
    tell = tracker.tell

    def stop(tracker: tracking.Tracker, training: str, number: int, told: dict) -> None:
        tell(tracker, training, number, told)
        if number == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(tracker, "tell", stop)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_that_goes_on_goes_on_in_the_same_run_of_wandb(tmp_path, server, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    with monkeypatch.context() as during:
        stop_at(2, during, tracking.Wandb)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, *ONE, "logger=wandb")
    made(tmp_path, *ONE, "logger=wandb")
    first, second = server["begun"]
    assert first["id"] == second["id"]
    assert second["resume"] == ("allow" if mode == "online" else None)
    kept = server[first["id"]]
    epochs = [point["task_1/epoch"] for point in kept["points"] if "task_1/epoch" in point]
    assert epochs == [1, 2, 3, 4]  # each once
    assert kept["exits"] == [1, 0]
    assert {"mean_validation_error", "mean_test_error", "failed_tasks"} <= kept["summary"].keys()
    assert kept["files"] == [".json", ".npz", ".safetensors"]
    folders = list((tmp_path / "results/logs").glob("wandb/offline-run-*"))
    assert len(folders) == (1 if mode == "offline" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["run", "campaign"])
def test_a_run_that_was_killed_behind_its_record_tells_its_end(tmp_path, server, monkeypatch, by):
    with monkeypatch.context() as during:
        during.setattr(tracking.Tracking, "end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, *ONE, "logger=wandb")
    if by == "run":
        made(tmp_path, *ONE, "logger=wandb")  # which has been made
    else:
        (tmp_path / "list.yaml").write_text(f"runs: ['{' '.join(ONE)}']\n")
        folders = [f"results_dir={tmp_path / 'results'}", f"cache_dir={tmp_path / 'cache'}"]
        words = [str(tmp_path / "list.yaml"), "logger=wandb", *folders]
        campaign.main(parse("campaign", campaign.GRAMMAR, words))
    (file,) = (tmp_path / "results/runs").glob("*.json")
    record = records.read(file)
    (kept,) = (server[given["id"]] for given in server["begun"][:1])
    assert len({given["id"] for given in server["begun"]}) == 1
    assert kept["exits"] == [1, 0]
    assert kept["summary"]["mean_validation_error"] == valid_error(record)
    assert [point["task_1/epoch"] for point in kept["points"] if "task_1/epoch" in point] == [1, 2, 3, 4]
    assert not list((tmp_path / "results/unfinished").iterdir())


@pytest.mark.slow
def test_a_run_that_is_made_again_is_another_run_of_wandb_and_a_record_knows_none_of_them(tmp_path, server):
    bare = records.read(made(tmp_path, *ONE))
    for _ in range(2):
        last = made(tmp_path, *ONE, "logger=wandb", "logger.entity=someone", "rerun=true")
    record = records.read(last)
    assert len({given["id"] for given in server["begun"]}) == 2
    assert len(list((tmp_path / "results/logs").glob("wandb/offline-run-*"))) == 2
    assert (record.identity, record.overrides, record.tasks) == (bare.identity, bare.overrides, bare.tasks)
    assert "someone" not in last.read_text()


def test_what_wandb_refuses_is_one_sentence(tmp_path, server, monkeypatch):
    def refuse(**_: object) -> None:
        raise ConnectionError("no such project\nand more")

    monkeypatch.setattr(sys.modules["wandb"], "init", refuse)
    with pytest.raises(UserError, match=r"^wandb: no such project; WANDB_MODE=offline writes to .*logs/wandb alone$"):
        made(tmp_path, *ONE, "logger=wandb")


def test_several_trackers_stand_beside_a_logger():
    config, _ = compose_config(["model=memn2n", "task=babi", "task.source=generated", "logger=[csv,tensorboard,wandb]"])
    assert list(config.logger.targets) == ["csv"]
    assert list(config.logger.trackers) == ["tensorboard", "wandb"]


# --- TensorBoard


@pytest.mark.slow
def test_tensorboard_has_one_folder_with_curves_and_the_result(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    arguments = (*ONE, "task.ids=[1,6]", "logger=tensorboard")
    with monkeypatch.context() as during:
        stop_at(2, during, tracking.TensorBoard)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, *arguments)
    record = records.read(made(tmp_path, *arguments))
    (file,) = (tmp_path / "results/logs").rglob("events.out.tfevents.*")
    assert file.parent.name == f"{record.title}-{record.identity}"
    events = EventAccumulator(str(file.parent)).Reload()
    assert {tag for tag in events.Tags()["scalars"] if tag.startswith("task_")} == {
        f"task_{task}/{curve}" for task in (1, 6) for curve in CURVES
    }
    for task in ("1", "6"):
        points = events.Scalars(f"task_{task}/validation_error")
        assert [point.step for point in points] == [1, 2, 3, 4]
        means = records.arrays(record)[f"{task}/valid_error"].mean(1)
        assert [point.value for point in points] == pytest.approx(means.tolist(), rel=1e-3)
    (point,) = events.Scalars("summary/mean_validation_error")
    assert point.value == pytest.approx(valid_error(record))
    hparams = events.PluginTagToContent("hparams")
    begun = HParamsPluginData.FromString(hparams["_hparams_/session_start_info"]).session_start_info.hparams
    assert begun["model.dim"].number_value == 6
    assert begun["task.ids"].string_value == "[1, 6]"
    named = HParamsPluginData.FromString(hparams["_hparams_/experiment"]).experiment.metric_infos
    assert {one.name.tag for one in named} == {
        "summary/mean_validation_error", "summary/mean_test_error", "summary/failed_tasks",
    }  # fmt: skip
    (text,) = events.Tensors("restarts/text_summary")
    table = text.tensor_proto.string_val[0].decode().splitlines()
    assert table[0] == "| task | restart | selected | epoch | validation_error | test_error |"
    assert len(table) == 2 + 4


# --- all of them


@pytest.mark.slow
def test_curves_of_a_program_of_several_tasks_are_told_apart(tmp_path, server):
    together = ("model=entnet", "task.ids=[1,6]", "trainer.together=20", "trainer.max_epochs=2", "logger=wandb")
    record = records.read(made(tmp_path, *QUICK, *together))
    assert record.settings["together"] == [["1", "6"]]
    (given,) = server["begun"]
    points = server[given["id"]]["points"]
    for task in ("1", "6"):
        means = [point[f"task_{task}/validation_error"] for point in points if f"task_{task}/epoch" in point]
        assert means == pytest.approx(records.arrays(record)[f"{task}/valid_error"].mean(1).tolist(), rel=1e-3)


def test_restarts_that_have_diverged_are_left_out_of_a_mean():
    assert tracking._mean([1.0, float("nan"), float("inf"), 3.0]) == 2.0


@pytest.mark.slow
def test_sequences_are_told_in_bits(tmp_path, server):
    small = ("task.train.length=[1,4]", "task.test=[{length:5}]", "task.valid_size=40", "task.test_size=6")
    record = records.read(
        made(
            tmp_path, "model=lstm", "task=copy", *small, "task.epoch=64", "model.dim=12", "restarts=2",
            "trainer.max_epochs=2", "trainer.workers=1", "logger=wandb",
        )
    )  # fmt: skip
    (given,) = server["begun"]
    assert given["tags"] == ["lstm", "copy", "algorithmic", "fresh", "generated"]
    kept = server[given["id"]]
    assert kept["summary"]["validation_bits"] == valid_error(record)
    assert kept["summary"]["test_bits/length=5"] == record.tests["length=5"].bits[record.validated.selected]
    assert "copy/validation_bits" in kept["points"][0]


# --- searching


@pytest.mark.slow
def test_a_sweeper_is_given_the_error_on_validation(tmp_path, monkeypatch):
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from hydra.plugins.sweeper import Sweeper

    returned = []

    class Stub(Sweeper):
        def setup(self, *, hydra_context, task_function, config) -> None:
            self.launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=task_function, config=config
            )

        def sweep(self, arguments: list[str]) -> None:
            trials = [(*arguments, f"model.dim={dim}") for dim in (4, 6)]
            returned.extend(job.return_value for job in self.launcher.launch(trials, initial_job_idx=0))

    plugins = Plugins.instance()  # found before the package is another one
    module = "hydra_plugins.stub"  # Hydra takes plugins from this package alone
    Stub.__module__, Stub.__qualname__ = module, "Stub"
    monkeypatch.setitem(sys.modules, "hydra_plugins", SimpleNamespace(stub=SimpleNamespace(Stub=Stub)))
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(Stub=Stub))
    plugins.register(Stub)
    ConfigStore.instance().store(group="hydra/sweeper", name="stub", node={"_target_": f"{module}.Stub"})
    monkeypatch.setattr(sys, "argv", ["run.py"])
    folders = (f"results_dir={tmp_path / 'results'}", f"cache_dir={tmp_path / 'cache'}")
    arguments = [one for one in ONE if not one.startswith("model.dim")]
    entry.main(["-m", "hydra/sweeper=stub", *arguments, "task.ids=[1,6]", *folders])
    found = {record.settings["model"]["dim"]: record for record in records.readable(tmp_path / "results").values()}
    assert returned == [valid_error(found[4]), valid_error(found[6])]
