"""Dynamic memory network against its equations: what it reads, what it answers, what its mistakes cost."""

import pytest
import torch

from tasks.batch import NONE
from tests.reference.compare import questions
from tests.reference.dmn import Plain
from zoo.models.dmn import DMN


@pytest.mark.parametrize("hears", ["story", "sentences"])
@pytest.mark.parametrize("episode", ["softmax", "gru"])
@pytest.mark.parametrize("supervise", [0.0, 0.7])
def test_dmn_is_its_equations(supervise, episode, hears, uneven):
    torch.manual_seed(5)
    options = {"episode": episode, "supervise": supervise, "hears": hears}
    network = DMN(**uneven.sizes._asdict(), dim=4, passes=3, **options).double()
    assert network.supervision == ("supporting facts" if supervise else "answers")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.9)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7, 2]))
    # two facts for some questions, so that a second pass has something to find
    second = torch.where(batch.told > 2, 1, NONE)
    second = torch.where(second == batch.support[:, 0], NONE, second)
    batch = batch._replace(support=torch.stack([batch.support[:, 0], second], dim=1))
    answer = network(batch)
    expected = {"answer": 0, "gates": 0}
    made = set()
    for n, story, question in questions(batch):
        plain = Plain(network, story, question)
        m, scores = plain.passes(None if supervise else network.passes)
        made.add(len(scores))
        torch.testing.assert_close(answer.scores[n, 1:], plain.answers(m))
        for number in range(network.passes):
            gates = answer.trace.attention[n, number]
            if number < len(scores):
                expected_gates = scores[number].sigmoid() if episode == "gru" else scores[number].softmax(0)
                torch.testing.assert_close(gates[: len(story)], expected_gates[:-1])
            assert not gates[len(story) if number < len(scores) else 0 :].any()
        facts = [int(place) for place in batch.support[n] if place != NONE]
        m, scores = plain.passes(len(facts) if supervise else network.passes)
        given = plain.answers(m)
        expected["answer"] -= torch.cat([given.new_zeros(1), given]).log_softmax(0)[batch.answer[n]]
        for right, here in zip([*facts, len(story)], scores, strict=False):
            if episode == "softmax":
                expected["gates"] -= supervise * here.log_softmax(0)[right]
                continue
            for place, score in enumerate(here):
                g = torch.sigmoid(score)
                expected["gates"] -= supervise * torch.log(g if place == right else 1 - g)
    # some stop earlier than others; without supervision nothing has taught them when
    assert len(made) > 1 if supervise else made == {network.passes}
    losses = network.loss(answer, batch)
    assert set(losses) == ({"answer", "gates"} if supervise else {"answer"})
    for name in losses:
        torch.testing.assert_close(losses[name], expected[name])
    ours = torch.autograd.grad(sum(losses.values()), list(network.parameters()), allow_unused=True)
    theirs = torch.autograd.grad(sum(expected[name] for name in losses), list(network.parameters()), allow_unused=True)
    for (name, parameter), one, other in zip(network.named_parameters(), ours, theirs, strict=True):
        one, other = (torch.zeros_like(parameter) if g is None else g for g in (one, other))
        torch.testing.assert_close(one, other, msg=name)


def test_only_where_it_hears_sentences_their_time_has_gaps_in_training(uneven):
    told = torch.tensor([6, 2, 4])
    network = DMN(**uneven.sizes._asdict(), hears="sentences")
    times = torch.stack([network.noise(told, torch.Generator().manual_seed(seed)) for seed in range(20)])
    assert (times[:, 1, :2] > 2).any()  # of two sentences
    assert (times[:, 0, :5] > times[:, 0, 1:6]).logical_or(times[:, 0, 1:6] == network.window).all()  # the oldest first
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7]))
    noise = network.noise(batch.told, torch.Generator().manual_seed(3))
    with_gaps, without = (network.learn(batch._replace(noise=it))["answer"] for it in (noise, None))
    assert not torch.equal(with_gaps, without)
    assert DMN(**uneven.sizes._asdict()).noise(told, torch.Generator()) is None
