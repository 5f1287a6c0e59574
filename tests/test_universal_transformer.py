"""The Universal Transformer against its equations, in value and in gradient; and the three ways to halt."""

import math

import pytest
import torch

from tasks.batch import PAD
from tests.reference import universal_transformer as reference
from tests.reference.compare import compare, questions
from zoo.models.universal_transformer import UniversalTransformer, act_weights, stops
from zoo.parts.layers import Layer, transform
from zoo.training.ensemble import Ensemble


def perturbed(corpus, **options) -> UniversalTransformer:
    torch.manual_seed(5)
    given = {"memory_size": 4, "dim": 8, "feed_forward": 5, "heads": 2, "steps": 3, "dropout": 0.2} | options
    network = UniversalTransformer(**corpus.sizes._asdict(), **given).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        if network.halting != "none":  # so that tokens halt at all steps, and not only where they begin to
            network.b_halt.fill_(-0.5)
    return network


def everything(corpus, network):
    return corpus.by_question(corpus.train, torch.arange(len(corpus.train)), network.window)


@pytest.mark.parametrize("halting", ["none", "act"])
@pytest.mark.parametrize("steps", [1, 4])
def test_universal_transformer_is_its_equations(halting, steps, uneven):
    network = perturbed(uneven, halting=halting, steps=steps)
    batch = everything(uneven, network)
    attention = network(batch).trace.attention

    def answer(n, story, question):
        told = reference.tell(network, story, question)
        torch.testing.assert_close(attention[n, :, : told.looks.shape[1]], told.looks)
        return told.scores[0][1:]

    if halting == "act" and steps == 1:  # nothing halts in the only step: the weight is p
        network.b_halt.data.fill_(0.0)
    compare(network, batch, answer)


