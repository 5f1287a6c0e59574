"""The memory network against its equations: what it reads, what it answers, what its mistakes cost."""

import pytest
import torch

from tasks.batch import NONE
from tests.reference.compare import questions
from tests.reference.memnn import Plain
from zoo.models.memnn import MemNN

SETTINGS = [
    {"adaptive": False, "ngrams": 1, "nonlinear": False, "reads": 2},
    {"adaptive": True, "ngrams": 1, "nonlinear": False, "reads": 3},
    {"adaptive": True, "ngrams": 3, "nonlinear": True, "reads": 3},
    {"adaptive": False, "ngrams": 2, "nonlinear": True, "reads": 1},
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_memnn_is_its_equations(setting, uneven):
    torch.manual_seed(11)
    network = MemNN(**uneven.sizes._asdict(), dim=4, buckets=17, margin=0.5, init_std=0.7, **setting).double()
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    # two facts for some questions, so that there is a second right read
    second = torch.where(batch.told > 3, 2, NONE)
    second = torch.where(second == batch.support[:, 0], NONE, second)
    batch = batch._replace(support=torch.stack([batch.support[:, 0], second], dim=1))
    answer = network(batch)
    losses = network.loss(answer, batch)
    expected = {"reading": 0, "answer": 0}
    lengths = set()
    for n, story, question in questions(batch):
        plain = Plain(network, story, question)
        read = plain.read()
        lengths.add(len(read))
        seen = answer.trace.attention[n].argmax(-1).tolist()
        assert seen[: len(read)] == read
        assert set(seen[len(read) :]) <= {read[-1]}
        torch.testing.assert_close(answer.scores[n, 1:], plain.answers(read))
        facts = [int(place) for place in batch.support[n] if place != NONE]
        reading, answering = plain.loss(facts, int(batch.answer[n]))
        expected["reading"] += reading
        expected["answer"] += answering
    if setting["adaptive"]:
        assert len(lengths) > 1  # some stop earlier than others
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    ours = torch.autograd.grad(
        sum(losses.values()), list(network.parameters()), allow_unused=True, materialize_grads=True
    )
    # with a single read there is never one before the last
    theirs = torch.autograd.grad(
        sum(expected.values()), list(network.parameters()), allow_unused=True, materialize_grads=True
    )
    for (name, _), one, other in zip(network.named_parameters(), ours, theirs, strict=True):
        torch.testing.assert_close(one, other, msg=name)


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_question_without_facts_teaches_no_reading(adaptive, uneven):
    network = MemNN(**uneven.sizes._asdict(), dim=4, adaptive=adaptive, reads=2)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), int(uneven.train.told.max()))
    known = network.loss(network(batch), batch)
    losses = network.loss(network(batch), batch._replace(support=torch.full_like(batch.support, NONE)))
    assert known["reading"] > 0
    assert losses["reading"] == 0
    assert losses["answer"] > 0
