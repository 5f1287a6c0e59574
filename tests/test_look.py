"""What is kept of a run to be looked at: questions in words, with the attention that the network gave."""

import pytest
import torch

from tests.configs import MODELS, config
from zoo.kinds.attention import example, examples
from zoo.kinds.stories import evaluation_batches, predict
from zoo.training.build import build
from zoo.training.ensemble import Ensemble


@pytest.mark.parametrize("name", MODELS)
def test_shows_the_question_as_it_was_answered(name, uneven):
    torch.manual_seed(4)
    ensemble = Ensemble([build(config(f"model={name}")["model"], uneven.sizes, seed) for seed in (1, 2)])
    second = Ensemble([build(config(f"model={name}")["model"], uneven.sizes, 2)])
    said, _ = predict(ensemble, evaluation_batches(uneven, uneven.test, ensemble.network))
    for number in range(len(uneven.test)):
        shown = example(ensemble, 1, uneven, uneven.test, number)
        split = uneven.test
        alone = example(second, 0, uneven, uneven.test, number)
        for hop, expected in zip(shown["attention"], alone["attention"], strict=True):
            assert hop == pytest.approx(expected, abs=0.002)
        assert shown["said"] == uneven.words[said[1, number]]
        assert shown["answer"] == uneven.words[split.answer[number]]
        assert len(shown["story"]) == min(int(split.told[number]), ensemble.network.window)
        assert shown["question"].startswith("where is ")
        (fact,) = shown["facts"]
        assert shown["story"][fact].split()[-1] == shown["answer"]  # the sentence that says where
        assert all(len(hop) == len(shown["story"]) for hop in shown["attention"])
        if ensemble.network.traces == "weights":
            # the rest of a MemN2N's attention goes to empty slots
            assert all(0 < sum(hop) < 1.01 for hop in shown["attention"])


def test_keeps_right_and_wrong_answers(corpus):
    ensemble = Ensemble([build(config("model=memn2n")["model"], corpus.sizes, 1)])
    said, _ = predict(ensemble, evaluation_batches(corpus, corpus.test, ensemble.network))
    said = torch.where(torch.arange(len(said[0])) % 3 == 0, corpus.test.answer, said[0])
    kept = examples(ensemble, 0, corpus, said)
    assert len(kept) == 4
    assert {shown["task"] for shown in kept} == {1}
