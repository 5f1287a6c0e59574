"""Key-value memory network against its equations, in value and in gradient."""

import pytest
import torch

from tests.by_hand import compare
from tests.reference import kv_memnn as reference
from zoo.models.kv_memnn import KVMemNN


@pytest.mark.parametrize("hashing", [False, True])
@pytest.mark.parametrize("memories", ["sentences", "windows", "triples"])
def test_kv_memnn_is_its_equations(memories, hashing, uneven):
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
        encoding="bag",
        init_std=0.4,
    ).double()
    batch = uneven.by_question(uneven.train, torch.arange(len(uneven.train)), network.window)
    attention = network(batch).trace.attention
    has = [set(sentence.tolist()) for sentence in batch.sentences]
    common = {word for word in range(1, len(uneven.words)) if sum(word in words for words in has) > len(has) / 2}
    looked_at = []

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, common)
        kept = expected.shape[1]
        torch.testing.assert_close(attention[n, :, :kept], expected)
        looked_at.append(int((expected[0] > 0).sum()) < kept)
        return scores

    compare(network, batch, answer)
    assert any(looked_at) == hashing  # hashing has left something out


def test_time_can_be_left_out(uneven):
    network = KVMemNN(**uneven.sizes._asdict(), time=False)
    batch = uneven.by_question(uneven.train, torch.arange(4), network.window)
    assert network.noise(batch.told, torch.Generator()) is None
    turned = batch._replace(stories=torch.where(batch.stories > 0, batch.stories, 0).flip(1))
    torch.testing.assert_close(network(batch).scores, network(turned).scores)
