"""Tasks that share a program are learned as each is alone."""

import dataclasses
import time
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from tasks.babi.tables import read
from tasks.batch import NONE
from tasks.corpus import Corpus, Split
from tasks.lexicon import Lexicon
from tests.configs import MODELS, config
from tests.runs import SMALL_READERS, again, made
from tests.tiny_babi import stories
from zoo import records
from zoo.families.board import setting_of
from zoo.interface import MemoryNetwork
from zoo.kinds.stories import evaluation_batches, training_batches
from zoo.runs.plan import plan_of
from zoo.training.batches import Blocks
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.module import EnsembleTraining
from zoo.training.packing import PackedBatches, pack, pad_to_one_size, side_by_side, spoken_words
from zoo.training.recipe import Recipe
from zoo.training.train import train

SEEDS = [3, 4]


@pytest.fixture(scope="module")
def tasks() -> dict[str, Corpus]:
    """Two tasks that differ in all sizes: the second has longer stories, fewer questions in a batch, and two facts."""

    def corpus(sentences: int, train: int, valid: int, asked: str) -> Corpus:
        lexicon = Lexicon()
        splits = [
            read(stories(count, seed, sentences).replace("Where is", asked).encode(), "split", 1, lexicon)
            for count, seed in ((train, 1), (valid, 2), (4, 3))
        ]
        return Corpus(list(lexicon.words), lexicon.table(), *splits)

    def with_two_facts(split: Split) -> Split:
        second = torch.where((split.told > 4) & (split.support != 1).all(1), 1, NONE)
        return dataclasses.replace(split, support=torch.cat([split.support, second[:, None]], dim=1))

    one, two = corpus(6, 12, 2, "Where is"), corpus(10, 7, 9, "Tell me and tell all of us where is")
    parts = {name: with_two_facts(split) for name, split in two.splits.items()}
    assert all((split.support != NONE).sum(1).unique().tolist() == [1, 2] for split in parts.values())
    return {"1": one, "2": dataclasses.replace(two, **parts)}


def trained(name: str, tasks: dict[str, Corpus], sizes, learned: list[str], recipe: Recipe) -> EnsembleTraining:
    """An ensemble of two networks for each of these tasks; in double precision, see test_ensemble."""
    model = config(f"model={name}", *SMALL_READERS.get(name, ()))["model"]
    ensemble = Ensemble([build(model, sizes, seed).double() for _ in learned for seed in SEEDS])
    training = EnsembleTraining(ensemble, recipe)
    train = [training_batches(tasks[task], ensemble.network, SEEDS, recipe.batch_size) for task in learned]
    valid = [evaluation_batches(tasks[task], tasks[task].valid, ensemble.network) for task in learned]
    assert len({len(batches) for batches in train}) == 1
    together = len(learned) > 1
    pl.Trainer(
        max_epochs=recipe.all_epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    ).fit(
        training,
        Blocks(PackedBatches(train, len(SEEDS)) if together else train[0]),
        PackedBatches(valid, len(SEEDS)) if together else valid[0],
    )  # fmt: skip
    return training


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_each_task_is_learned_as_it_is_alone(name, tasks, monkeypatch):
    monkeypatch.setattr("zoo.kinds.stories.EVALUATED_AT_ONCE", 10)  # so that validation has several batches
    recipe = Recipe(
        optimizer="adam", learning_rate=0.01, batch_size=9, epochs=4, anneal_every=2, clip=2.0,
        linear_start_epochs=2,
    )  # fmt: skip
    sizes, tasks = pad_to_one_size(tasks)
    both = trained(name, tasks, sizes, ["1", "2"], recipe)
    for place, task in enumerate(tasks):
        alone = trained(name, tasks, sizes, [task], recipe)
        mine = slice(place * len(SEEDS), (place + 1) * len(SEEDS))
        torch.testing.assert_close(both.ensemble.weights[mine], alone.ensemble.weights)
        for curve in ("train_loss_curve", "valid_loss_curve", "valid_error_curve"):  # NaN where no epoch was
            torch.testing.assert_close(getattr(both, curve)[:, mine], getattr(alone, curve), equal_nan=True)
        torch.testing.assert_close(both.best.weights[mine], alone.best.weights)
        assert both.best.restart(mine) == alone.best.restart()
    assert not both.ensemble.weights[:2].equal(both.ensemble.weights[2:])


