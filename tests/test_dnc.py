"""Differentiable neural computer against its equations, in value and in gradient, and what holds of its parts."""

from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F

from tests.reference import dnc as reference
from tests.reference.compare import compare
from zoo.models.dnc import DNC, SequenceDNC
from zoo.parts.computers import State
from zoo.parts.linked import Said, allocation, sizes, use


def small(uneven, **options) -> DNC:
    torch.manual_seed(5)
    sizes = {"slots": 5, "width": 3, "dim": 5, "embedding": 4, "read_heads": 2}
    network = DNC(**uneven.sizes._asdict(), **sizes, **options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.6)
    return network


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("links", [False, True])
def test_dnc_is_its_equations(links, normalise, uneven):
    network = small(uneven, links=links, normalise=normalise)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4, 7]))
    trace = network(batch).trace.attention

    def answer(n, story, question):
        scores, expected = reference.answer(network, story, question, uneven.sentences.shape[1])
        torch.testing.assert_close(trace[n, :, : len(story)], expected)
        return scores

    compare(network, batch, answer)


def test_dropout_has_one_mask_for_all_of_a_story(uneven):
    """The mask is that of its first question. It acts around the memory only."""
    network = small(uneven, dropout=0.4)
    batch = uneven.by_story(uneven.train, torch.tensor([0, 4]))
    noise = network.noise(batch.told, torch.Generator().manual_seed(1)).double()
    assert set(noise.unique().tolist()) == {0.0, noise.max().item()}
    assert noise.max() == pytest.approx(1 / 0.6)
    first = {int(story): n for n, story in reversed(list(enumerate(batch.story)))}
    given = batch._replace(noise=noise)

    def answer(n, story, question):
        kept = noise[first[int(batch.story[n])]]
        return reference.answer(network, story, question, uneven.sentences.shape[1], kept)[0]

    compare(network, given, answer)
    assert not torch.allclose(network(given).scores, network(batch).scores)


def states(network: SequenceDNC, steps: int, count: int = 2) -> list[State]:
    """The states of a machine that hears noise."""
    x, state, found = (
        torch.randn(steps, count, 9, dtype=torch.double) @ network.W_x.T,
        network.begin(count, network.slots),
        [],
    )
    for heard in x:
        state = network.step(heard, None, state)
        found.append(state)
    return found


def machine(slots: int = 5, heads: int = 2, std: float = 1.0) -> SequenceDNC:
    torch.manual_seed(2)
    network = SequenceDNC(9, 8, slots=slots, width=3, dim=4, read_heads=heads).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=std)
    return network


def test_every_step_is_that_of_the_transcription():
    """All of the state, for many steps, and also where rows have been freed and rewritten."""
    network = machine()
    x = torch.randn(9, 9, dtype=torch.double)
    state, slow = network.begin(1, network.slots), reference.Machine(network)
    for heard in x:
        state = network.step((network.W_x @ heard)[None], None, state)
        slow.hear(network.W_x @ heard)
        torch.testing.assert_close(state.rows.usage[0], torch.stack(slow.usage))
        torch.testing.assert_close(state.rows.writing[0], torch.stack(slow.writing))
        torch.testing.assert_close(state.rows.memory[0].T, torch.stack(slow.rows))
        torch.testing.assert_close(state.rows.links[0], torch.stack([torch.stack(row) for row in slow.links]))
        torch.testing.assert_close(state.rows.precedence[0], torch.stack(slow.precedence))
        torch.testing.assert_close(state.rows.reading[0], torch.stack([torch.stack(w) for w in slow.reading]))
        torch.testing.assert_close(state.rows.reads[0], torch.stack(slow.reads))


def test_weights_are_never_more_than_all():
    tiny = 1e-9
    for state in (state.rows for state in states(machine(std=3.0), 12)):
        assert (state.usage >= -tiny).all()
        assert (state.usage <= 1 + tiny).all()
        for weights in (state.writing, state.precedence, *state.reading.unbind(1)):
            assert (weights >= -tiny).all()
            assert (weights.sum(-1) <= 1 + tiny).all()
        assert (state.links >= -tiny).all()
        assert state.links.diagonal(dim1=1, dim2=2).abs().max() == 0
        assert (state.links.sum(1) <= 1 + tiny).all()
        assert (state.links.sum(2) <= 1 + tiny).all()


@pytest.mark.parametrize(
    "usage", [[0.0, 0.0, 0.0, 0.0], [0.5, 0.2, 0.5, 0.2], [1.0, 1.0, 1.0, 1.0], [0.9, 0.0, 1.0, 0.3]]
)
def test_allocation_takes_rows_by_rising_usage_and_ties_in_order(usage):
    given = torch.tensor([usage], dtype=torch.double, requires_grad=True)
    u = 1e-6 + (1 - 1e-6) * given[0]
    expected, left = [None] * 4, torch.ones((), dtype=torch.double)
    for i in sorted(range(4), key=lambda i: (usage[i], i)):
        expected[i], left = (1 - u[i]) * left, left * u[i]
    a = allocation(given)
    torch.testing.assert_close(a[0], torch.stack(expected))
    assert a.sum() <= 1 + 1e-9
    weights = torch.randn(4, dtype=torch.double)
    ours, theirs = (torch.autograd.grad((weights * one).sum(), given)[0] for one in (a[0], torch.stack(expected)))
    torch.testing.assert_close(ours, theirs)


