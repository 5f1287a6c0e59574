"""The Transformer against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import transformer as reference
from tests.reference.compare import compare
from zoo.models.transformer import Transformer


def test_transformer_is_its_equations(uneven):
    torch.manual_seed(5)
    network = Transformer(**uneven.sizes._asdict(), memory_size=4, dim=6, layers=2, heads=2, feed_forward=5).double()
    with torch.no_grad():
        for parameter in (network.b_1, network.b_2, network.shift, network.words, network.times, network.asked):
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