def test_side_by_side_pads_to_the_largest(tasks):
    sizes, tasks = pad_to_one_size(tasks)
    assert tuple(sizes) == (23, 10, 10)
    assert all(corpus.sizes[:2] == (23, 10) for corpus in tasks.values())
    network = build(config("model=memn2n")["model"], sizes, 1)
    first, second = (
        next(iter(training_batches(corpus, network, SEEDS, batch)))
        for corpus, batch in zip(tasks.values(), (4, 6), strict=True)
    )
    batch = side_by_side([first, second, None], len(SEEDS))
    assert batch.answer.shape == (6, 6)
    assert batch.asked.tolist() == [4, 4, 6, 6, 0, 0]
    told = second.stories.shape[-1]
    assert batch.stories[2:4, :, :told].equal(second.stories)
    words = batch.sentences[2, batch.stories[2, 1]]  # of the second task's second question
    table = second.sentences if second.sentences.dim() == 2 else second.sentences[0]
    assert words[:told].equal(table[second.stories[0, 1]])
    assert words[told:].eq(0).all()
    assert batch.question[:2, 4:].equal(batch.question[:2, :1].expand(-1, 2))
    assert batch.noise[2:4].equal(second.noise)


def alone(corpora: dict[str, Corpus], *overrides: str) -> dict[str, MemoryNetwork]:
    """A network of each task, as large as the task alone makes it."""
    return {name: build(config(*overrides)["model"], corpus.sizes, 1) for name, corpus in corpora.items()}


