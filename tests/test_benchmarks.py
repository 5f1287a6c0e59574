"""The benchmark's baselines and switches answer what the zoo answers; what it writes follows from what it measured."""

import pytest
import torch
from hydra.utils import get_class

from benchmarks.plain import PLAIN, PaddedQuestions, optimizer_of, plain_of, step
from tasks.batch import NONE
from tests.configs import MODELS, config
from zoo.training.build import build
from zoo.training.recipe import Recipe

WITH_PLAIN = [name for name in MODELS if get_class(config(f"model={name}")["model"]["_target_"]) in PLAIN]


@pytest.fixture(params=WITH_PLAIN)
def model(request) -> dict:
    return config(f"model={request.param}")["model"]


def test_every_model_of_a_paper_has_a_plain_form():
    assert len(WITH_PLAIN) == len(PLAIN) == 11


def test_plain_form_answers_and_learns_the_same(model, uneven):
    network = build(model, uneven.sizes, 3).double()
    if type(network).__name__ in ("DMN", "DMNPlus", "WMN"):  # where nn.GRU resets elsewhere than the paper's GRU
        with torch.no_grad():
            for U in network.U:
                U[2 * network.dim :] = 0
    plain = plain_of(network).eval()
    questions = PaddedQuestions(uneven, uneven.train, network)
    few = torch.tensor([0, 1, 2, 3, 4, 5])  # of stories of six, two and four sentences
    batch = uneven.by_question(uneven.train, few, network.window)
    padded = questions.collate([questions[int(n)] for n in few])
    support = torch.tensor([[1, 0], [0, NONE], [0, 1], [1, NONE], [0, 1], [1, 0]])  # one or two facts
    batch, padded = batch._replace(support=support), padded._replace(support=support)
    torch.testing.assert_close(plain(padded), network(batch).scores)
    torch.testing.assert_close(plain.loss(padded), sum(network.learn(batch).values()))


def test_plain_form_trains(model, corpus):
    network = build(model, corpus.sizes, 3)
    plain, recipe = plain_of(network), Recipe.from_config(model["recipe"])
    questions = PaddedQuestions(corpus, corpus.train, network)
    batch = questions.collate([questions[n] for n in range(16)])
    optimizer = optimizer_of(plain, recipe)
    first = plain.loss(batch).item()
    for _ in range(10):
        step(plain, batch, optimizer, recipe.clip)
    assert plain.loss(batch).item() < first
    assert all(parameter.grad is not None for parameter in plain.parameters())
