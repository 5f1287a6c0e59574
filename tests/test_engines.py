"""Engines: chosen by name, refused with a sentence, one file and one yaml each; and what their workers do."""

import sys
import threading
from importlib import import_module

import pytest
import torch

from tasks import leases
from tasks.errors import UserError
from tests.cluster.lists import RUNS, SmallList
from zoo import records
from zoo.commands import campaign, parse
from zoo.engines.choose import engine_of
from zoo.engines.local import Local
from zoo.runs import cells, listed
from zoo.runs.listed import Listed, cells_of, drain, look, make, state_of
from zoo.runs.plan import plan_of
from zoo.runs.run import run as make_run

store = import_module("zoo.records.store")  # the package has a function of this name
ENGINE = """
from zoo.runs.listed import cells_of, make


class Here:
    def __init__(self, backwards):
        self.backwards = backwards

    def drain(self, runs, news):
        cells = [cell for run in runs for cell in cells_of(run)]
        for cell in reversed(cells) if self.backwards else cells:
            make(cell)
        for run in runs:
            news(run.name)
        return [run.name for run in runs if not run.plan.recorded()]
"""


def planned(small: SmallList, *more: str) -> list[Listed]:
    words = [*small.world, f"results_dir={small.results}", "trainer.checkpoint_seconds=0", *more]
    return [Listed(line, [*line.split(), *words], plan_of([*line.split(), *words])) for line in RUNS]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> SmallList:
    return SmallList(tmp_path_factory.mktemp("list"))


@pytest.fixture
def small(world, tmp_path) -> SmallList:
    """The small list, with a results folder of its own."""
    world.results = tmp_path / "results"
    return world


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["engine=slum"], "engine 'slum' is not known; did you mean 'slurm'.; there are: local, ray, slurm"),
        (["engine.jobs=3"], "engine.jobs=3: .*conf/engine/local.yaml lists the options of this engine"),
        (["engine=slurm", "engine.job=3"], "conf/engine/slurm.yaml lists the options"),
    ],
)
def test_what_is_no_engine_and_no_option_of_one_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        engine_of(arguments)


def test_without_a_name_it_is_this_machine():
    assert isinstance(engine_of([]), Local)


@pytest.mark.parametrize("name", ["slurm", "ray"])
def test_one_that_is_not_installed_says_what_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, {"slurm": "submitit", "ray": "ray"}[name], None)
    monkeypatch.delitem(sys.modules, f"zoo.engines.{name}", raising=False)
    with pytest.raises(UserError, match=rf"pip install -e '\.\[{name}\]' brings what it needs"):
        engine_of([f"engine={name}"])


