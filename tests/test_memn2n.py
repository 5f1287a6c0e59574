"""MemN2N and Gated MemN2N against the plain transcription of their equations, in value and in gradient."""

import math

import pytest
import torch

from tasks.batch import PAD
from tests.reference import memn2n as plain
from zoo.models.gated_memn2n import GatedMemN2N
from zoo.models.memn2n import MemN2N
from zoo.parts.encoders import ENCODERS, position_encoding
from zoo.parts.slots import time_index, time_with_gaps

SLOTS = 5  # fewer than the longest story has sentences, so that the window is tested too


def small(model, corpus, **options):
    torch.manual_seed(3)
    return model(*corpus.sizes, memory_size=SLOTS, dim=4, **options).double()


def words_of(corpus, row):
    return corpus.sentences[row].tolist()


def compare(network, corpus, batch, **options):
    """Scores, attention and the gradient of the loss, as the model and as the transcription have them."""
    answer = network(batch)
    network.loss(answer, batch)["answer"].backward()
    weights = {name: p.detach().clone().requires_grad_() for name, p in network.named_parameters()}
    loss = 0.0
    for n in range(len(batch.question)):
        told = int(batch.told[n])
        story = [words_of(corpus, row) for row in batch.stories[n, :told]]
        times = None if batch.noise is None else batch.noise[n, :told].tolist()
        scores, attention = plain.answer(
            story, words_of(corpus, batch.question[n]), weights, slots=SLOTS, times=times,
            longest=corpus.sentences.shape[1], **options,
        )  # fmt: skip
        scores = torch.stack(scores)
        torch.testing.assert_close(answer.scores[n], scores)
        for hop, p in enumerate(attention):
            torch.testing.assert_close(answer.trace.attention[n, hop].tolist(), [float(x) for x in p])
        loss = loss + torch.logsumexp(scores, 0) - scores[batch.answer[n]]
    loss.backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, msg=lambda text, name=name: f"{name}: {text}")


@pytest.fixture(scope="module")
def batch(corpus):
    return corpus.by_question(corpus.train, torch.tensor([0, 1, 2, 10]), SLOTS)


@pytest.mark.parametrize("encoding", ["bag", "position"])
@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
@pytest.mark.parametrize("hops", [1, 3])
def test_memn2n_is_its_equations(corpus, batch, hops, tying, encoding):
    network = small(MemN2N, corpus, hops=hops, tying=tying, encoding=encoding)
    compare(network, corpus, batch, hops=hops, tying=tying, encoding=encoding)


def test_memn2n_with_relu_without_time(corpus, batch):
    network = small(MemN2N, corpus, hops=2, relu=True, time=False)
    compare(network, corpus, batch, hops=2, tying="adjacent", encoding="position", relu=True)


def test_linear_start_has_no_softmax(corpus, batch):
    network = small(MemN2N, corpus, hops=3)
    network.linear.fill_(True)
    compare(network, corpus, batch, hops=3, tying="adjacent", encoding="position", linear=True)


def test_time_noise_takes_other_time_vectors(corpus, batch):
    network = small(MemN2N, corpus, hops=2, time_noise=0.5)
    noise = network.noise(batch.told, torch.Generator().manual_seed(1))
    assert not noise.equal(time_index(batch.told, SLOTS))
    compare(network, corpus, batch._replace(noise=noise), hops=2, tying="adjacent", encoding="position")


@pytest.mark.parametrize("gates", ["hop", "global"])
@pytest.mark.parametrize("relu", [False, True])
def test_gated_memn2n_is_its_equations(corpus, batch, gates, relu):
    network = small(GatedMemN2N, corpus, hops=3, gates=gates, relu=relu)
    assert len(network.W_T) == (3 if gates == "hop" else 1)
    compare(network, corpus, batch, hops=3, tying="adjacent", encoding="position", gates=gates, relu=relu)


def test_gates_begin_more_than_half_open(corpus):
    assert GatedMemN2N(**corpus.sizes._asdict()).b_T.mean() > 0.3