@pytest.mark.parametrize("halting", ["none", "act", "ponder"])
def test_what_is_learned_is_the_answer_and_the_cost_of_halting(halting, uneven):
    """In training: with dropout, and with a place where nothing is asked."""
    network = perturbed(uneven, halting=halting, halting_cost=0.3, halting_prior=0.4)
    batch = everything(uneven, network)
    answer = batch.answer.clone()
    answer[0] = PAD
    noise = network.noise(batch.told, torch.Generator().manual_seed(0))
    batch = batch._replace(answer=answer, noise=noise)
    terms = network.learn(batch)
    scale = noise.double() / 0.8
    expected = {"answer": 0.0, "halting": 0.0}
    for n, story, question in questions(batch):
        d = 8
        kept = [[scale[n, (1 + 2 * t + part) * d :][:d] for part in (0, 1)] for t in range(3)]
        whole = reference.encode
        try:  # what is kept of the input is a part of its encoding
            reference.encode = lambda *given, of=scale[n, :d], plain=whole: plain(*given) * of
            told = reference.tell(network, story, question, kept)
        finally:
            reference.encode = whole
        losses = [-scores.log_softmax(0)[batch.answer[n]] for scores in told.scores]
        if halting != "ponder":
            expected["answer"] += losses[0]
            expected["halting"] += 0.3 * told.cost
            continue
        prior = [0.4, 0.6 * 0.4, 0.6**2]
        for p, of_prior, loss in zip(told.halts, prior, losses, strict=True):
            expected["answer"] += p * loss
            expected["halting"] += 0.3 * p * (p.log() - math.log(of_prior))
    assert set(terms) == ({"answer"} if halting == "none" else {"answer", "halting"})
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name])
    weights = list(network.parameters())
    ours = torch.autograd.grad(sum(terms.values()), weights)
    theirs = torch.autograd.grad(expected["answer"] + expected["halting"], weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_a_question_answers_with_what_its_steps_say(uneven):
    """`ponder` outside of training: the steps' answers, each with its probability."""
    network = perturbed(uneven, halting="ponder")
    batch = everything(uneven, network)
    scores = network(batch).scores
    for n, story, question in questions(batch):
        told = reference.tell(network, story, question)
        mixed = sum(p * of.softmax(0) for p, of in zip(told.halts, told.scores, strict=True))
        torch.testing.assert_close(scores[n].exp(), mixed)


@pytest.mark.parametrize("halting", ["none", "act", "ponder"])
def test_restarts_with_halting_are_single_runs(halting, uneven):
    networks = []
    for seed in range(3):
        torch.manual_seed(seed)
        options = {"dim": 8, "feed_forward": 5, "heads": 2, "steps": 3, "halting": halting}
        networks.append(UniversalTransformer(**uneven.sizes._asdict(), **options).double())
    ensemble, batch = Ensemble(networks), everything(uneven, networks[0])
    ensemble.differentiate(batch)
    for network, gradient in zip(networks, ensemble.weights.grad, strict=True):
        loss = sum(network.learn(batch).values())
        alone = torch.autograd.grad(loss, list(network.parameters()))
        torch.testing.assert_close(gradient, torch.cat([of.flatten() for of in alone]))


def test_one_step_is_a_layer_and_tied_steps_add_their_gradients(uneven):
    network = perturbed(uneven, steps=2, dropout=0.0)
    batch = everything(uneven, network)
    names = ("W_Q", "W_K", "W_V", "W_O", "W_1", "b_1", "W_2", "b_2")
    tied = [getattr(network, name) for name in names]
    (network(batch).scores ** 2).sum().backward()
    copies = [[weight.detach().clone().requires_grad_() for weight in tied] for _ in range(2)]
    features = network.encode(batch)
    d = network.words.shape[1]
    s = torch.cat([network.write(features, batch), features[1][batch.question][:, None]], dim=1)
    seen = torch.cat([batch.stories != PAD, torch.ones(len(s), 1, dtype=torch.bool)], dim=1)
    P = torch.tensor(
        [reference.coordinate(i, d) for i in (*range(batch.stories.shape[1]), network.index)], dtype=s.dtype
    )
    for step, own in enumerate(copies):
        y = s + P + network.of_step[step] * d**0.5
        s, _ = transform(y, seen, Layer(network.gain[:2], network.shift[:2], *own), network.heads)
    means = torch.stack([network.pool(s, seen.double() / seen.sum(1, keepdim=True))])[0]
    (network.respond(means) ** 2).sum().backward()
    for weight, *of in zip(tied, *copies, strict=True):
        torch.testing.assert_close(weight.grad, of[0].grad + of[1].grad)


def test_a_token_halts_where_its_probabilities_reach_one():
    p = torch.tensor([[0.73, 0.73, 0.9], [0.5, 0.495, 0.9], [0.1, 0.2, 0.3], [0.995, 0.1, 0.1]]).double()
    p.requires_grad_()
    weights, cost = act_weights(p[..., None])
    expected = [[0.73, 0.27, 0], [0.5, 0.5, 0], [0.1, 0.2, 0.3], [1, 0, 0]]
    torch.testing.assert_close(weights[..., 0], torch.tensor(expected).double())
    torch.testing.assert_close(cost[:, 0], torch.tensor([2.27, 2.5, 3, 2]).double())
    # more probability in the steps before halting leaves less for the last: the cost falls
    slope = torch.autograd.grad(cost.sum(), p)[0]
    torch.testing.assert_close(slope, torch.tensor([[-1.0, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 0]]).double())


def test_halting_at_first_is_at_the_second_step(uneven):
    """With a bias of 1, p is 0.73; the recursion weighs the states with 0.73 * 0.73 and 0.27."""
    network = perturbed(uneven, halting="act", steps=3)
    network.w_halt.data.zero_()
    network.b_halt.data.fill_(1.0)
    batch = everything(uneven, network)
    features = network.encode(batch)
    course = network.walk(network.write(features, batch), features, batch)
    p = 1 / (1 + math.exp(-1))
    mixed = p**2 * course.after[0] + (1 - p) * course.after[1]
    torch.testing.assert_close(network.recall(course), network.pool(mixed, course.share))


def test_probabilities_to_halt_sum_to_one():
    torch.manual_seed(0)
    p = stops(torch.randn(4, 5).double() * 3).exp()
    torch.testing.assert_close(p.sum(-1), torch.ones(4).double())
    torch.testing.assert_close(stops(torch.zeros(2, 3)).exp(), torch.tensor([[0.5, 0.25, 0.25]]).expand(2, 3))
    assert stops(torch.randn(2, 1)).eq(0).all()


def test_order_of_words_is_learned(uneven):
    network = UniversalTransformer(**uneven.sizes._asdict(), dim=8, feed_forward=5, heads=2)
    batch = everything(uneven, network)
    turned = batch._replace(sentences=batch.sentences.flip(1))
    torch.testing.assert_close(network.encode(batch)[0], network.encode(turned)[0])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    sum(network.learn(batch).values()).backward()
    optimizer.step()
    words = (batch.sentences != PAD).sum(1) > 1
    assert not torch.allclose(network.encode(batch)[0][words], network.encode(turned)[0][words])


def test_options_that_do_not_fit(uneven):
    for options, said in (
        ({"dim": 10}, r"model.dim=10: expected a multiple of model.heads=4"),
        ({"dropout": 1.0}, r"model.dropout=1\.0: expected less than 1"),
        ({"halting_prior": 0.0}, r"model.halting_prior=0\.0: expected a number between 0 and 1"),
        ({"halting": "never"}, r"model.halting=never: expected none or act or ponder"),
    ):
        with pytest.raises(ValueError, match=said):
            UniversalTransformer(**uneven.sizes._asdict(), **options)
    assert UniversalTransformer(**uneven.sizes._asdict(), dropout=0.0).noise(torch.ones(2), torch.Generator()) is None
