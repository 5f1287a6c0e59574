"""Working memory network against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import wmn as reference
from tests.reference.compare import compare
from zoo.models.wmn import WMN


def test_wmn_is_its_equations(uneven):
    torch.manual_seed(5)
    network = WMN(**uneven.sizes._asdict(), memory_size=4, dim=4, hops=2, heads=3, relation=5).double()
    with torch.no_grad():
        for bias in (network.b, network.t_down_bias, network.t_up_bias, network.g_bias):
            bias.normal_(std=0.3)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    attention = network(batch).trace.attention

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question)
        torch.testing.assert_close(attention[n, :, : expected.shape[1]], expected)
        return scores

    compare(network, batch, answer)


def test_weights_cost_what_l2_says(uneven):
    network = WMN(**uneven.sizes._asdict(), l2=0.5)
    batch = uneven.by_question(uneven.train, torch.arange(3), network.window)
    weights = ("W_head", "W_out", "t_down", "t_up", "g_1", "g_2", "g_3", "f")
    expected = 0.5 * sum((getattr(network, name) ** 2).sum() for name in weights)
    torch.testing.assert_close(network.loss(network(batch), batch)["l2"], expected)


def test_heads_begin_at_the_scale_of_one_layer_each_if_wanted(uneven):
    deviation = {}
    for head_init in ("stacked", "single"):
        torch.manual_seed(1)
        network = WMN(**uneven.sizes._asdict(), head_init=head_init)
        deviation[head_init] = float(network.W_head.detach().std())
        rest = torch.cat([p.detach().flatten() for name, p in network.named_parameters() if name != "W_head"])
        deviation[f"{head_init}, the rest"] = float(rest.std())
    assert deviation["stacked"] == pytest.approx((2 / (8 * 30 + 30)) ** 0.5, rel=0.02)
    assert deviation["single"] == pytest.approx((2 / (30 + 30)) ** 0.5, rel=0.02)
    assert deviation["stacked, the rest"] == deviation["single, the rest"]
