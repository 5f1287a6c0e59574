"""Everything that must hold for every model: the sweep over conf/model/*.yaml."""

import pytest
import torch
from hydra.utils import get_class

from tasks.batch import NONE, PAD
from tests.configs import MODELS, config
from zoo.interface import MemoryNetwork
from zoo.kinds.stories import evaluation_batches, predict
from zoo.traces import TRACES
from zoo.training.build import build, options_of
from zoo.training.ensemble import Ensemble
from zoo.training.recipe import OPTIMIZERS, Recipe

CLASSES = {name: get_class(config(f"model={name}")["model"]["_target_"]) for name in MODELS}
CUT = [name for name, target in CLASSES.items() if target.batched_by == "question" and not target.counts_empty]


@pytest.fixture(params=MODELS)
def model(request) -> dict:
    return config(f"model={request.param}")["model"]


def network_of(model: dict, corpus, seed: int = 1) -> MemoryNetwork:
    return build(model, corpus.sizes, seed)


def some(corpus, network, numbers=(0, 1, 2, 3, 4, 5, 6, 7)):
    """Questions, or, for a model that reads by story, stories with all of theirs."""
    if network.batched_by == "story":
        return corpus.by_story(corpus.train, torch.tensor(numbers))
    return corpus.by_question(corpus.train, torch.tensor(numbers), network.window)


def optimizer_of(recipe: Recipe, network, faster: float = 1.0) -> torch.optim.Optimizer:
    return OPTIMIZERS[recipe.optimizer](network.parameters(), lr=faster * recipe.learning_rate)


def test_yaml_says_every_option_and_no_other(model):
    target = get_class(model["_target_"])
    assert set(model) - {"_target_", "recipe"} == set(options_of(target))


def test_yaml_has_the_defaults_of_the_constructor(model):
    for name, option in options_of(get_class(model["_target_"])).items():
        assert model[name] == option.default, name


def test_class_states_its_facts(model):
    target = get_class(model["_target_"])
    assert target.paper.year > 2013
    assert target.paper.link.startswith("https://")
    assert target.memory in ("static", "dynamic")
    assert target.supervision in ("answers", "supporting facts")
    assert target.batched_by in ("question", "story")
    assert target.traces in TRACES
    assert model["_target_"].split(".")[:2] == ["zoo", "models"]


def test_file_cites_the_paper_and_names_deviations(model):
    import importlib

    module = importlib.import_module(model["_target_"].rpartition(".")[0])
    assert "Paper:" in module.__doc__
    assert "Deviations" in module.__doc__
    assert get_class(model["_target_"]).paper.link.rpartition("/")[2] in module.__doc__


