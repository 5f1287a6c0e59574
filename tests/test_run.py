"""The program as people use it: in processes of its own, on the little world, killed and mistyped."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from tasks import machine
from tasks.errors import UserError
from tasks.leases import held
from tests.configs import ROOT, config
from tests.records import add
from tests.runs import QUICK as IN_PROCESS
from tests.runs import arrays, command, environment, figures, made, run, the_record
from tests.tiny_babi import corpora_of, load_babi, write_release
from zoo import records
from zoo.families import FAMILIES
from zoo.runs import cells, entry, messages
from zoo.runs.bounds import check_networks
from zoo.runs.compose import compose_config
from zoo.runs.messages import ends_with_message
from zoo.runs.plan import plan_of
from zoo.runs.run import run as run_plan
from zoo.runs.run import show
from zoo.training.build import build
from zoo.training.train import train

# patience ends the linear starts at different epochs, and the training before its last epoch
PATIENT = ("model.recipe.linear_start_epochs=40", "model.recipe.linear_start_patience=1")
QUICK = ("model=memn2n", "task=babi", "task.ids=[1,2]", "restarts=2", "trainer.max_epochs=20", "model.dim=6", *PATIENT)


def the_record_of(file: Path) -> dict:
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("data"), train=60)


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    results = tmp_path_factory.mktemp("finished") / "results"
    # a folder named with ++ must not enter the record either
    return results, run(world, results, *QUICK, f"++cache_dir={results.parent / 'cache'}")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_has_the_threads_that_it_was_given_in_every_process(tmp_path, workers):
    file = made(tmp_path, *IN_PROCESS, "trainer.threads=3", f"trainer.workers={workers}")
    assert the_record_of(file)["environment"]["rounding"]["threads"] == "3"


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
        rounding = record["environment"]["rounding"]
        assert rounding.keys() == {"vectors", "matrices", "threads", "instructions", "kernels"}
        assert rounding["threads"] == "1"  # those of a worker
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

    def test_is_not_made_twice_unless_asked(self, world, finished, capsys):
        results, _ = finished
        before = sorted((results / "runs").iterdir())
        made(results.parent, *QUICK, f"data_dir={world}")
        said = capsys.readouterr().out
        assert "this run has been made" in said
        assert ("memn2n.py may have changed since" in said) == bool(the_record(results)["dirty"])
        assert sorted((results / "runs").iterdir()) == before

    def test_that_is_of_other_code_than_now_says_so(self, world, finished, capsys, monkeypatch):
        """A variant that somebody has edited must not show the figures of its first form without a word."""
        git, read = sys.modules["zoo.records.environment"], records.read
        monkeypatch.setattr(records, "read", lambda file: read(file).model_copy(update={"dirty": False}))
        for same in (True, False):
            monkeypatch.setattr(git, "_git", lambda *words, same=same: "" if same else "zoo/models/memn2n.py")
            made(finished[0].parent, *QUICK, f"data_dir={world}")
            assert ("memn2n.py may have changed since; rerun=true" in capsys.readouterr().out) != same

    def test_is_recorded_beside_the_first_when_made_again(self, world, tmp_path):
        for _ in range(2):
            short = ("model=memn2n", "task=babi", "restarts=1", "trainer.max_epochs=2", "trainer.workers=1")
            made(tmp_path, *short, "rerun=true", f"data_dir={world}")
        first, second = map(the_record_of, sorted((tmp_path / "results/runs").glob("*.json")))
        assert figures(first) == figures(second)

    def test_joint_training_is_tested_task_by_task(self, world, tmp_path):
        file = made(
            tmp_path, "model=gated_memn2n", "task=babi_joint", "task.ids=[1,2]", "restarts=2", "trainer.max_epochs=3",
            "logger=none", "trainer.workers=1", f"data_dir={world}",
        )  # fmt: skip
        record = records.read(file)
        assert record.protocol == "joint"
        assert list(record.trainings) == ["joint"]
        stored = records.arrays(record)
        wrong = stored["joint/predictions"] != stored["joint/answer"]
        assert list(record.tasks) == ["1", "2"]
        for task, got in record.tasks.items():  # each of its own questions
            assert (100 * wrong[:, stored["joint/task"] == int(task)].mean(1)).tolist() == pytest.approx(
                got.test_errors, abs=1e-3
            )
        assert record.tasks["1"].test_errors != record.tasks["2"].test_errors

    def test_loggers_write_without_asking(self, world, tmp_path):
        results = tmp_path / "results"
        short = ("model=memn2n", "task=babi", "restarts=1", "trainer.max_epochs=2")
        done = run(world, results, *short, "logger=[csv,tensorboard,wandb]")
        assert done.returncode == 0, done.stderr
        written = [f.name for f in (results / "logs").rglob("*") if f.is_file()]
        for expected in ("metrics.csv", "events.out", ".wandb"):
            assert any(expected in name for name in written), written


@pytest.mark.slow
def test_a_training_that_stops_goes_on_as_an_undisturbed_one(corpus, tmp_path):
    """In one process: the best epochs and the schedule, with its warm-up, are part of the checkpoint."""
    given = config(
        "model=memn2n", "restarts=2", "trainer.max_epochs=20", "model.dim=6", *PATIENT, "logger=none",
        "+model.recipe.warmup_steps=490", "+model.recipe.average=0.95", "trainer.checkpoint_seconds=0",
        "results_dir=nowhere",
    )  # fmt: skip
    given |= {"run": {"name": "stopped", "identity": "x"}}

    def until(epoch: int, folder: str) -> dict:
        def report(name: str, state: dict) -> None:
            reached.append(state["epoch"])
            if state["epoch"] == epoch:
                raise KeyboardInterrupt

        reached: list[int] = []
        try:
            return train(given, {"1": corpus}, tmp_path / folder, report)["1"] | {"reached": reached}
        except KeyboardInterrupt:
            return {"reached": reached}

    whole = until(0, "whole")
    assert min(whole["best_epoch"]) < 15  # so what was best comes from before the last stop
    for stop in (9, 16):
        assert until(stop, "stopped")["reached"][-1] == stop
    continued = until(0, "stopped")
    assert continued["reached"][0] > 1
    assert continued["best_epoch"].equal(whole["best_epoch"])
    for name, table in whole["weights"].items():
        assert continued["weights"][name].equal(table), name
    assert continued["selected"] == whole["selected"]
    for name, curve in whole["curves"].items():
        np.testing.assert_array_equal(continued["curves"][name], curve, err_msg=name)
    assert continued["predictions"]["test"].equal(whole["predictions"]["test"])


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(world, finished, tmp_path, capsys):
    results = tmp_path / "results"
    arguments = (*QUICK, "trainer.workers=2", "trainer.checkpoint_seconds=0")
    for awaited in ("2/last.ckpt", "1/figures.pt"):
        process = subprocess.Popen(
            command(world, results, *arguments), cwd=ROOT, env=environment(results), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not list((results / "unfinished").glob(f"memn2n-*/0-*/{awaited}")):
            assert process.poll() is None, f"ended before {awaited} was written"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)  # the parent alone: its workers must notice
        process.wait()
        assert not list((results / "runs").glob("*.json"))
    made(tmp_path, *arguments, f"data_dir={world}")
    assert "continued" in capsys.readouterr().err
    got, expected = figures(the_record(results)), figures(the_record(finished[0]))
    for of_this_command in ("command", "workers"):
        got.pop(of_this_command), expected.pop(of_this_command)
    assert got == expected
    stored, undisturbed = arrays(results), arrays(finished[0])
    assert stored.keys() == undisturbed.keys()
    for name in stored:
        np.testing.assert_array_equal(stored[name], undisturbed[name], err_msg=name)
    assert not list((results / "unfinished").glob("memn2n-*/"))
    curves, whole = (
        {f.parent.name: f.read_text() for f in home.rglob("metrics.csv")} for home in (results, finished[0])
    )
    assert curves == whole


def message_of(arguments: list[str]) -> str:
    """Get the message of `python run.py` for these arguments, before it begins."""
    with pytest.raises(Exception) as caught:
        plan_of(arguments)
    message = messages.message_of(caught.value, arguments)
    assert message is not None, f"a traceback: {caught.value!r}"
    return message


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
        (["+model.recipe.epochs=3"], ["the yaml sets it already; type it without the plus: model.recipe.epochs=3"]),
        (["restart=3"], ["'restart' is not an option; did you mean 'restarts'?"]),
        (["restarts=0"], ["restarts=0: expected a whole number of at least 1"]),
        (["seed=-1"], ["seed=-1: expected a whole number from 0 to"]),
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
        # a plus makes no option of a name that nobody reads
        (["+foo=1"], ["'foo' is not an option", "restarts"]),
        (["++restart=3"], ["'restart' is not an option; did you mean 'restarts'?"]),
        (["+trainer.precision=16"], ["'trainer.precision' is not an option: restarts share one table of float32"]),
        (["+trainer.worker=2"], ["'trainer.worker' is not an option; did you mean 'trainer.workers'?"]),
        (["+task.foo=1"], ["'task.foo' is not an option", "task.ids"]),
        (["+task.generator.peple=3"], ["'task.generator.peple' is not an option; did you mean", "people"]),
        (["model=ntm", "task=copy", "+task.ids=[1]"], ["'task.ids' is not an option", "task.epoch"]),
        (["+model.foo=1"], ["model.foo is not an option of GatedMemN2N"]),
        (["+logger.foo=1"], ["'logger.foo' is not an option"]),
        # several where one is expected
        (["task.ids=1,2"], ["task.ids=1,2: expected one value; for a list: task.ids=[1,2]"]),
        (["model=memn2n,lstm"], ["model=memn2n,lstm: a run has one model", "-m model=memn2n,lstm"]),
        (["model=[memn2n,lstm]"], ["a run has one model", "-m model=memn2n,lstm"]),
        (["logger=csv,wandb"], ["type logger=[csv,wandb]"]),
        # nothing, or something of another kind
        (["model=null"], ["model=null: expected one of delta_net, "]),
        (["~model"], ["~model: expected one of delta_net, "]),
        (["trainer=5"], ["trainer=5: expected one of cpu, gpu"]),
        (["logger=null"], ["logger=null: expected one of csv", "logger=none writes nowhere"]),
        (["~task.size"], ["~task.size takes away what a run needs"]),
        (["model._target_="], ["model._target_=: expected a module and a name"]),
        (["model._target_=zoo.models.none.None"], ["model._target_=zoo.models.none.None: ", "No module named"]),
        (
            ["model._target_=torch.nn.Linear"],
            ["Linear is no model; derive it from zoo.interface.MemoryNetwork"],
        ),
        (["task._target_=tasks.none.load"], ["Error loading 'tasks.none.load'"]),
        (["model.time_noise=nan"], ["model.time_noise=nan: expected a finite number"]),
        (["task.ids=[1.0]"], ["task.ids=[1.0]: expected different numbers from 1 to 20, which 1.0 is not"]),
        (["task.ids="], ["task.ids=: expected a list, as in task.ids=[1]"]),
        (["results_dir=null"], ["results_dir=null: expected a folder, as in results_dir=results"]),
        (["results_dir=5"], ["results_dir=5: expected a folder"]),
        (["results_dir="], ["results_dir=: expected a folder"]),
        (["restarts="], ["restarts=: expected a whole number"]),
        (["restarts=null"], ["restarts=null: expected a whole number"]),
        (["task.download=5"], ["task.download=5: expected bool"]),
        # no machine has room for it
        (["restarts=1000000000"], ["restarts=1000000000, ", "and this machine has"]),
        (["model.hops=100000"], ["model.hops=100000: expected a whole number from 1 to 1,000"]),
        (["model.dim=1000000000"], ["more weights than can be counted"]),
        (["model.recipe.batch_size=100000000000"], ["batch_size=100000000000", "and this machine has"]),
        (
            ["task.source=generated", "task.generator.sentences=1000000000"],
            ["sentences=1000000000", "and this machine has"],
        ),
        (["task.source=generated", "task.size=999999k"], ["task.size=999999000: that takes", "and this machine has"]),
        (
            ["model=ntm", "task=copy", "task.test=[{length: 1000000000}]"],
            ["length=1000000000", "and this machine has"],
        ),
        (["model=ntm", "task=copy", "task.valid_size=10000000000"], ["task.valid_size=", "and this machine has"]),
        (["trainer.accelerator=tpu"], ["expected cpu or gpu"]),
        (
            ["+trainer.lightning.precision=16"],
            ["'trainer.lightning.precision' is not an option: restarts share one table of float32"],
        ),
        (["trainer.lightning.profiler=simpel"], ["expected simple or advanced or pytorch; did you mean 'simple'?"]),
    ],
)
def test_a_mistake_gets_one_clear_message(tmp_path, capfd, arguments, said):
    named = {argument.partition("=")[0] for argument in arguments}
    places = [f"{name}={tmp_path}" for name in ("data_dir", "cache_dir", "results_dir") if name not in named]
    message = message_of([*arguments, *places])
    for words in said:
        assert words in message
    assert len(message.splitlines()) <= 3
    assert capfd.readouterr().err == ""  # nor does Hydra say it once more
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=gated_memn2"], "model 'gated_memn2' is not known; did you mean 'gated_memn2n'?"),
        (["+trainer.precision=16"], "'trainer.precision' is not an option"),
    ],
)
def test_a_mistake_ends_the_program_without_a_traceback(tmp_path, arguments, said):
    done = run(tmp_path, tmp_path / "results", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert "Error executing job" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert not (tmp_path / "results").exists()


def test_options_of_the_recipe_and_of_the_generator_may_be_set(tmp_path):
    arguments = ["model=memn2n", "+model.recipe.patience=20", "++task.generator.people=3", "task.source=generated"]
    config, _ = compose_config(arguments)
    assert config.model.recipe.patience == 20
    assert config.task.generator.people == 3


def test_the_options_listed_are_those_of_the_model_that_was_chosen():
    options = ["memory_size", "dim", "hops", "tying", "encoding", "time", "time_noise", "relu", "init_std"]
    for chosen in ("model=memn2n", "experiment=sukhbaatar2015_memn2n_bow_babi_1k"):
        message = message_of([chosen, "model.hopps=3"])
        assert message.endswith(f"there are: {', '.join(f'model.{name}' for name in options)}")


class TestAFolderOfData:
    def test_that_was_named_must_exist(self, tmp_path, monkeypatch):
        nowhere = tmp_path / "nowhere"
        assert message_of(["task=babi", f"data_dir={nowhere}"]).startswith(f"data_dir={nowhere}: there is no such")
        monkeypatch.setenv("ZOO_DATA", str(nowhere))
        assert message_of(["task=babi"]).startswith(f"ZOO_DATA={nowhere}: there is no such folder")

    def test_need_not_be_there_where_nothing_is_read_from_it(self, tmp_path):
        for chosen in (("task=babi", "task.source=generated", "task.size=20"), ("model=ntm", "task=copy")):
            plan_of([*chosen, f"data_dir={tmp_path / 'nowhere'}", f"cache_dir={tmp_path}"])


def test_models_are_no_longer_compiled(world, tmp_path):
    plan = plan_of(["model=memn2n", "task=babi", f"data_dir={world}", f"cache_dir={tmp_path}",
                    f"results_dir={tmp_path}", "trainer.compile=true"])  # fmt: skip
    with pytest.raises(UserError, match=r"no longer compiles models; leave trainer\.compile out"):
        run_plan(plan)


def test_memory_is_compared_with_that_of_the_machine(monkeypatch, tmp_path):
    given = ["model=memn2n", "task.source=generated", "task.size=20", f"cache_dir={tmp_path}"]
    plan_of(given)
    monkeypatch.setattr(machine, "memory", lambda: 2**10)
    assert "of memory at least, and this machine has" in message_of(given)


def test_memory_for_all_restarts_is_counted(monkeypatch, corpus):
    network = build(config("model=lstm")["model"], corpus.sizes, 0)
    weights = sum(parameter.numel() for parameter in network.parameters())
    monkeypatch.setattr(machine, "memory", lambda: 12 * weights * 100)
    check_networks(network, 2, 1)
    with pytest.raises(UserError, match=rf"restarts=1000, {weights:,} weights each"):
        check_networks(network, 1000, 1)


def test_an_interrupted_program_ends_with_130(capsys):
    with pytest.raises(SystemExit) as stop, ends_with_message([]):
        raise KeyboardInterrupt
    assert stop.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("model=memn2n,lstm -m", "OWN model=memn2n,lstm -m"),
        ("--cfg job model=lstm", "--cfg job OWN model=lstm"),
        ("model=lstm --cfg=job", "OWN model=lstm --cfg=job"),
        ("--help", "--help OWN"),
    ],
)
def test_a_conf_folder_of_ones_own_stands_beside_the_overrides(tmp_path, monkeypatch, given, expected):
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["zoo"])
    monkeypatch.setattr(entry, "_hydra", lambda: None)
    entry.main(given.split())
    said = " ".join(sys.argv[1:]).replace(f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "OWN")
    assert said == expected


def test_a_file_in_place_of_a_folder_is_one_sentence(tmp_path):
    for error in (IsADirectoryError(21, "Is a directory", "x"), FileExistsError(17, "File exists", "x")):
        assert messages.message_of(error, []) == f"x: {error.strerror}; choose another place"


def test_sigterm_ends_a_program_as_an_interrupt_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop, ends_with_message([]):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert stop.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_missing_and_damaged_data_are_named(tmp_path):
    empty, cache = tmp_path / "nowhere", f"cache_dir={tmp_path / 'cache'}"
    empty.mkdir()
    missing = message_of(["task=babi", "task.source=official", f"data_dir={empty}", cache])
    assert "task.download=true" in missing
    assert "nowhere" in missing

    folder = write_release(tmp_path / "damaged")
    file = folder / "tasks_1-20_v1-2/en/qa2_little-world_train.txt"
    file.write_text(file.read_text().replace("\n4 ", "\n5 ", 1))
    damaged = message_of(["task=babi", "task.ids=[1,2]", f"data_dir={folder}", cache])
    assert "qa2_little-world_train.txt, line 4" in damaged


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_says_so_and_one_with_a_damaged_checkpoint_begins_it_anew(world, tmp_path, capsys):
    results = tmp_path / "results"
    arguments = ("model=memn2n", "task=babi", "restarts=1", "trainer.checkpoint_seconds=0", "logger=none")
    process = subprocess.Popen(
        command(world, results, *arguments), cwd=ROOT, env=environment(results), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (found := list((results / "unfinished").glob("memn2n-*/0-*/1/last.ckpt"))):
        assert process.poll() is None, "ended before a checkpoint was written"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "stopped; the same command goes on from here" in said
    found[0].write_bytes(found[0].read_bytes()[:5000])
    made(tmp_path, *arguments, f"data_dir={world}")
    assert "last.ckpt is damaged" in capsys.readouterr().err
    assert the_record(results)["resumed"]


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_pair_that_does_not_fit(tmp_path):
    results = tmp_path / "results"
    small = ("task.epoch=64", "task.valid_size=64", "task.test_size=2", "trainer.max_epochs=1")
    done = run(tmp_path, results, "-m", "model=memn2n,lstm", "task=copy", "restarts=1", *small)
    assert done.returncode == 1
    assert "model=memn2n task=copy" in done.stderr
    assert "choose model=dnc, lstm or ntm" in done.stderr
    assert "not every run of the sweep was made" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert the_record(results)["model"] == "lstm"


@pytest.mark.slow
def test_a_run_that_never_had_a_finite_loss_leaves_no_record(world, tmp_path):
    wild = ("model=memn2n", "model.recipe.learning_rate=1e30", "model.recipe.clip=1e30", "trainer.max_epochs=2")
    with pytest.raises(UserError, match="after no epoch was the loss on validation a finite number") as caught:
        made(tmp_path, *wild, "task=babi", "restarts=2", "logger=none", "trainer.workers=1", f"data_dir={world}")
    assert "model.recipe.learning_rate=1e+30" in str(caught.value)
    assert not (tmp_path / "results/runs").exists()


def test_a_folder_that_cannot_be_written_is_named(world, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SystemExit) as stop, ends_with_message([]):
        made(file, "model=memn2n", "task=babi", f"data_dir={world}", f"cache_dir={tmp_path}")
    assert str(stop.value).startswith(f"{file}/")
    assert "results_dir=" in str(stop.value)


def test_a_run_shows_its_figures_and_the_paper_s(tmp_path, capsys):
    record = records.read(add(tmp_path, shift=3.0, restarts=1))  # all errors are 5.0, which is not failed
    show(record)
    said = " ".join(capsys.readouterr().out.split())
    assert "mean, 0 of 20 failed" in said
    assert FAMILIES["babi"].measure.name in said
    assert "mean test error, in percent: ours 5.00, published 13.9" in said


def test_what_a_command_adds_and_takes_away_stands_in_its_record():
    arguments = ["model=memn2n", "++cache_dir=elsewhere", "+model.recipe.patience=20", "~model.hops", "restarts=2"]
    _, labels = compose_config(arguments)
    assert labels["overrides"] == ["model.recipe.patience=20", "restarts=2", "~model.hops"]
    assert labels["command"] == "python run.py model=memn2n +model.recipe.patience=20 '~model.hops' restarts=2"
    _, again = compose_config(shlex.split(labels["command"])[2:])
    assert again == labels


def test_only_other_code_begins_interrupted_work_anew(world, tmp_path, monkeypatch, capsys):
    plan = plan_of([*QUICK, f"data_dir={world}", f"results_dir={tmp_path}", f"cache_dir={tmp_path / 'cache'}"])
    capsys.readouterr()
    work, was_there = cells.begin(plan)
    assert not was_there
    assert not capsys.readouterr().err  # nothing was interrupted
    (work / "1").mkdir()
    monkeypatch.setattr(records, "commit_of_code", lambda results: {"commit": "another", "dirty": True})
    assert cells.begin(plan) == (work, True)
    monkeypatch.setattr(cells, "_fingerprint", lambda *targets: "another, as of other code")
    with held(work / "1"), pytest.raises(cells.BeingMade, match="other code, or other versions of libraries, make"):
        cells.begin(plan)  # two codes never work on one run
    assert (work / "1").exists()
    other, was_there = cells.begin(plan)
    assert not was_there
    assert "the code, or a version of a library, has changed" in capsys.readouterr().err
    assert not work.exists()
    assert [found.name for found in work.parent.iterdir()] == [other.name]


def test_a_record_says_where_its_cells_were_made_if_machines_differ():
    one = {"processor": "A", "gpu": None, "rounding": {"vectors": "AVX2", "threads": "1"}}
    other = {"processor": "B", "gpu": None, "rounding": {"vectors": "AVX512", "threads": "1"}}
    assert cells._environment([one, one]) == one
    assert cells._environment([one, other]) == {
        "processor": "A and B", "gpu": None, "rounding": {"vectors": "several", "threads": "1"},
    }  # fmt: skip
    assert cells._environment([]) == {}


def test_a_results_dir_that_takes_no_files_is_named_before_anything_is_trained(tmp_path, monkeypatch):
    quick = (*QUICK[:3], "task.source=generated", "task.size=50", f"cache_dir={tmp_path / 'cache'}")
    plan = plan_of([*quick, "results_dir=later"])
    monkeypatch.setattr("zoo.runs.run.train_all", lambda *given: pytest.fail("it was trained"))

    def said(home: Path) -> str:
        with pytest.raises(SystemExit) as stop, ends_with_message([]):
            run_plan(plan._replace(config=plan.config | {"results_dir": str(home)}))
        return str(stop.value)

    where = "results_dir=, data_dir= and cache_dir= say where things lie"
    (tmp_path / "a file").touch()
    assert said(tmp_path / "a file/results").endswith(f": Not a directory; {where}")
    assert said(Path("/proc/zoo")) == f"/proc/zoo/unfinished: no file can be made here; {where}"
    for refusal in (errno.EROFS, errno.EACCES, errno.ENOSPC):  # root may write where modes forbid it

        def refuse(*given: object, refusal: int = refusal, **also: object) -> None:
            raise OSError(refusal, os.strerror(refusal), str(also["dir"]))

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        home = tmp_path / "results"
        assert said(home).startswith(f"{home}/unfinished/{plan.title}-{plan.identity}")
        assert said(home).endswith(f": {os.strerror(refusal)}; {where}")


@pytest.mark.slow
def test_help_lists_what_there_is_and_loads_no_torch(tmp_path):
    shown = subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    for name in ("gated_memn2n", "babi_joint", "sukhbaatar2015_memn2n_babi_1k", "zoo leaderboard"):
        assert name in shown.stdout
    check = (
        "import sys; sys.argv=['run.py','--help']; import runpy\ntry: runpy.run_path('run.py', run_name='__main__')\n"
    )
    check += "except SystemExit: pass\nfinally: print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.strip().endswith("False")
