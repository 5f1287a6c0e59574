"""Epochs and restarts are chosen on validation, and what was chosen is what is tested, stored and shown."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tasks.batch import NONE
from tasks.corpus import Corpus
from tests.runs import made
from tests.tiny_babi import PLACES, load_babi, write_release
from zoo import records
from zoo.kinds.attention import example
from zoo.kinds.stories import evaluation_batches, predict
from zoo.pretrained.load import of_record, of_stories
from zoo.records import Record
from zoo.training.ensemble import Ensemble

pytestmark = pytest.mark.slow  # all look at two runs that are made for them

RUN = ("model=memn2n", "task=babi", "task.ids=[1]", "model.dim=8", "trainer.max_epochs=12", "logger=none",
       "trainer.workers=1", "model.recipe.batch_size=16")  # fmt: skip


class Made(NamedTuple):
    record: Record
    arrays: dict[str, np.ndarray]
    corpus: Corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Hold a release whose test answers are those of another world: who is right on validation is wrong on test."""
    folder = tmp_path_factory.mktemp("selection")
    write_release(folder / "data", tasks=(1,), train=160, test=60)
    (file,) = (folder / "data").rglob("*_test.txt")
    others = dict(zip(PLACES, (*PLACES[1:], PLACES[0]), strict=True))
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    lines = [[fields[0], others[fields[1]], *fields[2:]] if len(fields) > 1 else fields for fields in lines]
    file.write_text("\n".join("\t".join(fields) for fields in lines) + "\n")
    return folder


def run(folder: Path, *arguments: str) -> Made:
    record = records.read(made(folder, *RUN, *arguments, f"data_dir={folder / 'data'}"))
    corpus = load_babi(folder / "data", folder / "cache", [1]).trainings["1"]
    return Made(record, records.arrays(record), corpus)


@pytest.fixture(scope="module")
def both(folder) -> Made:
    """Make a run of three restarts, of which validation selects another than the first."""
    return run(folder, "seed=3", "restarts=3")


def test_the_best_epoch_and_the_selected_restart_are_those_of_validation(both):
    record, arrays, _ = both
    got, curve = record.tasks["1"], arrays["1/valid_error"].astype(float)
    assert got.selected != 0
    assert any(epoch < len(curve) - 1 for epoch in got.best_epochs)
    # recorded errors come from another look at the best weights than the points of the curve
    at_best = [curve[epoch, k] for k, epoch in enumerate(got.best_epochs)]
    assert got.valid_errors == pytest.approx(at_best, abs=0.05)
    assert got.valid_errors == pytest.approx(curve.min(0).tolist(), abs=0.05)
    assert got.valid_errors[got.selected] == min(got.valid_errors)
    assert min(got.test_errors) > max(got.valid_errors)  # so the test has chosen nothing


def learned(record: Record) -> tuple[Ensemble, list[str]]:
    """The network of the stored weights, by itself in an ensemble, and its words."""
    network = of_stories(of_record(record, "1", record.file.parents[1]))
    return Ensemble([network.model]), network.words


def test_the_stored_weights_give_the_recorded_answers_of_the_selected_restart(both):
    record, arrays, corpus = both
    ensemble, words = learned(record)
    answers, _ = predict(ensemble, evaluation_batches(corpus, corpus.test, ensemble.network))
    agree = (arrays["1/predictions"] == answers.numpy()).all(1)
    assert agree.tolist() == [k == record.tasks["1"].selected for k in range(3)]
    assert words == corpus.words


def test_what_is_kept_to_be_looked_at_was_said_by_the_selected_restart(both):
    record, arrays, corpus = both
    ensemble, _ = learned(record)
    by_story = {}
    for number in range(len(corpus.test)):
        shown = example(ensemble, 0, corpus, corpus.test, number)
        by_story[tuple(shown["story"]), shown["question"]] = shown
    for look in records.looks_of(arrays, "1"):
        shown = by_story[tuple(look.story), look.question]
        assert look.said == shown["said"]
        np.testing.assert_allclose(look.attention, shown["attention"], atol=0.002)


def test_errors_and_questions_are_those_of_the_test(both):
    record, arrays, corpus = both
    test, got = corpus.test, record.tasks["1"]
    wrong = arrays["1/predictions"] != test.answer.numpy()
    assert got.test_errors == pytest.approx((100 * wrong.mean(1)).tolist(), abs=1e-3)
    assert arrays["1/answer"].tolist() == test.answer.tolist()
    assert arrays["1/told"].tolist() == test.told.tolist()
    facts = [[place for place in places if place != NONE] for places in test.support.tolist()]
    assert arrays["1/facts"].tolist() == [len(places) for places in facts]
    ago = [told - min(places) for told, places in zip(test.told.tolist(), facts, strict=True)]
    assert arrays["1/oldest_fact"].tolist() == ago
    epochs = len(arrays["1/valid_error"])
    assert record.trainings["1"].examples == 3 * epochs * len(corpus.train)


def test_the_same_run_is_not_made_twice(both, folder, capsys):
    assert run(folder, "seed=3", "restarts=3").record == both.record
    assert "this run has been made" in capsys.readouterr().out
    assert list((folder / "results/runs").glob(f"*-{both.record.identity}-*.json")) == [both.record.file]


def test_restarts_differ_by_their_seeds_and_by_nothing_else(both, folder):
    record, arrays, _ = both
    losses = arrays["1/train_loss"]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.array_equal(losses[:, one], losses[:, other])
        assert not np.array_equal(arrays["1/predictions"][one], arrays["1/predictions"][other])
    second = run(folder, "seed=4", "restarts=1")
    np.testing.assert_allclose(second.arrays["1/train_loss"][:, 0], losses[:, 1], rtol=0.01)
    assert second.record.tasks["1"].best_epochs[0] == record.tasks["1"].best_epochs[1]
    assert second.record.tasks["1"].test_errors[0] == pytest.approx(record.tasks["1"].test_errors[1], abs=2.0)