def test_every_parameter_gets_a_gradient(model, corpus):
    network = network_of(model, corpus)
    batch = some(corpus, network)
    # the little world's questions have one fact; a second makes what is read first differ from what is read last
    fact = batch.support[:, :1]
    second = torch.where(fact == NONE, NONE, (fact + 1) % batch.told[:, None].clamp(min=1))
    noise = network.noise(batch.told, torch.Generator().manual_seed(0))  # some parameters are for what is drawn
    batch = batch._replace(support=torch.cat([fact, second], dim=1), noise=noise)
    sum(network.loss(network(batch), batch).values()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_trace_has_the_documented_form(model, uneven):
    network = network_of(model, uneven)
    batch = some(uneven, network)
    attention = network(batch).trace.attention
    assert attention.shape[::2] == (len(batch.answer), batch.stories.shape[1])
    assert (attention >= 0).all()
    asked = attention[batch.answer != PAD]
    assert (attention.shape[1] > 0) == (network.traces != "nothing")
    if network.traces == "weights":
        torch.testing.assert_close(asked.sum(-1), torch.ones(asked.shape[:2]))
    if network.batched_by == "story":  # nobody looks at what has not been told
        untold = torch.arange(batch.stories.shape[1]) >= batch.told[batch.answer != PAD][:, None]
        assert (asked.transpose(0, 1)[:, untold] == 0).all()


def test_others_in_a_batch_change_nothing(model, uneven):
    network = network_of(model, uneven).double()
    batch = some(uneven, network)
    together = network(batch)
    each = len(batch.answer) // 8
    for n in range(8):
        alone = network(some(uneven, network, (n,))).scores
        asked = batch.answer[n * each : (n + 1) * each] != PAD
        torch.testing.assert_close(alone[asked], together.scores[n * each : (n + 1) * each][asked])


@pytest.mark.parametrize("model", CUT, indirect=True)
def test_empty_slots_change_nothing_where_they_do_not_count(model, uneven):
    network = network_of(model, uneven).double()
    numbers = (uneven.train.told == 2).nonzero()[:, 0]
    noise = network.noise(uneven.train.told[numbers], torch.Generator().manual_seed(0))

    def learned(slots: int) -> list[torch.Tensor]:
        """Answer, loss and gradient."""
        batch = uneven.by_question(uneven.train, numbers, slots)._replace(noise=noise)
        answer, loss = network(batch), sum(network.learn(batch).values())
        gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        return [answer.scores, answer.trace.attention[..., :2], loss, *gradients]

    assert network.window > 2
    for whole, cut in zip(learned(network.window), learned(2), strict=True):
        torch.testing.assert_close(whole, cut)


@pytest.mark.parametrize("model", [name for name in MODELS if "time_noise" in config(f"model={name}")["model"]])
def test_gaps_in_time_reach_the_scores(model, uneven):
    network = network_of(config(f"model={model}")["model"] | {"time_noise": 1.0}, uneven)
    batch = some(uneven, network)
    with_gaps = batch._replace(noise=network.noise(batch.told, torch.Generator().manual_seed(0)))
    assert not torch.allclose(network(batch).scores, network(with_gaps).scores)


def test_answers_follow_the_vocabulary(model, corpus):
    network = network_of(model, corpus)
    batch = some(corpus, network)
    assert network(batch).scores.shape == (len(batch.answer), len(corpus.words))


def test_places_without_a_question_cost_nothing(model, corpus):
    network = network_of(model, corpus)
    batch = some(corpus, network)
    answer = network(batch)
    first = some(corpus, network, (0, 1, 2, 3, 4))
    masked = batch._replace(answer=torch.where(torch.arange(len(batch.answer)) < len(first.answer), batch.answer, PAD))
    expected = sum(network.loss(network(first), first).values())
    torch.testing.assert_close(sum(network.loss(answer, masked).values()), expected)
    assert network.cost(answer, masked) == network.cost(network(first), first)


@pytest.mark.slow
def test_learns_eight_by_heart(model, corpus):
    network = network_of(model, corpus)
    recipe = Recipe.from_config(model["recipe"])
    batch = some(corpus, network)
    by_question = network.batched_by == "question"
    optimizer = optimizer_of(recipe, network, faster=5 if recipe.optimizer == "sgd" else 1)
    known = 0  # for how many steps on end
    for _ in range(600 if by_question else 300):
        answer = network(batch)
        known = known + 1 if (answer.scores.argmax(-1) == batch.answer).all() else 0
        if known == 20:
            return
        optimizer.zero_grad()
        sum(network.loss(answer, batch).values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
    pytest.fail(f"after its last step it answers {answer.scores.argmax(-1)}, not {batch.answer}")


@pytest.mark.slow
def test_finite_through_200_steps_of_the_recipe(model, corpus):
    network = network_of(model, corpus)
    recipe = Recipe.from_config(model["recipe"])
    linear = getattr(network, "linear", None)
    generator = torch.Generator().manual_seed(0)
    optimizer = optimizer_of(recipe, network)
    rows = len(corpus.train.lengths) if network.batched_by == "story" else len(corpus.train)
    for step in range(200):
        if linear is not None:
            network.linear.fill_(step < 100)
        numbers = torch.randint(rows, (recipe.batch_size,), generator=generator)
        batch = some(corpus, network, numbers.tolist())
        batch = batch._replace(noise=network.noise(batch.told, generator))
        optimizer.zero_grad()
        loss = sum(network.loss(network(batch), batch).values())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        assert torch.isfinite(loss), f"step {step}"


def test_saved_weights_load_and_answer_the_same(model, corpus, tmp_path):
    network, other = network_of(model, corpus, 1), network_of(model, corpus, 2)
    batch = some(corpus, network)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    assert not network(batch).scores.equal(other(batch).scores)
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert network(batch).scores.equal(other(batch).scores)


def test_same_seed_same_weights(model, corpus):
    first, second = (network_of(model, corpus, 4).state_dict() for _ in range(2))
    assert all(first[name].equal(second[name]) for name in first)


def test_state_grows_with_the_story_only_if_memory_is_static(model, corpus):
    network = build(model, corpus.sizes._replace(story_length=40), 0)
    grows = network.state_size(20) > network.state_size(10) > 0
    assert grows == (network.memory == "static")


def test_evaluation_batches_hold_every_question_once(model, uneven, monkeypatch):
    monkeypatch.setattr("zoo.kinds.stories.EVALUATED_AT_ONCE", 5)
    network = network_of(model, uneven)
    batches = evaluation_batches(uneven, uneven.test, network)
    assert batches.order.sort().values.equal(torch.arange(len(uneven.test)))
    for name in ("told", "answer"):
        held = torch.cat([getattr(batch, name)[batch.answer != PAD] for batch in batches])
        assert held.equal(getattr(uneven.test, name)[batches.order])
    slots = [batch.stories.shape[1] for batch in batches]
    assert len(slots) > 1
    assert slots == ([network.window] * len(slots) if network.counts_empty else sorted(slots))
    assert (slots[0] < slots[-1]) != network.counts_empty


def test_predictions_are_those_of_the_questions_in_order(model, uneven, monkeypatch):
    monkeypatch.setattr("zoo.kinds.stories.EVALUATED_AT_ONCE", 5)
    network = network_of(model, uneven)
    ensemble = Ensemble([network, network_of(model, uneven, 2)])
    got, found = predict(ensemble, evaluation_batches(uneven, uneven.test, network))
    assert (found is not None) == (network.traces in ("weights", "gates"))
    if found is not None:
        assert found.shape == got.shape
    assert got.shape == (2, len(uneven.test))
    for n in range(len(uneven.test)):
        if network.batched_by == "question":
            batch, place = uneven.by_question(uneven.test, torch.tensor([n]), network.window), 0
        else:
            story = uneven.test.story[n : n + 1]
            batch, place = uneven.by_story(uneven.test, story), n - int((uneven.test.story < story).sum())
        assert got[0, n] == network(batch).scores[place].argmax()
