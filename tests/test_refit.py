"""A training that is repeated with the questions of validation among those that are learned."""

import dataclasses

import pytest
import torch

from tasks.batch import NONE
from tasks.errors import UserError
from tests.configs import config
from tests.runs import QUICK, made
from zoo import records
from zoo.families import family_of
from zoo.families.board import REFIT
from zoo.kinds import stories
from zoo.kinds.stories import training_batches
from zoo.runs.plan import plan_of
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.train import train

COURSE = (
    "model=memn2n", "restarts=3", "model.dim=6", "logger=none", "results_dir=nowhere", "trainer.max_epochs=20",
    "model.recipe.linear_start_epochs=40", "model.recipe.linear_start_patience=1",
)  # fmt: skip


def given(*more: str) -> dict:
    return config(*COURSE, *more) | {"run": {"name": "again", "identity": "x"}}


def silent(name: str, state: dict) -> None:
    pass


def test_stories_of_validation_stand_behind_those_of_training(uneven, corpus):
    for data in (uneven, corpus):
        train, valid, both = data.train, data.valid, data.train.followed_by(data.valid)
        assert len(both) == len(train) + len(valid)
        border = len(train.lengths)
        for part, expected in ((both.stories(0, border), train), (both.stories(border, len(both.lengths)), valid)):
            for name, table in vars(expected).items():
                assert table is None or getattr(part, name).equal(table), name


def test_facts_and_answers_of_which_one_part_has_more_are_filled_up(corpus):
    more = torch.nn.functional.pad(corpus.valid.support, (0, 2), value=5)
    both = corpus.train.followed_by(dataclasses.replace(corpus.valid, support=more))
    assert both.support[: len(corpus.train), -2:].eq(NONE).all()
    assert both.support[len(corpus.train) :].equal(more)


@pytest.fixture(scope="module")
def both(corpus, tmp_path_factory) -> tuple[dict, dict]:
    """Figures of a training, and of the same with a second one behind it."""
    return tuple(
        train(given(*more), {"1": corpus}, tmp_path_factory.mktemp("work"), silent)["1"]
        for more in ((), ("+model.recipe.refit=true",))
    )


def test_validation_judges_the_first_training(both):
    once, again = both
    assert again["selected"] == once["selected"]
    for name in ("best_epoch", "valid"):
        of_once, of_again = (figures[name] if name in figures else figures["errors"][name][1] for figures in both)
        assert of_once.equal(of_again), name
    for name, curve in once["curves"].items():
        torch.testing.assert_close(again["curves"][name], curve, rtol=0, atol=0, equal_nan=True)


def test_other_weights_are_tested(both):
    once, again = both
    assert once["weights"].keys() == again["weights"].keys()
    assert not all(table.equal(again["weights"][name]) for name, table in once["weights"].items())
    assert again["examples"] > once["examples"]


def learned_by_hand(corpus, again: dict, *course: str) -> dict[str, torch.Tensor]:
    """Train the selected restart alone, to its epoch. Its linear start ends where that of the first training did."""
    k = again["selected"]
    chosen = config(*COURSE, *course)
    model = chosen["model"]
    data = stories.with_validation(corpus)
    assert len(data.train) == len(corpus.train) + len(corpus.valid)
    seed = chosen["seed"] + k
    ensemble = Ensemble([build(model, data.sizes, seed)])
    batches = training_batches(data, ensemble.network, [seed], model["recipe"]["batch_size"])
    # the curve of validation says when the linear start stalled
    losses = again["curves"]["valid_loss"][:, k].tolist()
    linear = next(n + 1 for n in range(1, 6) if n + 1 == 6 or losses[n] >= min(losses[:n]))
    recipe = model["recipe"]
    for epoch in range(int(again["best_epoch"][k]) + 1):
        batches.set_epoch(epoch)
        ensemble.linear.fill_(epoch < linear)
        rate = (
            recipe["linear_start_rate"] if epoch < linear else recipe["learning_rate"] * 0.5 ** ((epoch - linear) // 4)
        )
        for batch in batches:
            ensemble.differentiate(batch)
            norm = ensemble.weights.grad.norm()
            with torch.no_grad():
                ensemble.weights -= rate * ensemble.weights.grad * (recipe["clip"] / norm).clamp(max=1)
    return ensemble.of(0)


def assert_close(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    for name, table in expected.items():
        torch.testing.assert_close(actual[name], table, rtol=1e-3, atol=1e-4)


def test_each_restart_learns_all_questions_to_the_epoch_that_validation_chose(both, corpus):
    _, again = both
    assert_close(again["weights"], learned_by_hand(corpus, again))


def test_an_epoch_of_the_linear_start_is_not_kept_for_its_lower_error(corpus, tmp_path):
    course = ("model.recipe.learning_rate=1e-4", "seed=3")
    again = train(given(*course, "+model.recipe.refit=true"), {"1": corpus}, tmp_path, silent)["1"]
    errors = again["curves"]["valid_error"][:, again["selected"]]
    assert errors[:6].min() < errors[6:].min()  # the linear start has six epochs
    assert again["best_epoch"][again["selected"]] >= 6
    assert_close(again["weights"], learned_by_hand(corpus, again, *course))


def test_a_second_training_that_stops_goes_on_as_an_undisturbed_one(both, corpus, tmp_path, monkeypatch):
    _, whole = both
    checkpoint = "zoo.training.callbacks.Checkpoint.on_train_epoch_end"
    from zoo.training import callbacks

    saved, stops = callbacks.Checkpoint.on_train_epoch_end, []

    def stop(self, trainer, module) -> None:
        saved(self, trainer, module)
        if self.file.name == "refit.ckpt" and trainer.current_epoch == 3 and not stops:
            stops.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, stop)
    options = given("+model.recipe.refit=true", "trainer.checkpoint_seconds=0")
    with pytest.raises(KeyboardInterrupt):
        train(options, {"1": corpus}, tmp_path, silent)
    continued = train(options, {"1": corpus}, tmp_path, silent)["1"]
    assert stops
    for name, table in whole["weights"].items():
        assert continued["weights"][name].equal(table), name
    assert continued["predictions"]["test"].equal(whole["predictions"]["test"])


def test_an_interrupt_is_one_wherever_it_comes(corpus, tmp_path, monkeypatch):
    """Lightning fails with an error of its own when it is interrupted before it has its batches."""

    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("pytorch_lightning.utilities.combined_loader.CombinedLoader.__iter__", stop)
    with pytest.raises(KeyboardInterrupt):
        train(given(), {"1": corpus}, tmp_path, silent)


def test_its_row_is_marked(tmp_path):
    for more in ((), ("+model.recipe.refit=true",)):
        record = records.read(made(tmp_path, *QUICK, "task.ids=[1]", *more))
        row = family_of(record.family).row_of(record)
        assert (REFIT in row.marks) == bool(more) == record.refit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model=ntm", "task=copy"), "sequences of training are drawn without end"),
        (
            ("model=transformer", "task=babi", "task.ids=[1,4]", "task.source=generated", "trainer.together=2"),
            "expected trainings that share no program; type trainer.together=1",
        ),
        (
            ("model=memn2n", "task=babi", "task.source=generated", "task.rename=true"),
            "expected false where task.rename=true",
        ),
    ],
)
def test_what_cannot_be_trained_once_more_is_refused(arguments, said, tmp_path):
    with pytest.raises(UserError, match=said):
        plan_of([*arguments, "+model.recipe.refit=true", f"cache_dir={tmp_path}", f"results_dir={tmp_path}"])
