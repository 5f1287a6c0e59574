"""QRN against its equations, in value and in gradient; and recurrences without a loop against those with one."""

import dataclasses

import pytest
import torch
from torch import Tensor

from tests.reference import qrn as reference
from tests.reference.compare import compare
from zoo.models.qrn import QRN
from zoo.parts.queries import last, scan, scan_back


def perturbed(corpus, **options) -> QRN:
    torch.manual_seed(5)
    network = QRN(**corpus.sizes._asdict(), dim=6, **options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return network


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("gates", ["scalar", "vector"])
def test_qrn_is_its_equations(layers, gates, uneven):
    network = perturbed(uneven, layers=layers, gates=gates, memory_size=4)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    trace = network(batch).trace.attention

    def answer(n, story, question):
        scores, gates = reference.answer(network, story, question, uneven.sentences.shape[1])
        torch.testing.assert_close(trace[n, :, : gates.shape[1]], gates)
        return scores

    compare(network, batch, answer)


def test_of_no_sentence_nothing_is_known(uneven):
    network = perturbed(uneven)
    batch = uneven.by_question(uneven.train, torch.arange(2), network.window)
    batch = batch._replace(stories=torch.zeros_like(batch.stories), told=torch.zeros_like(batch.told))
    assert (network(batch).scores == 0).all()


def test_order_counts(uneven):
    network = perturbed(uneven)
    numbers = (uneven.train.told == 4).nonzero()[:, 0]
    batch = uneven.by_question(uneven.train, numbers, 4)
    turned = network(batch._replace(stories=batch.stories.flip(1))).scores
    assert not torch.isclose(turned, network(batch).scores)[:, 1:].any()


def test_gates_begin_nearly_closed(uneven):
    torch.manual_seed(0)
    network = QRN(**uneven.sizes._asdict())
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    gates = network(batch).trace.attention[:, 0][batch.stories != 0].detach()
    assert abs(float(gates.mean()) - 0.076) < 0.002  # sigmoid(-2.5)
    assert float(gates.std()) < 0.01
    wild = QRN(**uneven.sizes._asdict(), init="code")
    assert float(wild(batch).trace.attention[:, 0][batch.stories != 0].detach().std()) > 0.1


@pytest.mark.parametrize("layers", [1, 3])
def test_weights_cost_what_l2_says(layers, uneven):
    network = perturbed(uneven, layers=layers, l2=0.5)
    batch = uneven.by_question(uneven.train, torch.arange(3), network.window)
    often = {"words": 1, "W_y": 1, "W_h": layers, "W_z": layers, "W_r": layers - 1}
    costs = [often[name] * (of**2).sum() for name, of in network.named_parameters() if name in often]
    assert len(costs) == (5 if layers > 1 else 4)
    torch.testing.assert_close(network.loss(network(batch), batch)["l2"], 3 * 0.25 * sum(costs))


def test_half_the_position_encoding_is_nearly_the_papers(uneven):
    """(1 - j/J) - (k/d) (1 - 2 j/J), but for 1/d and 1/J."""
    J, d = 50, 60
    corpus = dataclasses.replace(uneven, sentences=torch.ones(1, J, dtype=torch.long))
    network = QRN(len(corpus.words), J, 1, dim=d)
    with torch.no_grad():
        network.words.fill_(1.0)
    one = [corpus.sentences.new_zeros(J, J).fill_diagonal_(1)]
    batch = uneven.by_question(uneven.train, torch.arange(1), 1)._replace(sentences=one[0])
    j, k = torch.arange(1, J + 1)[:, None], torch.arange(1, d + 1)
    paper = (1 - j / J) - k / d * (1 - 2 * j / J)
    torch.testing.assert_close(network.encode(batch), paper, rtol=0, atol=2 / d + 2 / J)


def looped(keep: Tensor, new: Tensor) -> Tensor:
    h, states = torch.zeros_like(new[:, 0]), []
    for t in range(new.shape[1]):
        h = keep[:, t].exp() * h + new[:, t]
        states.append(h)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 50])
def test_scans_are_loops(width, length):
    torch.manual_seed(0)
    logit = (torch.randn(2, length, width, dtype=torch.double) * 3).requires_grad_()
    new = torch.randn(2, length, 3, dtype=torch.double, requires_grad=True)

    def same(fast, slow):
        torch.testing.assert_close(fast, slow)
        mixed = torch.randn_like(slow)
        ours, theirs = (
            torch.autograd.grad((of * mixed).sum(), [logit, new], retain_graph=True, materialize_grads=True)
            for of in (fast, slow)
        )
        torch.testing.assert_close(ours, theirs)

    keep = torch.nn.functional.logsigmoid(-logit)
    same(scan(keep, new), looped(keep, new))
    same(scan_back(keep, new), looped(keep.flip(1), new.flip(1)).flip(1))
    same(last(keep, new), looped(keep, new)[:, -1])


@pytest.mark.parametrize("gates", ["scalar", "vector"])
@pytest.mark.parametrize("much", [-300.0, 300.0])
def test_gates_wide_open_and_shut(gates, much, uneven):
    network = QRN(**uneven.sizes._asdict(), gates=gates)
    with torch.no_grad():
        network.b_z.fill_(much)
    batch = uneven.by_question(uneven.train, torch.arange(6), network.window)
    answer = network(batch)
    loss = network.loss(answer, batch)["answer"]
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, list(network.parameters())))
    if much < 0:
        torch.testing.assert_close(answer.scores, torch.zeros_like(answer.scores))
