"""DMN+ against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import dmn_plus as reference
from tests.reference.compare import compare
from zoo.models.dmn_plus import DMNPlus, hashed


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


def test_elements_are_dropped_each_by_itself_before_the_fusion_layer(uneven):
    network = DMNPlus(**uneven.sizes._asdict(), dim=16, dropout=0.25, dropout_of="elements")
    batch = uneven.by_question(uneven.train, torch.arange(8), network.window)
    noise = network.noise(batch.told, torch.Generator().manual_seed(0))
    assert noise.shape == (8, 1 + 2 * 16)
    assert noise[:, 0].equal(noise[:, 0].int().float())  # whole numbers, which single precision holds
    # as if each fact were a sentence of its own, with a quarter of its elements zero, the others 4/3
    features = network.encode(batch)
    kept = hashed(noise[:, 0], 6, 16) >= 0.25
    facts = torch.where(kept, features[batch.stories] / 0.75, torch.zeros(()))
    table = torch.cat([torch.zeros(1, 16), facts.flatten(0, 1)])
    stories = torch.where(batch.stories == 0, 0, torch.arange(1, 49).view(8, 6))
    expected = network.write(table, batch._replace(stories=stories))
    torch.testing.assert_close(network.write(features, batch._replace(noise=noise)), expected)
    assert not torch.allclose(expected, network.write(features, batch))
    unmoved = noise.clone()
    unmoved[:, 1:] = 1.0
    answers = [network(batch._replace(noise=of)).scores for of in (noise, unmoved)]
    assert not torch.allclose(*answers)  # of [m; q] dimensions are dropped as before


def test_hashed_numbers_are_spread_evenly_and_depend_on_question_place_and_dimension():
    drawn = torch.randint(2**24, (300,), generator=torch.Generator().manual_seed(1)).float()
    numbers = hashed(drawn, 20, 32)
    assert 0 <= float(numbers.min()) < float(numbers.max()) < 1
    shares = torch.histc(numbers, bins=50, min=0, max=1) / numbers.numel()
    torch.testing.assert_close(shares, torch.full((50,), 0.02), rtol=0.04, atol=0)
    for table in (numbers.flatten(1), numbers.transpose(0, 1).flatten(1), numbers.movedim(2, 0).flatten(1)):
        likeness = torch.corrcoef(table[:20]) - torch.eye(20)
        assert likeness.abs().max() < 5 / table.shape[1] ** 0.5
    assert hashed(drawn, 7, 32).equal(numbers[:, :7])  # whatever the length of the longest story
