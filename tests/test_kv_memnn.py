"""Key-value memory network against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import kv_memnn as reference
from tests.reference.compare import compare
from zoo.models.kv_memnn import KVMemNN


@pytest.mark.parametrize(("hashing", "linear"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize(
    ("memories", "encoding"),
    [("sentences", "bag"), ("sentences", "position"), ("windows", "bag"), ("windows", "position"), ("triples", "bag")],
)
def test_kv_memnn_is_its_equations(memories, encoding, hashing, linear, uneven):
    torch.manual_seed(5)
    network = KVMemNN(
        **uneven.sizes._asdict(),
        memory_size=4,
        dim=5,
        hops=2,
        memories=memories,
        hashing=hashing,
        own_values=hashing,
        own_answers=memories != "triples",
        encoding=encoding,
        init_std=0.4,
    ).double()
    network.linear.fill_(linear)
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    attention = network(batch).trace.attention
    length = uneven.sentences.shape[1] if encoding == "position" else None
    looked_at = []

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, length)
        kept = expected.shape[1]
        torch.testing.assert_close(attention[n, :, :kept], expected)
        looked_at.append(int((expected[0] != 0).sum()) < kept)
        return scores

    compare(network, batch, answer)
    assert any(looked_at) == hashing  # hashing has left something out


def test_time_can_be_left_out(uneven):
    network = KVMemNN(**uneven.sizes._asdict(), time=False)
    batch = uneven.by_question(uneven.train, torch.arange(4), network.window)
    assert network.noise(batch.told, torch.Generator()) is None
    turned = batch._replace(stories=torch.where(batch.stories > 0, batch.stories, 0).flip(1))
    torch.testing.assert_close(network(batch).scores, network(turned).scores)


def test_triples_are_bags(uneven):
    with pytest.raises(ValueError, match=r"model.encoding=position: expected bag where model.memories=triples"):
        KVMemNN(**uneven.sizes._asdict(), memories="triples")


def test_there_is_a_window_for_each_word(uneven):
    sentences, windows = (KVMemNN(**uneven.sizes._asdict(), memories=kind) for kind in ("sentences", "windows"))
    assert windows.state_size(4) == uneven.sentences.shape[1] * sentences.state_size(4)
