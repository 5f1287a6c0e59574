"""DMN+ against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import dmn_plus as reference
from tests.reference.compare import compare
from zoo.models.dmn_plus import DMNPlus


def test_dmn_plus_is_its_equations(uneven):
    torch.manual_seed(5)
    network = DMNPlus(**uneven.sizes._asdict(), memory_size=4, dim=5, passes=2).double()
    with torch.no_grad():
        for bias in (network.b, network.b_1, network.b_attend, network.b_m):
            bias.normal_(std=0.3)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    attention = network(batch).trace.attention

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, uneven.sentences.shape[1])
        torch.testing.assert_close(attention[n, :, : expected.shape[1]], expected)
        return scores

    compare(network, batch, answer)


def test_weights_cost_what_l2_says(uneven):
    network = DMNPlus(**uneven.sizes._asdict(), l2=0.5)
    batch = uneven.by_question(uneven.train, torch.arange(3), network.window)
    costs = {name: (of**2).sum() for name, of in network.named_parameters() if name != "words" and name[0] != "b"}
    assert len(costs) == 8
    expected = 3 * 0.5 * sum(costs.values())  # for each question
    torch.testing.assert_close(network.loss(network(batch), batch)["l2"], expected)


def test_dropout_drops_its_share_and_keeps_the_mean(uneven):
    network = DMNPlus(**uneven.sizes._asdict(), dropout=0.25)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    noise = network.noise(batch.told, torch.Generator().manual_seed(0))
    assert set(noise.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(float((noise == 0).float().mean()) - 0.25) < 0.02
    plain, dropped = network(batch), network(batch._replace(noise=noise))
    assert not torch.allclose(plain.scores, dropped.scores)
    whole = network(batch._replace(noise=torch.ones_like(noise)))
    torch.testing.assert_close(plain.scores, whole.scores)
    assert DMNPlus(**uneven.sizes._asdict(), dropout=0.0).noise(batch.told, torch.Generator()) is None
    with pytest.raises(ValueError, match=r"dropout=1\.0: expected less than 1"):
        DMNPlus(**uneven.sizes._asdict(), dropout=1.0)