def hard(slots: int = 6, free: float = -40.0) -> SequenceDNC:
    """A machine that in every step writes what it hears to an unused row, and reads forward from where it read."""
    network = SequenceDNC(3, 3, slots=slots, width=3, dim=6).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        d = network.dim
        network.b[:d], network.b[d : 2 * d], network.b[2 * d : 3 * d] = 40.0, -40.0, 40.0  # h = tanh(tanh(x)): no past
        network.W_x[3 * d : 3 * d + 3] = torch.eye(3)
        starts = dict(zip(Said._fields, [0, *accumulate(sizes(1, 3, links=True))], strict=False))
        network.W_said[starts["add"] : starts["add"] + 3, :3] = torch.eye(3)
        network.b_said[starts["erase"] : starts["erase"] + 3] = 40.0
        network.b_said[starts["allocate"]], network.b_said[starts["write"]] = 40.0, 40.0
        network.b_said[starts["free"]] = free
        network.b_said[starts["modes"] + 2] = 40.0
    return network


def told(network: SequenceDNC, steps: int, state: State | None = None) -> list[State]:
    state, found = state or network.begin(1, network.slots), []
    for step in range(steps):
        x = F.one_hot(torch.tensor([step % 3]), 3).double() * (1 + step)
        state = network.step(x @ network.W_x.T, None, state)
        found.append(state)
    return found


def test_every_step_writes_to_a_row_that_is_not_in_use():
    found = told(hard(), 6)
    written = [int(state.rows.writing.argmax()) for state in found]
    assert sorted(written) == [0, 1, 2, 3, 4, 5]
    assert all(state.rows.writing.max() > 0.99 for state in found)
    # what a row holds is what was told when it was written
    for step, row in enumerate(written):
        expected = torch.zeros(3, dtype=torch.double)
        expected[step % 3] = torch.tanh(torch.tanh(torch.tensor(1.0 + step)))
        torch.testing.assert_close(found[-1].rows.memory[0, :, row], expected, atol=1e-3, rtol=0)


def test_links_read_rows_in_the_order_of_writing():
    network = hard()
    found = told(network, 5)
    written = [int(state.rows.writing.argmax()) for state in found]
    reading = F.one_hot(torch.tensor([[written[0]]]), network.slots).double()
    for row in written[1:]:
        reading = reading @ found[-1].rows.links.mT
        assert int(reading.argmax()) == row
        assert reading.max() > 0.98


def test_links_that_are_not_read_change_nothing():
    """A machine that reads by content only is the one without links."""
    torch.manual_seed(4)
    sizes = {"slots": 5, "width": 3, "dim": 4, "read_heads": 2}
    linked, plain = SequenceDNC(9, 8, **sizes).double(), SequenceDNC(9, 8, links=False, **sizes).double()
    weights = linked.state_dict()
    said = len(plain.b_said)
    with torch.no_grad():
        linked.b_said[said:] = torch.tensor([-60.0, 60.0, -60.0]).repeat(2)
    plain.load_state_dict(weights | {"W_said": weights["W_said"][:said], "b_said": weights["b_said"][:said]})
    torch.manual_seed(6)
    one = states(linked, 6)[-1]
    torch.manual_seed(6)
    other = states(plain, 6)[-1]
    torch.testing.assert_close(one.h, other.h)
    torch.testing.assert_close(one.rows.reads, other.rows.reads)
    assert one.rows.links.any()


def test_a_row_that_is_freed_is_written_next():
    network = hard(free=40.0)
    state = told(network, 5)[-1]
    row = 2
    read = F.one_hot(torch.tensor([[row]]), network.slots).double()
    state = state._replace(rows=state.rows._replace(reading=read))
    after = network.step(network.b.new_zeros(1, 4 * network.dim), None, state)
    assert int(after.rows.writing.argmax()) == row


def test_no_gradient_flows_from_usage_into_what_was_written_with():
    memory = states(machine(), 3)[-1].rows
    writing = memory.writing.detach().requires_grad_()
    usage = use(torch.full((2, 2), 0.5, dtype=torch.double, requires_grad=True), memory._replace(writing=writing))
    assert usage.requires_grad
    assert torch.autograd.grad(usage.sum(), writing, allow_unused=True)[0] is None


def test_more_rows_at_test_copy_as_well():
    """Rows are exchangeable, and their number is no shape of a weight."""
    few, many = hard(slots=6), hard(slots=24)
    many.load_state_dict(few.state_dict())
    for one, other in zip(told(few, 5), told(many, 5), strict=True):
        assert sorted(one.rows.memory.abs().sum(1)[0].tolist())[-5:] == pytest.approx(
            sorted(other.rows.memory.abs().sum(1)[0].tolist())[-5:], abs=1e-3
        )


def test_gradients_are_finite_from_an_empty_memory_and_after_many_saturated_steps():
    network = machine(std=6.0)
    for steps in (1, 60):
        state = states(network, steps)[-1]
        gradients = torch.autograd.grad(
            sum(part.sum() for part in (state.h, state.c, *state.rows)), list(network.parameters()), allow_unused=True
        )
        assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)
