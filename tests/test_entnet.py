"""EntNet against its equations, in value and in gradient."""

import pytest
import torch

from tests.reference import entnet as reference
from tests.reference.compare import compare
from zoo.models.entnet import EntNet


@pytest.mark.parametrize("keys", ["free", "tied"])
def test_entnet_is_its_equations(keys, uneven):
    torch.manual_seed(3)
    network = EntNet(**uneven.sizes._asdict(), slots=3, dim=4, keys=keys, init_std=0.5).double()
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7, 2]))
    attention = network(batch).trace.attention

    def answer(n, story, question):
        scores, p, gates = reference.answer(network, story, question)
        torch.testing.assert_close(attention[n, 0, : len(story)], gates @ p)
        return scores

    compare(network, batch, answer)


def test_begins_as_the_authors_code_does(uneven):
    """Masks of questions and slopes at 1; the masks of stories as small as all other weights."""
    network = EntNet(**uneven.sizes._asdict())
    assert (network.question_mask == 1).all()
    assert (network.slope == 1).all()
    assert network.story_mask.abs().max() < 0.6


def test_a_slot_keeps_what_another_sentence_is_not_about(uneven):
    """With its gate shut, a slot stays as it was."""
    network = EntNet(**uneven.sizes._asdict(), slots=3, dim=4).double()
    with torch.no_grad():
        network.gate_bias.fill_(-1e4)
    batch = uneven.by_story(uneven.train, torch.tensor([0]))
    asked, gates = network.write(network.encode(batch), batch)
    assert (gates == 0).all()
    torch.testing.assert_close(asked[-1], network.keys / network.keys.norm(dim=-1, keepdim=True))