def test_programs_hold_trainings_of_equally_many_steps(tasks):
    one, two = tasks.values()
    longer = dataclasses.replace(one, train=one.train.stories(0, 9))
    corpora = {"1": one, "2": two, "3": longer, "4": two, "5": one}
    assert [-(-len(corpus.train) // 9) for corpus in corpora.values()] == [4, 4, 3, 4, 4]
    networks = alone(corpora, "model=kv_memnn")
    assert pack(corpora, networks, 9, most=20) == [["1", "2", "4", "5"], ["3"]]
    assert pack(corpora, networks, 9, most=3) == [["1", "2", "4"], ["3"], ["5"]]
    assert pack(corpora, networks, 9, most=1) == [["1"], ["2"], ["3"], ["4"], ["5"]]


def test_programs_hold_networks_whose_memories_are_alike(tasks):
    assert pack(tasks, alone(tasks, "model=transformer"), 9, most=20) == [["1", "2"]]
    # an empty slot counts in the softmax, and a task with longer stories has more of them
    assert pack(tasks, alone(tasks, "model=memn2n"), 9, most=20) == [["1"], ["2"]]
    assert pack(tasks, alone(tasks, "model=memn2n", "model.memory_size=4"), 9, most=20) == [["1", "2"]]
    # a slot for each word
    assert pack(tasks, alone(tasks, "model=entnet", "model.keys=tied"), 9, most=20) == [["1"], ["2"]]


def test_programs_hold_trainings_of_equally_many_steps_as_the_recipe_draws_them(tasks):
    one, two = tasks.values()
    corpora = {"1": one, "2": dataclasses.replace(two, train=two.train.stories(0, 6))}
    networks = alone(corpora, "model=entnet")

    def steps(drawn: str) -> list[int]:
        return [len(training_batches(of, networks[name], [1], 9, batched_by=drawn)) for name, of in corpora.items()]

    assert (steps(""), steps("question")) == ([4, 3], [4, 4])
    assert pack(corpora, networks, 9, most=20) == [["1"], ["2"]]
    assert pack(corpora, networks, 9, most=20, batched_by="question") == [["1", "2"]]


@pytest.mark.slow
def test_each_training_has_the_figures_of_its_own_networks(tasks, tmp_path):
    given = config(
        "model=memnn", "restarts=2", "trainer.max_epochs=6", "model.dim=6", "model.recipe.batch_size=9",
        "logger=none", "results_dir=nowhere",
    )  # fmt: skip
    given |= {"run": {"name": "together", "identity": "x"}}
    _, filled = pad_to_one_size(tasks)  # but for the longest story, which changes nothing in this model
    both, states = watched(given, filled, tmp_path / "both")
    for name, corpus in filled.items():
        alone, states_alone = watched(given, {name: corpus}, tmp_path / name)
        got, expected = both[name], alone[name]
        assert got["selected"] == expected["selected"]
        assert got["best_epoch"].equal(expected["best_epoch"])
        assert got["predictions"]["test"].equal(expected["predictions"]["test"])
        torch.testing.assert_close(got["weights"], expected["weights"], rtol=1e-3, atol=1e-4)
        for curve, of_epochs in got["curves"].items():
            torch.testing.assert_close(of_epochs, expected["curves"][curve], rtol=1e-3, atol=1e-3)
        assert [of["best"] for of in states[name]] == [of["best"] for of in states_alone[name]]
    first, second = both["1"]["weights"], both["2"]["weights"]
    assert not any(first[name].equal(second[name]) for name in first)
    assert both["1"]["seconds"] == both["2"]["seconds"]


def watched(given: dict, corpora: dict[str, Corpus], folder: Path) -> tuple[dict[str, dict], dict[str, list[dict]]]:
    """The figures, and what was reported after every epoch; the time is no more than has passed."""
    states: dict[str, list[dict]] = {name: [] for name in corpora}
    began = time.monotonic()
    figures = train(given, corpora, folder, lambda name, state: states[name].append(state))
    assert sum(got["seconds"] for got in figures.values()) <= time.monotonic() - began
    return figures, states


TWO = (
    "model=entnet", "task=babi", "task.ids=[1,6]", "task.source=generated", "task.size=60", "task.generator.test=40",
    "restarts=2", "trainer.max_epochs=4", "model.dim=6", "trainer.workers=1", "trainer.together=20",
)  # fmt: skip


@pytest.mark.slow
def test_a_run_records_each_training_of_a_program(tmp_path, capsys):
    file = made(tmp_path, *TWO, "logger=csv")
    record = records.read(file)
    assert list(record.trainings) == ["1", "6"]
    assert record.settings["together"] == [["1", "6"]]
    assert (
        setting_of(record, ("task.", "model.dim", "restarts"))
        == "default, trainer.max_epochs=4, tasks filled up to one size"
    )
    arrays = records.arrays(record)
    assert arrays["1/predictions"].shape == (2, 40)
    assert arrays["6/valid_error"].shape == (4, 2)
    wrong = arrays["6/predictions"] != arrays["6/answer"]
    assert list(100 * wrong.mean(1)) == pytest.approx(record.tasks["6"].test_errors)
    filled_up = list(arrays["1/words"])
    (metrics,) = (tmp_path / "results/logs").rglob("metrics.csv")
    assert {"train_loss/1/0", "train_loss/1/1", "train_loss/6/0", "train_loss/6/1"} <= set(
        metrics.read_text().splitlines()[0].split(",")
    )
    assert spoken_words(filled_up) == [word for word in filled_up if word.isalpha()] != filled_up[1:]
    again(tmp_path, f"run={file.stem}", "task=6")  # with task 1, beside which it was learned
    assert "the same as" in capsys.readouterr().out


def test_what_is_trained_alone_is_not_recorded_as_together():
    usual = plan_of([*TWO[:-1], "logger=none"])
    assert "together" not in usual.settings
    assert plan_of([*TWO, "task.ids=[6]"]).identity == plan_of([*TWO[:-1], "task.ids=[6]"]).identity
    joint = ("task=babi_joint", "model=memn2n")
    assert plan_of([*TWO, *joint]).identity == plan_of([*TWO[:-1], *joint]).identity
    assert config("trainer=gpu")["trainer"]["together"] == 20
    with pytest.raises(ValueError, match=r"trainer\.together=0: expected a whole number of at least 1"):
        plan_of([*TWO[:-1], "trainer.together=0"])


@pytest.mark.parametrize(("together", "said"), [(20, r"2 × 2 .* trainer\.together=1,"), (1, r"1 × 2 .*batch_size,")])
def test_too_little_memory_says_what_to_type(together, said, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("zoo.training.train.train", fail)
    with pytest.raises(ValueError, match=said):
        made(tmp_path, *TWO[:-1], "logger=none", f"trainer.together={together}")


def test_training_and_nothing_else_flushes_subnormal_numbers(tmp_path, monkeypatch):
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush subnormal numbers")
    half_of_subnormal = []

    def fail(*_: object) -> None:
        half_of_subnormal.append(float(torch.tensor(1e-39) / 2))
        raise torch.OutOfMemoryError

    monkeypatch.setattr("zoo.training.train.train", fail)
    with pytest.raises(ValueError, match="memory does not hold"):
        made(tmp_path, *TWO[:-1], "logger=none")
    assert half_of_subnormal == [0.0] and float(torch.tensor(1e-39) / 2) > 0
