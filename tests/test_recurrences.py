"""Kernels of recurrences, attention and the NTM beside their plain forms: values and gradients, at odd sizes."""

import pytest
import torch
from torch import Tensor

from tasks.batch import PAD
from zoo import kernels
from zoo.models.ntm import NTM
from zoo.parts import cells, facts, heads, layers, queries
from zoo.parts.machines import State

pytestmark = pytest.mark.skipif(not kernels.available(), reason="kernels need a C++ compiler")
DIMS = (1, 7, 33)


@pytest.fixture(autouse=True)
def always_the_same():
    torch.manual_seed(0)


def randn(*shape: int) -> Tensor:
    """Numbers small enough that few slopes of tanh vanish."""
    return torch.randn(*shape) * 0.6


def weights(*shape: int) -> Tensor:
    return torch.randn(*shape) * shape[-1] ** -0.5


def some_of(*shape: int) -> Tensor:
    """Draw which places are taken: the first always, others mostly."""
    there = torch.rand(*shape) < 0.7
    there[..., 0] = True
    return there


def differentiated(function, given: list[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
    """The output of a function, and the gradients of all numbers that it takes."""
    given = [one.clone().requires_grad_() if is_float(one) else one for one in given]
    output = function(*given)
    mixed = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output).sin()
    return output, torch.autograd.grad((output * mixed).sum(), [one for one in given if is_float(one)])


def is_float(one: Tensor | None) -> bool:
    return one is not None and one.is_floating_point()


def compare(function, *given: Tensor | None) -> None:
    """Holds the kernel against the plain form in double precision, and restarts against a single network."""
    with kernels.switched(True):
        output, gradients = differentiated(function, list(given))
        three = [None if one is None else torch.stack([one] * 3) for one in given]
        axes = tuple(None if one is None else 0 for one in given)
        together, of_each = differentiated(torch.vmap(function, in_dims=axes), three)
        assert together[1].equal(output)
    with kernels.switched(False):
        single = differentiated(function, list(given))[1]
    exact, slopes = differentiated(function, [one.double() if is_float(one) else one for one in given])
    torch.testing.assert_close(output.double(), exact, rtol=1e-5, atol=1e-5)
    for one, other, plain in zip(gradients, slopes, single, strict=True):
        # as far from the truth as the plain form is in single precision, which near a kink or a flat slope is some way
        least = max(1e-5 * float(other.norm()), 4 * float((plain - other).norm()), 5e-6)
        assert float((one - other).norm()) <= least
    assert all(one.isfinite().all() for one in of_each)


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize("gates", [3, 4])
@pytest.mark.parametrize(("count", "length"), [(1, 1), (5, 9)])
def test_states_where_they_are_asked_for(d, gates, count, length):
    words = torch.randint(0, 6, (count, length))
    words[-1] = 3  # all there
    if count > 1:
        words[0] = PAD  # nothing is told
    at = torch.randint(0, count * (length + 1), (7,))
    state = randn(count, 2 * d if gates == 4 else d)
    compare(lambda x, h, U: cells.recur(x, words, at, h, U), randn(6, gates * d), state, weights(gates * d, d))


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize("gates", [2, 3])
@pytest.mark.parametrize(("count", "length"), [(1, 1), (5, 9)])
def test_states_that_gates_let_in(d, gates, count, length):
    there = some_of(count, length)

    def last(x: Tensor, U: Tensor, gate: Tensor) -> Tensor:
        return cells.let_in(x, there, U, torch.where(there, gate, 0.0))

    compare(last, randn(count, length, gates * d), weights(gates * d, d), torch.rand(count, length))


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize(("count", "length"), [(1, 1), (9, 11)])
def test_facts_compared(d, count, length):
    seen = some_of(count, length)
    f, v, base, own = randn(count, length, d), randn(count, d), randn(count, length, d), randn(count, d)
    times, minus, mapped = weights(d, d), weights(d, d), randn(count, length, d)

    def z(f: Tensor, v: Tensor, times: Tensor, minus: Tensor) -> Tensor:
        return torch.where(seen[..., None], facts.compare(f, v, seen, None, None, times, minus), 0.0)

    def scores(f, v, base, own, times, minus, mapped, w_mapped, W_2) -> Tensor:
        found = facts.compare(f, v, seen, base, own, times, minus, mapped, w_mapped, W_2)
        return torch.where(seen, found, 0.0)

    compare(z, f, v, times, minus)
    compare(scores, f, v, base, own, times, minus, mapped, weights(d, 1) * 0.3, weights(1, d))


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize(("count", "slots", "number"), [(1, 1, 1), (5, 19, 3)])
def test_heads_attend(d, count, slots, number):
    seen = some_of(count, slots)

    def found(memory: Tensor, u: Tensor, W_head: Tensor) -> Tensor:
        z, a = heads.attend(memory, u, W_head, seen)
        return torch.cat([z, a.flatten(1)], dim=1)

    compare(found, randn(count, slots, d), randn(count, d), weights(number * d, d))


@pytest.mark.parametrize(("d", "width"), [(1, 1), (7, 9), (33, 17)])
@pytest.mark.parametrize(("count", "hops"), [(1, 1), (7, 5)])
def test_pairs_related(d, width, count, hops):
    compare(
        heads.relate, randn(count, hops, d), randn(count, d), weights(width, 3 * d), weights(width, width),
        weights(width, width), randn(3, width),
    )  # fmt: skip


@pytest.mark.parametrize(("d", "number", "f"), [(6, 1, 1), (6, 2, 7), (33, 3, 19)])
@pytest.mark.parametrize(("count", "tokens"), [(1, 2), (9, 20)])
@pytest.mark.parametrize(("last", "drops"), [(False, False), (True, True)])
def test_a_layer_of_the_transformer(d, number, f, count, tokens, last, drops):
    seen = some_of(count, tokens)
    seen[:, -1] = last
    there = seen.clone()
    there[:, -1] = True
    kept = torch.randint(0, 2, (count, 2, d)) * 1.25 if drops else None

    def after(x: Tensor, *weights: Tensor) -> Tensor:
        y, attention = layers.transform(x, seen, layers.Layer(*weights), number, kept)
        return torch.cat([torch.where(there[..., None], y, 0.0).flatten(1), attention], dim=1)

    compare(
        after, randn(count, tokens, d), 1 + randn(2, d), randn(2, d), *(weights(d, d) for _ in range(4)), weights(f, d),
        randn(f), weights(d, f), randn(d),
    )  # fmt: skip


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize(("count", "length", "number"), [(1, 1, 1), (1, 4, 2), (40, 9, 3)])
@pytest.mark.parametrize("vectors", [False, True])
def test_queries_reduced(d, count, length, number, vectors):
    g = d if vectors else 1
    stories = torch.randint(0, 12, (count, length))
    stories[0] = 3  # all there
    if count > 1:
        stories[1] = PAD  # nothing is told
    question = torch.randint(1, 12, (count,))
    resets = (weights(2 * g, d), randn(2 * g)) if number > 1 else (None, None)

    def reduced(features: Tensor, of_x: Tensor, *others: Tensor | None) -> Tensor:
        h, gates = queries.reduce(features, of_x, stories, question, queries.Reduction(*others), number)
        return torch.cat([h, gates.flatten(1)], dim=1)

    compare(reduced, randn(12, d), randn(12, d), weights(g, d), randn(g), *resets, weights(d, d))


@pytest.mark.parametrize("controller", ["lstm", "feedforward"])
@pytest.mark.parametrize(
    ("slots", "width", "d", "reading", "writing", "gaps"),
    [(1, 1, 1, 1, 1, False), (5, 3, 7, 2, 1, True), (17, 4, 33, 1, 2, False), (20, 20, 8, 2, 2, True)],
)
def test_steps_of_a_machine(controller, slots, width, d, reading, writing, gaps):
    count, steps, heads_ = 3, 6, reading + writing
    recurrent = controller == "lstm"
    gates, layers_ = (4, 1) if recurrent else (1, 0)
    heard = torch.randint(0, 5, (count, steps))
    if gaps:
        heard[0], heard[1, 2:4] = -1, -1
    asked = torch.tensor([5, 6, 9, 17])

    def done(x, cell, memory, weights, reads, W_r, b, U, W_head, b_head, W_write, b_write) -> Tensor:
        machine = Machine(
            width=width, heads=heads_, read_heads=reading, dim=d, W_up=None, W_r=W_r, b=b, U=U, W_head=W_head,
            b_head=b_head, W_write=W_write, b_write=b_write,
        )  # fmt: skip
        output = cell[:, 0, :d] if recurrent else x.new_zeros(count, d)
        state = State(output, cell, memory, weights.softmax(-1), reads)
        outputs, weights, reads, then = machine.run(x, heard, state, asked, gaps)
        return torch.cat([part.flatten() for part in (outputs, weights, reads, *then)])

    of_cell = randn(count, layers_, 2 * d) if recurrent else torch.zeros(count, 0)
    U = weights(1, 4 * d, d) if recurrent else None
    compare(
        done, randn(5, gates * d), of_cell, randn(count, width, slots), randn(count, heads_, slots),
        randn(count, reading, width), weights(gates * d, reading * width), randn(gates * d), U,
        weights(heads_ * (width + 6), d), randn(heads_ * (width + 6)), weights(writing * 2 * width, d),
        randn(writing * 2 * width),
    )  # fmt: skip


class Machine:
    """The NTM's step with weights that are given."""

    run, step, control, address, erase_and_add = NTM.run, NTM.step, NTM.control, NTM.address, NTM.erase_and_add

    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


def test_a_sequence_does_not_depend_on_others():
    words, x, U = torch.randint(0, 6, (5, 9)), randn(6, 3 * 7), weights(3 * 7, 7)
    seen, memory, u, W_head = some_of(5, 9), randn(5, 9, 7), randn(5, 7), weights(14, 7)
    with kernels.switched(True):
        z, a = heads.attend(memory, u, W_head, seen)
        scores = facts.compare(memory, u, seen, None, None, U[:7], U[7:14], W_2=U[:1])
        for n in range(5):
            alone = slice(n, n + 1)
            z_alone, a_alone = heads.attend(memory[alone], u[alone], W_head, seen[alone])
            assert z_alone.equal(z[alone])
            assert a_alone.equal(a[alone])
            one = facts.compare(memory[alone], u[alone], seen[alone], None, None, U[:7], U[7:14], W_2=U[:1])
            assert one.equal(scores[alone])
        again = cells.hear(words[2:3], x, torch.zeros(1, 7), U)
        assert again.equal(cells.hear(words, x, torch.zeros(5, 7), U)[2:3])