@pytest.mark.slow
def test_an_engine_of_ones_own_is_a_file_and_a_yaml_and_chunks_of_restarts_are_joined(small, monkeypatch, capsys):
    folder = small.folder
    (folder / "here.py").write_text(ENGINE)
    (folder / "conf/engine").mkdir(parents=True)
    (folder / "conf/engine/here.yaml").write_text("_target_: here.Here\nbackwards: false\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    words = ["list.yaml", "engine=here", "engine.backwards=true", *small.world, f"results_dir={small.results}"]
    campaign.main(parse("campaign", campaign.GRAMMAR, words))
    small.check()
    assert "done" in capsys.readouterr().out
    small.results = small.results.parent / "chunks"
    words[-1] = f"results_dir={small.results}"
    for _ in range(2):  # the second time there is nothing to do
        campaign.main(parse("campaign", campaign.GRAMMAR, [*words, "chunk=1"]))
        joined = [records.read(file) for file in records.files(small.results)]
        assert [len(record.parts) for record in joined] == [2, 2]
        assert {record.identity for record in joined} == {run.plan.identity for run in planned(small)}
        assert list((small.results / "unfinished").iterdir()) == []
    for record, (whole, _) in zip(sorted(joined, key=lambda record: record.identity), small.undisturbed, strict=False):
        other = next(one for one, _ in small.undisturbed if one["identity"] == record.identity)
        for task, figures in record.tasks.items():
            assert figures.test_errors == pytest.approx(other["tasks"][task]["test_errors"], abs=10), whole["identity"]
    with pytest.raises(UserError, match="chunk=0: expected a number of restarts"):
        campaign.main(parse("campaign", campaign.GRAMMAR, [*words, "chunk=0"]))


def test_a_run_for_a_gpu_can_be_planned_without_one_and_is_refused_where_it_is_made(small, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run, _ = planned(small, "trainer=gpu", "trainer.together=1")
    with pytest.raises(UserError, match="trainer=gpu: torch sees no GPU here; type trainer=cpu"):
        make_run(run.plan)
    make(cells_of(run)[0])
    assert "sees no GPU" in state_of(run.plan).failed["1"]


@pytest.mark.slow
class TestWorker:
    def test_makes_what_is_free_and_the_record_behind_the_last_cell(self, small):
        run, _ = planned(small)
        first, second = cells_of(run)
        assert state_of(run.plan)[1:4] == (2, 0, pytest.approx(1.0))
        assert make(first)
        assert (look(first), look(second)) == ("done", "free")
        assert state_of(run.plan).done == 1
        work = cells.work_of(run.plan)
        with leases.held(work / "2"):
            assert look(second) == "held"
            assert not make(second)
            state = state_of(run.plan)
            assert list(state.running) == ["2"]
            assert not state.free
            drain([first, second], threading.Event())  # comes back, since nothing is free
            assert not run.plan.recorded()
        assert state_of(run.plan).free
        drain([second, first], threading.Event())
        (file,) = run.plan.recorded()
        assert state_of(run.plan).record == file
        assert make(first)  # skips what is recorded, and leaves nothing
        assert list((small.results / "unfinished").iterdir()) == []

    def test_writes_down_why_it_failed_and_others_do_not_try_again(self, small, capsys):
        run, other = planned(small)
        wild = [word for word in run.arguments if "dim=" not in word]
        more = [*wild, "model.dim=5", "model.recipe.learning_rate=1e30", "model.recipe.clip=1e30"]
        bad = Listed("wild", more, plan_of(more))
        cell, _ = cells_of(bad)
        assert not make(cell)
        assert "after no epoch was the loss on validation a finite number" in capsys.readouterr().err
        assert look(cell) == "done"
        assert "finite number" in state_of(bad.plan).failed["1"]
        listed.forgive([bad, other])
        assert look(cell) == "free"

    def test_that_is_told_to_stop_keeps_a_checkpoint_and_the_next_goes_on(self, small):
        run, _ = planned(small, "trainer.checkpoint_seconds=1000")
        cell, _ = cells_of(run)
        stop = threading.Event()
        stop.set()
        with pytest.raises(leases.Stopped, match="stopped after epoch 1"):
            make(cell, stop)
        folder = cells.work_of(run.plan) / "1"
        assert (folder / "last.ckpt").exists()
        assert look(cell) == "free"
        drain(cells_of(run), threading.Event())
        (file,) = run.plan.recorded()
        assert records.read(file).resumed
        assert not list((small.results / "unfinished").glob("memn2n*"))

    def test_that_was_paused_until_another_had_finished_brings_nothing_back(self, small, monkeypatch):
        run, _ = planned(small)
        first, second = cells_of(run)
        assert make(second)
        train = cells.load_data

        def pause(config: dict, name: str | None = None):
            """While this one sleeps behind its claim, another takes over, and finishes the run."""
            monkeypatch.setattr(cells, "load_data", train)
            lease = cells.work_of(run.plan) / "1/lease.1"
            lease.write_text("free")
            assert make(first)
            return train(config, name)

        monkeypatch.setattr(cells, "load_data", pause)
        assert make(first)
        assert len(run.plan.recorded()) == 1
        assert list((small.results / "unfinished").iterdir()) == []

    @pytest.mark.parametrize("asleep_in", ["_free_moment", "sealed"])
    def test_of_two_that_finish_at_once_one_makes_the_record(self, small, monkeypatch, asleep_in):
        """The first sleeps before it has written anything, or behind its last look; the second takes over."""
        run, _ = planned(small)
        make(cells_of(run)[0])
        work, one, other = cells.work_of(run.plan), cells.Maker.new(), cells.Maker.new()
        cells.train_cell(run.plan.config, ["2"], work, lambda name, state: None, one)
        awake, made = getattr(store, asleep_in), []

        def asleep(*given: object) -> object:
            monkeypatch.setattr(store, asleep_in, awake)
            (work / "record/lease.1").write_text("free")
            made.append(cells.finish(run.plan, work, other, 0.0))
            return awake(*given)

        monkeypatch.setattr(store, asleep_in, asleep)
        assert cells.finish(run.plan, work, one, 0.0) == made[0]
        assert run.plan.recorded() == made
        records.arrays(records.read(made[0]))
        assert {file.suffix for file in (small.results / "runs").iterdir()} == {".json", ".npz"}
        assert len(list((small.results / "runs").iterdir())) == 2
        assert list((small.results / "unfinished").iterdir()) == []
