"""The LSTM against its equations, in value and in gradient."""

import torch

from tests.reference import lstm as reference
from tests.reference.compare import compare
from zoo.models.lstm import LSTM


def test_lstm_is_its_equations(uneven):
    torch.manual_seed(3)
    network = LSTM(**uneven.sizes._asdict(), dim=5, embedding=3).double()
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7]))
    compare(network, batch, lambda n, story, question: reference.answer(network, story, question))
