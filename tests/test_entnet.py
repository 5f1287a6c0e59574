"""EntNet against its equations, in value and in gradient."""

import pytest
import torch

from tasks.batch import PAD
from tests.reference import entnet as reference
from zoo.models.entnet import EntNet


@pytest.mark.parametrize("keys", ["free", "tied"])
def test_entnet_is_its_equations(keys, uneven):
    torch.manual_seed(3)
    network = EntNet(**uneven.sizes._asdict(), slots=3, dim=4, keys=keys, init_std=0.5).double()
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7, 2]))
    answer = network(batch)

    def words(row: int) -> list[int]:
        return [word for word in batch.sentences[row].tolist() if word != PAD]

    loss = torch.zeros((), dtype=torch.double)
    asked = 0
    for n in range(len(batch.answer)):
        if batch.answer[n] == PAD:
            continue
        asked += 1
        told = int(batch.told[n])
        story = [words(row) for row in batch.stories[batch.story[n]].tolist()[:told]]
        scores, p, gates = reference.answer(network, story, words(int(batch.question[n])))
        torch.testing.assert_close(answer.scores[n, 1:], scores)
        torch.testing.assert_close(answer.trace.attention[n, 0, :told], gates @ p)
        loss = loss - torch.cat([scores.new_zeros(1), scores]).log_softmax(0)[batch.answer[n]]
    assert asked == 3 + 1 + 2 + 3
    torch.testing.assert_close(network.loss(answer, batch)["answer"], loss)
    ours = torch.autograd.grad(network.loss(answer, batch)["answer"], list(network.parameters()))
    theirs = torch.autograd.grad(loss, list(network.parameters()))
    for (name, _), one, other in zip(network.named_parameters(), ours, theirs, strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_a_slot_keeps_what_another_sentence_is_not_about(uneven):
    """With its gate shut, a slot stays as it was."""
    network = EntNet(**uneven.sizes._asdict(), slots=3, dim=4).double()
    with torch.no_grad():
        network.gate_bias.fill_(-1e4)
    states, gates = network.write(network.encode(uneven.by_story(uneven.train, torch.tensor([0]))),
                                  uneven.by_story(uneven.train, torch.tensor([0])))  # fmt: skip
    assert (gates == 0).all()
    torch.testing.assert_close(states[0, -1], network.keys / network.keys.norm(dim=-1, keepdim=True))
