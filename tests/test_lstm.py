"""The LSTM against its equations, in value and in gradient."""

import torch

from tests.reference import lstm as reference
from tests.reference.compare import compare
from zoo.models.lstm import LSTM, SequenceLSTM


def test_lstm_is_its_equations(uneven):
    torch.manual_seed(3)
    network = LSTM(**uneven.sizes._asdict(), dim=5, embedding=3).double()
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7]))
    compare(network, batch, lambda n, story, question: reference.answer(network, story, question))


def test_forget_gates_begin_open(uneven):
    for network in (LSTM(**uneven.sizes._asdict(), dim=5), SequenceLSTM(3, 2, dim=5, layers=2)):
        i, f, o, candidate = network.b.unflatten(-1, (4, 5)).unbind(-2)
        assert (f == 1).all()
        assert not torch.cat([i, o, candidate]).any()
