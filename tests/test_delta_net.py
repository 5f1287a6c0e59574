"""Fast weights against their equations, in value and in gradient, and what they keep and forget."""

import pytest
import torch
from torch import Tensor

from tasks.batch import Questions
from tests.reference import delta_net as reference
from tests.reference.compare import compare, questions
from zoo.models.delta_net import DeltaNet
from zoo.parts.fast_weights import correct, find

RULES = [
    {"rule": "tpr"},
    {"rule": "tpr", "hops": 1},
    {"rule": "delta", "writes": 1},
    {"rule": "delta", "writes": 3},
    {"rule": "delta", "writes": 1, "decay": True},
    {"rule": "delta", "writes": 3, "decay": True},
]


def network_of(corpus, **options) -> DeltaNet:
    """A small network, none of whose weights is what it begins with."""
    torch.manual_seed(3)
    network = DeltaNet(**corpus.sizes._asdict(), dim=4, entity=5, relation=3, hidden=4, **options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("options", RULES)
def test_delta_net_is_its_equations(options, uneven):
    network = network_of(uneven, **options)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 1, 2]))
    compare(network, batch, lambda n, story, question: reference.answer(network, story, question)[0])


@pytest.mark.parametrize("options", RULES)
def test_parts_of_sentences_sum_to_what_is_found(options, uneven):
    """Each sentence's part is the share along what was found; the trace is the part of those that added to it."""
    network = network_of(uneven, **options)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 1, 2]))
    features = network.encode(batch)
    D, faded = network.write(features, batch)
    trace = network(batch).trace.attention
    entity, relation = features[3][batch.question], features[4][batch.question][:, :3]
    found, parts = find(features[0], D, batch, entity, relation, faded)
    for n, story, question in questions(batch):
        torch.testing.assert_close(found[n], reference.answer(network, story, question)[1][0])
        torch.testing.assert_close(parts[n].sum(), parts.new_ones(()))
        assert (parts[n, len(story) :] == 0).all()
        assert (trace[n, 0] == parts[n].clamp(min=0)).all()


@pytest.mark.parametrize("options", RULES)
def test_a_cut_story_answers_as_a_whole_one_did_on_the_way(options, uneven):
    network = network_of(uneven, **options)
    batch = uneven.by_story(uneven.train, torch.tensor([0]))
    whole = network(batch).scores
    for n, told in enumerate(batch.told.tolist()):
        cut = batch._replace(stories=batch.stories[:, : max(told, 1)], told=batch.told.clamp(max=told))
        torch.testing.assert_close(network(cut).scores[n], whole[n])
        torch.testing.assert_close(network(batch._replace(stories=batch.stories.repeat(1, 2))).scores[n], whole[n])
    backwards = batch._replace(question=batch.question.flip(0), told=batch.told.flip(0))
    torch.testing.assert_close(network(backwards).scores, whole.flip(0))


@pytest.mark.parametrize("options", RULES)
def test_before_the_first_sentence_nothing_is_found(options, uneven):
    network = network_of(uneven, **options)
    batch = uneven.by_story(uneven.train, torch.tensor([0]))
    batch = batch._replace(told=torch.zeros_like(batch.told))
    answer = network(batch)
    torch.testing.assert_close(
        answer.scores[:, 1:], (network.shift.sum() * network.Z.sum(1)).expand(len(batch.told), -1)
    )
    sum(network.loss(answer, batch).values()).backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


class Memory:
    """A memory that is told by hand; keys and entities of a few dimensions, one sentence a row of the table."""

    def __init__(self, writes: int, at_once: bool, told: list[list[tuple[Tensor, Tensor, Tensor, Tensor]]]) -> None:
        """Take for every sentence its writes: e and r of the key, s, the r of what is subtracted, and held."""
        self.keys = torch.stack([torch.cat([part for e, r, _, _ in one for part in (e, r)]) for one in told])
        wanted = torch.stack([torch.cat([part for _, _, s, held in one for part in (s, held)]) for one in told])
        self.told = len(told)
        self.entity = len(told[0][0][0])
        self.D = correct(self.keys, wanted, self.batch(self.told), self.entity, writes, at_once, None)

    def batch(self, told: int) -> Questions:
        nothing = torch.zeros(1, dtype=torch.long)
        return Questions(
            nothing[:, None], torch.arange(self.told)[None], nothing, nothing + told, nothing, nothing, nothing[:, None]
        )

    def at(self, e: Tensor, r: Tensor, told: int | None = None) -> Tensor:
        batch = self.batch(self.told if told is None else told)
        return find(self.keys, self.D, batch, e[None], r[None], None)[0][0]


