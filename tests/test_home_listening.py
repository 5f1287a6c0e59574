"""A story told sentence by sentence gives the answers of the batch form, for every model that reads stories."""

import numpy as np
import pytest
import torch

from tasks.batch import NONE, Questions, Sizes
from tests.configs import MODELS, config
from zoo import kernels
from zoo.interface import MemoryNetwork
from zoo.kinds.listening import Grown, Listener, Sentences, Window
from zoo.models.memnn import Candidates
from zoo.parts.walk import walk
from zoo.training.build import build

SIZES = Sizes(vocabulary=19, sentence_length=5, story_length=8)
TOLD = 30  # sentences, far more than a story of training has
FURTHER = {  # forms of a model that keep something else of a story
    "delta_net": ["rule=delta", "decaying"],
    "dmn": ["hears=sentences", "episode=gru"],
    "dnc": ["links=true"],
    "entnet": ["keys=tied"],
    "kv_memnn": ["memories=windows", "hashing=true", "time=false"],
    "lstm": [],
    "memn2n": ["tying=layerwise", "memory_size=3", "time=false"],
    "memnn": ["adaptive=false"],
    "ntm": ["hears=words", "controller=feedforward", "layers=2"],
    "open_memnn": ["hashing=words", "match=features"],
    "transformer": ["memory_size=4"],
}
FORMS = [(model, "") for model in MODELS] + [(model, of) for model in MODELS for of in FURTHER.get(model, [])]


def network_of(model: str, option: str = "") -> MemoryNetwork:
    options = ["rule=delta", "decay=true"] if option == "decaying" else [option] if option else []
    given = [f"model={model}", *(f"model.{one}" for one in options)]
    return build(config(*given)["model"], SIZES, seed=3).eval().requires_grad_(False)


