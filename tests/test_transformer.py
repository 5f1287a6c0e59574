"""The Transformer against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import transformer as reference
from tests.reference.compare import compare
from zoo.models.transformer import Transformer

ANOTHER = {"sees_question": True, "word_masks": True, "answers_from": "mean"}  # as in Dehghani et al. (2019)


@pytest.mark.parametrize("options", [{}, ANOTHER, *({name: value} for name, value in ANOTHER.items())])
def test_transformer_is_its_equations(options, uneven):
    torch.manual_seed(5)
    sizes = {"memory_size": 4, "dim": 6, "layers": 2, "heads": 2, "feed_forward": 5}
    network = Transformer(**uneven.sizes._asdict(), **sizes, **options).double()
    drawn = (network.b_1, network.b_2, network.shift, network.words, network.times, network.asked, network.masks)
    with torch.no_grad():
        for parameter in drawn:
            if parameter is not None:
                parameter.normal_(std=0.5)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    attention = network(batch).trace.attention

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, uneven.sentences.shape[1])
        torch.testing.assert_close(attention[n, :, : expected.shape[1]], expected)
        return scores

    compare(network, batch, answer)


def test_heads_must_divide_the_width(uneven):
    with pytest.raises(ValueError, match=r"model.dim=10: expected a multiple of model.heads=4"):
        Transformer(**uneven.sizes._asdict(), dim=10)


@pytest.mark.parametrize("time_noise", [0.0, 0.1])
def test_what_dropout_keeps_is_of_a_question_and_as_much_on_average(time_noise, uneven):
    network = Transformer(**uneven.sizes._asdict(), dim=64, layers=2, dropped=0.25, time_noise=time_noise)
    told = torch.full((400,), 6)
    noise = network.noise(told, torch.Generator().manual_seed(0))
    plain = Transformer(**uneven.sizes._asdict(), dim=64, layers=2, time_noise=time_noise)
    time = plain.noise(told, torch.Generator().manual_seed(0)) if time_noise else torch.arange(6, 0, -1).expand(400, -1)
    assert noise[:, :6].equal(time.short())
    assert noise.shape == (400, 6 + 5 * 64)
    assert float(noise[:, 6:].double().mean()) == pytest.approx(0.75, abs=0.01)
    assert len(noise[:, 6:].unique(dim=0)) == 400


def test_dropout_is_of_the_tokens_and_of_each_sublayer(uneven):
    """With nothing kept in one place, what feeds it gets no gradient."""
    network = Transformer(**uneven.sizes._asdict(), dim=8, layers=2, heads=2, dropped=0.5, time_noise=0.0, **ANOTHER)
    batch = uneven.by_question(uneven.train, torch.arange(8), network.window)
    time = network.noise(batch.told, torch.Generator().manual_seed(0))[:, : network.window]
    for place, unused in enumerate(((None, "words"), (0, "W_V"), (0, "W_1"), (1, "W_V"), (1, "W_1"))):
        kept = torch.ones(8, 5, 8, dtype=torch.short)
        kept[:, place] = 0
        noisy = batch._replace(noise=torch.cat([time, kept.flatten(1)], dim=1))
        network.zero_grad()
        sum(network.loss(network(noisy), noisy).values()).backward()
        for layer in range(2):
            for name in ("W_V", "W_1"):
                gradient = getattr(network, name).grad[layer].abs().sum()
                if (layer, name) == unused:
                    assert gradient == 0
                elif place:  # without any token of the input, later ones are all the same
                    assert gradient > 0
        assert (network.words.grad.abs().sum() == 0) == (place == 0)


def test_dropout_needs_something_to_keep(uneven):
    with pytest.raises(ValueError, match=r"model\.dropped=1\.0: expected less than 1"):
        Transformer(**uneven.sizes._asdict(), dropped=1.0)