E, Q = torch.eye(4, dtype=torch.double), torch.eye(3, dtype=torch.double)


def test_a_second_write_to_a_key_replaces_the_first_and_leaves_others_alone():
    one, two, three = torch.randn(3, 4, dtype=torch.double)
    memory = Memory(1, False, [[(E[0], Q[0], Q[0], one)], [(E[1], Q[0], Q[0], two)], [(E[0], Q[0], Q[0], three)]])
    torch.testing.assert_close(memory.at(E[0], Q[0], told=2), one)
    torch.testing.assert_close(memory.at(E[0], Q[0]), three)
    torch.testing.assert_close(memory.at(E[1], Q[0]), two)
    assert memory.at(E[0], Q[1]).abs().max() == 0


def test_a_move_keeps_the_value_that_was_replaced():
    """Two sentences with the three writes of TPR-RNN: Mary is in the kitchen, then in the garden."""
    mary, kitchen, garden, _ = E
    here, before, of = Q

    def writes(place: Tensor) -> list:
        return [
            (mary, here, here, place),
            (mary, before, before - here, torch.zeros_like(place)),
            (place, of, of, mary),
        ]

    memory = Memory(3, True, [writes(kitchen), writes(garden)])
    torch.testing.assert_close(memory.at(mary, here), garden)
    torch.testing.assert_close(memory.at(mary, before), kitchen)
    torch.testing.assert_close(memory.at(garden, of), mary)
    torch.testing.assert_close(memory.at(kitchen, of), mary)


def test_a_chain_of_reads_finds_the_place_of_an_object():
    """The milk is with Mary, Mary is in the kitchen; two reads give the kitchen."""
    milk, mary, kitchen, garden = E
    held_by, is_in, _ = Q
    memory = Memory(
        1, False, [[(mary, is_in, is_in, garden)], [(milk, held_by, held_by, mary)], [(mary, is_in, is_in, kitchen)]]
    )
    torch.testing.assert_close(memory.at(memory.at(milk, held_by), is_in), kitchen)
    torch.testing.assert_close(memory.at(memory.at(milk, held_by), is_in, told=2), garden)


def test_a_shut_gate_writes_nothing_and_an_open_fade_forgets_all(uneven):
    batch = uneven.by_story(uneven.train, torch.tensor([0]))
    network = network_of(uneven, rule="delta", writes=2, decay=True)
    with torch.no_grad():
        network.b_beta.fill_(-1e3)
    assert network.write(network.encode(batch), batch)[0].abs().max() == 0
    network = network_of(uneven, rule="delta", writes=2, decay=True)
    with torch.no_grad():
        network.b_alpha.fill_(1e3)
    features = network.encode(batch)
    D, faded = network.write(features, batch)
    _, parts = find(features[0], D, batch, features[3][batch.question], features[4][batch.question][:, :3], faded)
    last = torch.nn.functional.one_hot(batch.told - 1, batch.stories.shape[1])
    torch.testing.assert_close(parts, last.double())


def test_rule_of_tpr_has_three_writes_and_no_decay(uneven):
    with pytest.raises(ValueError, match=r"model\.writes=2: expected 3 where model\.rule=tpr"):
        DeltaNet(**uneven.sizes._asdict(), writes=2)
    with pytest.raises(ValueError, match=r"model\.decay=true: expected false where model\.rule=tpr"):
        DeltaNet(**uneven.sizes._asdict(), decay=True)