def story(count: int = TOLD, seed: int = 0) -> np.ndarray:
    """Sentences of one to five words; some are told twice."""
    drawn = np.random.default_rng(seed)
    rows = drawn.integers(1, SIZES.vocabulary, (count, SIZES.sentence_length))
    rows[drawn.random(rows.shape).cumsum(1) > 2.5] = 0
    rows[:, 0] = drawn.integers(1, SIZES.vocabulary, count)
    rows[count // 2] = rows[0]
    return rows.astype(np.int64)


QUESTION = np.array([4, 7, 2, 0, 0])


def batch_of(network: MemoryNetwork, told: np.ndarray) -> Questions:
    """The batch form: the whole story, or the window that a question of this model sees."""
    kept = told if network.unbounded or network.batched_by == "story" else told[-network.window :]
    slots = network.window if network.counts_empty else len(kept)
    stories = torch.zeros(1, slots, dtype=torch.long)
    stories[0, : len(kept)] = torch.arange(1, len(kept) + 1)
    table = torch.from_numpy(np.concatenate([np.zeros_like(kept[:1]), kept, QUESTION[None]]))
    one = torch.ones(1, dtype=torch.long)
    return Questions(
        table, stories, one - 1, one * len(kept), one + len(kept), one, torch.full((1, 1), NONE),
        unseen=torch.zeros(SIZES.vocabulary, dtype=torch.bool),
    )  # fmt: skip


def listener_of(network: MemoryNetwork) -> Listener:
    return Listener(network, SIZES.sentence_length, torch.zeros(SIZES.vocabulary, dtype=torch.bool))


@pytest.mark.parametrize("told", ["one by one", "in parts", "at once"])
@pytest.mark.parametrize(("model", "option"), FORMS)
@torch.inference_mode()
def test_answers_are_those_of_the_batch_form(model, option, told):
    network, sentences = network_of(model, option), story()
    listener = listener_of(network)
    cuts = {"one by one": range(1, TOLD + 1), "in parts": (1, 2, 5, 12, 13, TOLD), "at once": (TOLD,)}[told]
    before = 0
    for end in cuts:
        listener.tell(sentences[before:end])
        before = end
        if end in (1, 5, 13, TOLD):
            with kernels.switched(False):
                expected = network(batch_of(network, sentences[:end]))
            found = listener.ask(QUESTION)
            torch.testing.assert_close(found.scores, expected.scores[0], rtol=1e-4, atol=1e-5)
            length = len(found.told)
            torch.testing.assert_close(
                found.look()[:, :length], expected.trace.attention[0, :, :length], rtol=1e-4, atol=1e-5
            )
            assert found.table[found.told].equal(torch.from_numpy(sentences[end - length : end]))


@pytest.mark.parametrize(("model", "option"), FORMS)
@torch.inference_mode()
def test_kernels_change_nothing_in_a_story_told_at_once(model, option):
    if not kernels.available():
        pytest.skip("there is no C++ compiler here")
    network, sentences = network_of(model, option), story(200)
    at_once, in_parts = listener_of(network), listener_of(network)
    at_once.tell(sentences)  # by kernels
    for part in np.split(sentences, 10):
        in_parts.tell(part)
    one, other = at_once.ask(QUESTION), in_parts.ask(QUESTION)
    torch.testing.assert_close(one.scores, other.scores, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(one.look(), other.look(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("restarts", [None, 3])
@torch.inference_mode()
def test_the_kernel_of_a_walk_finds_the_winner_of_the_plain_form(restarts):
    if not kernels.available():
        pytest.skip("there is no C++ compiler here")
    torch.manual_seed(0)
    shape = (50, 40) if restarts is None else (restarts, 50, 40)
    match = torch.randn(shape).mul(3).round() / 3  # with ties
    match = torch.where(torch.rand(shape) < 0.1, -torch.inf, match)
    place = torch.arange(40.0).expand(shape).clone()
    place[..., -1] = torch.nan  # the null memory
    tables = match, place > torch.randint(40, (*shape[:-1], 1)), place, torch.rand(shape) < 0.8
    times = torch.randn(*shape[:-1], 3).round()
    network = network_of("memnn")

    def one(match, younger, place, there, times):
        return walk(network.prefers, Candidates(match, younger, place), there, times, 40)

    function = one if restarts is None else torch.vmap(one)
    with kernels.switched(False):
        expected = function(*tables, times)
    with kernels.switched(True):
        assert function(*tables, times).equal(expected)
    assert len(expected.unique()) > 10


@pytest.mark.parametrize("option", ["", "hashing=words", "match=features", "nonlinear=false"])
@torch.inference_mode()
def test_room_for_new_words_changes_no_answer(option):
    network, sentences = network_of("open_memnn", option), story()
    wider = network.room_for(3)
    more = Listener(wider, SIZES.sentence_length, torch.arange(SIZES.vocabulary + 3) >= SIZES.vocabulary)
    listener = listener_of(network)
    more.tell(sentences)
    listener.tell(sentences)
    found, expected = more.ask(QUESTION), listener.ask(QUESTION)
    torch.testing.assert_close(found.scores[: SIZES.vocabulary], expected.scores, rtol=1e-4, atol=1e-5)
    assert (found.scores[SIZES.vocabulary :] == 0).all()
    torch.testing.assert_close(found.look(), expected.look())


def test_an_answer_stays_what_it_was_when_more_is_told():
    network, sentences = network_of("entnet"), story()
    listener = listener_of(network)
    listener.tell(sentences[:10])
    found = listener.ask(QUESTION)
    expected = listener.ask(QUESTION).look()
    listener.tell(sentences[10:])
    torch.testing.assert_close(found.look(), expected)
    assert len(found.told) == 10


def test_distinct_sentences_are_stored_once_and_keep_their_order():
    kept = Sentences(2)
    kept.append(np.array([[1, 2], [3, 0], [1, 2]]))
    kept.append(np.array([[3, 0], [5, 0]]))
    assert kept.table.tolist() == [[0, 0], [1, 2], [3, 0], [5, 0]]
    assert kept.told.tolist() == [1, 2, 1, 2, 3]


def test_a_window_holds_the_last_sentences():
    kept = Window(1, 3)
    for number in range(1, 6):
        kept.append(np.array([[number]]))
    assert kept.table[kept.told].tolist() == [[3], [4], [5]]


def test_rows_that_were_read_do_not_change_and_room_grows_in_doublings():
    rows = Grown(torch.zeros(1, 2))
    seen = rows.rows
    for number in range(1, 100):
        rows.append(torch.full((1, 2), float(number)))
    assert seen.tolist() == [[0.0, 0.0]]
    assert rows.rows[:, 0].tolist() == [float(number) for number in range(100)]
    assert len(rows._room) == 128


@pytest.mark.parametrize("model", ["lstm", "entnet", "ntm", "delta_net", "dnc"])
def test_what_a_state_costs_does_not_grow(model):
    """Neither what is kept for an answer nor the tensors that a sentence touches depend on what was told before."""
    listener = listener_of(network_of(model))
    listener.tell(story(40))
    sizes = {part.numel() for part in torch.utils._pytree.tree_leaves(listener._state) if part is not None}
    listener.tell(story(400))
    after = {part.numel() for part in torch.utils._pytree.tree_leaves(listener._state) if part is not None}
    assert after == sizes