def test_position_encoding_is_twice_the_printed_formula_up_to_small_terms():
    longest, dim = 200, 400
    words = torch.ones(2, dim, dtype=torch.double)
    sentences = torch.zeros(longest, longest, dtype=torch.long)
    sentences.fill_diagonal_(1)  # one word in each place
    got = position_encoding(sentences, words)
    j = torch.arange(1, longest + 1)[:, None] / longest
    k = torch.arange(1, dim + 1) / dim
    printed = (1 - j) - k * (1 - 2 * j)
    assert (got - 2 * printed).abs().max() < 4 * (1 / longest + 1 / dim)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_the_empty_word_says_nothing_and_never_learns(encoding):
    words = torch.randn(7, 4, requires_grad=True)
    sentences = torch.tensor([[0, 0, 0], [3, 0, 0], [3, 5, 6]])
    encoded = ENCODERS[encoding](sentences, words)
    assert not encoded[0].any()
    encoded.square().sum().backward()
    assert not words.grad[0].any()
    assert words.grad[3].any()


def test_the_empty_word_is_no_answer_to_be_learned(corpus, batch):
    network = small(MemN2N, corpus)
    answer = network(batch)
    assert not answer.scores[:, 0].any()
    network.loss(answer, batch)["answer"].backward()
    assert not network.words.grad[:, 0].any()


def test_noise_leaves_gaps_and_keeps_the_order(corpus):
    network = MemN2N(*corpus.sizes._replace(story_length=40), memory_size=40)
    told = torch.arange(1, 41).repeat(50)
    question = corpus.by_question(corpus.train, torch.zeros(len(told), dtype=torch.long), 40)._replace(told=told)
    time = network.noise(question.told, torch.Generator().manual_seed(0))
    plain_time = time_index(told, 40)
    assert time.dtype == torch.long
    inside = plain_time > 0
    assert (time[~inside] == PAD).all()
    added = (time - plain_time)[inside]
    assert (added >= 0).all()
    for n in range(len(told)):
        most = math.ceil(0.1 * int(told[n]))
        steps = time[n, : told[n]]
        assert steps[0] - plain_time[n, 0] <= most
        free = steps[steps < 40]  # beyond the last index all share it
        assert (free.diff() < 0).all()
    # n is uniform on 0 ... most: with ten sentences there is one empty memory in half of the stories, and it lies
    # before each of the ten with the same chance
    many = torch.stack(
        [network.noise(told, torch.Generator().manual_seed(s))[told == 10][:, :10] for s in range(40)]
    ).flatten(0, 1)
    shift = many - plain_time[told == 10][0, :10]
    assert shift.max() == 1
    assert 0.4 < float((shift.sum(1) > 0).float().mean()) < 0.6
    counts = torch.bincount(shift.sum(1), minlength=11)[1:].float()
    assert (counts > 0.04 * counts.sum()).all()


def test_an_empty_memory_lies_before_or_behind_every_sentence_with_the_same_chance():
    """After one sentence or none: half of the stories have one empty memory, half of these have it at their end."""
    told = torch.ones(20_000, dtype=torch.long)
    time = time_with_gaps(told, 5, 1.0, torch.Generator().manual_seed(0))
    assert (time[:, 1:] == PAD).all()
    assert torch.bincount(time[:, 0]).tolist() == [0, pytest.approx(15_000, abs=300), pytest.approx(5_000, abs=300)]
    # among ten sentences an empty memory has eleven places; behind the last sentence it moves all ten
    time = time_with_gaps(10 * told, 20, 0.1, torch.Generator().manual_seed(0))
    moved = torch.bincount((time - time_index(10 * told, 20)).sum(1), minlength=11).float() / len(told)
    expected = torch.full((11,), 0.5 / 11)
    expected[0] += 0.5
    torch.testing.assert_close(moved, expected, atol=0.01, rtol=0)


def test_unfilled_slots_take_their_share_of_the_softmax(corpus):
    """The documented effect of padding: more empty slots, less attention on what was told; nothing else."""
    few, many = (MemN2N(*corpus.sizes._replace(story_length=n), dim=4, time=False) for n in (6, 12))
    many.load_state_dict(few.state_dict())
    index = torch.tensor([0, 1])
    with torch.no_grad():
        narrow = few(corpus.by_question(corpus.train, index, 6)).trace.attention[:, 0]
        wide = many(corpus.by_question(corpus.train, index, 12)).trace.attention[:, 0]
    assert (wide[:, :6] < narrow).all()
    torch.testing.assert_close(wide[:, :6] / wide[:, :6].sum(1, True), narrow / narrow.sum(1, True))
