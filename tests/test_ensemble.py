"""Restarts trained together are the restarts trained one by one."""

import dataclasses

import pytest
import pytorch_lightning as pl
import torch

from tasks.batch import NONE, PAD, Questions
from tasks.corpus import only_used
from tasks.errors import UserError
from tests.configs import MODELS, config
from tests.runs import SMALL_READERS
from zoo import kernels
from zoo.kinds.attention import finds_facts
from zoo.kinds.stories import evaluation_batches, training_batches, without_empty_places
from zoo.training.batches import Blocks
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.module import Best, EnsembleTraining, Mean
from zoo.training.recipe import OPTIMIZERS, Recipe, Schedule


def trained(name: str, corpus, seeds: list[int], recipe: Recipe, *sizes: str) -> EnsembleTraining:
    model = config(f"model={name}", *sizes)["model"]
    # in double precision, because the sign of a rounding error decides the gradient of |x| at zero
    ensemble = Ensemble([build(model, corpus.sizes, seed).double() for seed in seeds])
    training = EnsembleTraining(ensemble, recipe)
    pl.Trainer(
        max_epochs=recipe.all_epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    ).fit(
        training,
        Blocks(training_batches(corpus, ensemble.network, seeds, recipe.batch_size, by_length=True)),
        evaluation_batches(corpus, corpus.valid, ensemble.network),
    )  # fmt: skip
    return training


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_restart_k_is_the_single_run_with_its_seed(name, corpus):
    # 100 steps, with all that differs between restarts: shuffle, noise, clip, the end of the linear start
    recipe = Recipe(
        learning_rate=0.01, batch_size=12, epochs=6, anneal_every=2, clip=2.0, linear_start_epochs=4,
        linear_start_patience=1, warmup_steps=25, average=0.9, l2=1e-4,
    )  # fmt: skip
    together = trained(name, corpus, [3, 4, 5], recipe, *SMALL_READERS.get(name, ()))
    for k, seed in ((0, 3), (2, 5)):
        alone = trained(name, corpus, [seed], recipe, *SMALL_READERS.get(name, ()))
        torch.testing.assert_close(together.ensemble.weights[k], alone.ensemble.weights[0])
        assert together.best.epoch[k] == alone.best.epoch[0]
        assert together.best.error[k] == alone.best.error[0]
        torch.testing.assert_close(together.best.weights[k], alone.best.weights[0])
    assert not together.ensemble.weights[0].equal(together.ensemble.weights[1])


def test_ensemble_is_its_networks(corpus):
    model = config("model=memn2n")["model"]
    networks = [build(model, corpus.sizes, seed) for seed in range(3)]
    networks[1].linear.fill_(True)
    ensemble = Ensemble(networks)
    index = torch.tensor([[0, 1], [2, 3], [4, 5]])
    answers, losses = ensemble(corpus.by_question(corpus.train, index, ensemble.network.window))
    for k, network in enumerate(networks):
        batch = corpus.by_question(corpus.train, index[k], network.window)
        torch.testing.assert_close(answers.scores[k], network(batch).scores)
        torch.testing.assert_close(answers.trace.attention[k], network(batch).trace.attention)
        torch.testing.assert_close(losses["answer"][k], network.loss(network(batch), batch)["answer"])
    alone = ensemble.answer(corpus.by_question(corpus.train, index, ensemble.network.window))
    assert alone.scores.equal(answers.scores)
    assert alone.trace.attention.equal(answers.trace.attention)


def test_cutting_the_sentence_table_changes_nothing(corpus):

    model = config("model=gated_memn2n")["model"]
    ensemble = Ensemble([build(model, corpus.sizes, seed) for seed in range(2)])
    batch = corpus.by_question(corpus.train, torch.tensor([[0, 1], [9, 3]]), ensemble.network.window)
    whole, cut = ensemble(batch)[0], ensemble(only_used(batch))[0]
    torch.testing.assert_close(whole.scores, cut.scores)
    torch.testing.assert_close(whole.trace.attention, cut.trace.attention)


@pytest.mark.parametrize("name", ["entnet", "dnc"])
def test_leaving_out_empty_places_changes_nothing(name, uneven):
    ensemble = Ensemble([build(config(f"model={name}")["model"], uneven.sizes, seed).double() for seed in range(2)])
    questions = torch.bincount(uneven.train.story)
    one, two = (questions == 1).nonzero()[:, 0], (questions == 2).nonzero()[:, 0]
    stories = torch.stack([one[[0, 1, 2, 0, 1]], torch.cat([one[:2], two[:1], one[:2]])])
    batch = uneven.by_story(uneven.train, stories)
    noise = ensemble.network.noise(batch.told.flatten(), torch.Generator().manual_seed(0))
    if noise is not None:
        noise = noise.view(2, -1, noise.shape[1]).double()
    batch = batch._replace(noise=noise)
    cut = without_empty_places(batch)
    assert (batch.answer.shape[1], cut.answer.shape[1]) == (15, 6)
    assert cut.asked.equal(batch.asked)
    losses, gradients = [], []
    for some in (batch, cut):
        losses.append(ensemble.differentiate(some))
        gradients.append(ensemble.weights.grad.clone())
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)
    assert without_empty_places(cut) is cut


@pytest.mark.parametrize(("name", "by_length"), [("memn2n", False), ("wmn", False), ("wmn", True)])
def test_restarts_draw_by_seed_and_epoch_alone(name, by_length, corpus):
    network = build(config(f"model={name}")["model"], corpus.sizes, 0)
    both, second = (training_batches(corpus, network, seeds, 10, by_length) for seeds in ([7, 8], [8]))
    for epoch in (0, 5):
        both.set_epoch(epoch)
        second.set_epoch(epoch)
        for one, other in zip(both, second, strict=True):
            assert one.question[1].equal(other.question[0])
            assert one.noise[1].equal(other.noise[0])
    first_of_5 = next(iter(both)).question
    assert not first_of_5[0].equal(first_of_5[1])
    assert not all(batch.noise[0].equal(batch.noise[1]) for batch in both)
    both.set_epoch(6)
    assert not next(iter(both)).question.equal(first_of_5)


@pytest.mark.parametrize(("name", "by_length"), [("memn2n", False), ("wmn", True), ("entnet", False)])
def test_an_epoch_asks_every_question_once(name, by_length, corpus):
    batches_of_32 = 4
    network = build(config(f"model={name}")["model"], corpus.sizes, 0)
    batches = training_batches(corpus, network, [1], 32, by_length)
    asked = torch.cat([batch.answer[0] for batch in batches])
    assert len(list(batches)) == len(batches) == batches_of_32
    assert asked.sort().values.equal(corpus.train.answer.sort().values)


def test_a_batch_has_the_slots_that_its_longest_story_needs(uneven):
    network = build(config("model=wmn")["model"], uneven.sizes, 0)
    slots = {}
    for by_length in (False, True):
        batches = list(training_batches(uneven, network, [1, 2, 3], 3, by_length))
        slots[by_length] = [batch.stories.shape[2] for batch in batches]
        assert slots[by_length] == [int(batch.told.max()) for batch in batches]
    assert set(slots[True]) == {2, 4, 6}
    assert sum(slots[True]) < sum(slots[False])


def test_a_model_that_counts_empty_slots_has_always_all(uneven):
    network = build(config("model=memn2n")["model"], uneven.sizes, 0)
    plain, by_length = (training_batches(uneven, network, [1, 2], 3, choice) for choice in (False, True))
    for one, other in zip(plain, by_length, strict=True):
        assert one.stories.shape[2] == network.window == 6
        assert one.stories.equal(other.stories)


def test_stories_of_like_length_share_a_batch_and_each_restart_has_its_own_order(uneven):
    network = build(config("model=entnet")["model"], uneven.sizes, 0)
    both, second = (training_batches(uneven, network, seeds, 6) for seeds in ([7, 8], [8]))
    lengths = []
    for one, other in zip(both, second, strict=True):
        assert one.stories[1].equal(other.stories[0])  # whatever the other restarts see
        assert one.question[1].equal(other.question[0])
        lengths.append(one.stories.shape[2])
        assert ((one.stories != PAD).sum(2) == one.stories.shape[2]).all()
    assert sorted(lengths) == [2, 4, 6]  # three stories of each length
    orders = [[batch.question[0].tolist() for batch in second]]
    for epoch in (1, 2):
        second.set_epoch(epoch)
        orders.append([batch.question[0].tolist() for batch in second])
    assert orders[0] != orders[1] != orders[2]
    order_of_lengths = set()
    for epoch in range(8):
        both.set_epoch(epoch)
        order_of_lengths.add(tuple(batch.stories.shape[2] for batch in both))
    assert len(order_of_lengths) > 1  # short stories do not come first in every epoch


def test_mixed_batches_hold_stories_of_any_length(uneven):
    network = build(config("model=entnet")["model"], uneven.sizes, 0)
    plain, mixed, second = (
        training_batches(uneven, network, seeds, 6, mixed=choice)
        for seeds, choice in (([7, 8], False), ([7, 8], True), ([8], True))
    )
    together = []  # how many lengths share a batch
    for epoch in range(4):
        for batches in (plain, mixed, second):
            batches.set_epoch(epoch)
        assert len(plain) == len(mixed) == len(list(mixed))
        for one, other in zip(mixed, second, strict=True):
            length = other.stories.shape[2]  # of the second restart's longest; the first may have a longer one
            assert one.stories[1, :, :length].equal(other.stories[0])
            assert (one.stories[1, :, length:] == PAD).all()
            assert one.answer[1][one.answer[1] != PAD].equal(other.answer[0][other.answer[0] != PAD])
            together += [len({int((story != PAD).sum()) for story in restart}) for restart in one.stories]
        for restart in range(2):
            for batches in (plain, mixed):
                asked = torch.cat([batch.answer[restart] for batch in batches])
                assert asked[asked != PAD].sort().values.equal(uneven.train.answer.sort().values)
    assert max(together) > 1


def test_a_model_that_reads_by_story_can_be_given_questions_each_with_its_own(uneven):
    network = build(config("model=entnet")["model"], uneven.sizes, 0).double()
    batches = training_batches(uneven, network, [1, 2], 4, batched_by="question")
    asked = []
    for batch in batches:
        assert batch.stories.shape[1] == batch.question.shape[1]  # a story for each question
        assert ((batch.stories != PAD).sum(-1) == batch.told).all()  # which ends where it is asked
        asked.append(batch.answer)
    assert len(batches) == len(asked) == -(-len(uneven.train) // 4)
    for restart in torch.cat(asked, dim=1):
        assert restart.sort().values.equal(uneven.train.answer.sort().values)
    # what it answers, it answers in its story with all of its questions
    index = torch.arange(len(uneven.train))
    scores = network(uneven.by_question(uneven.train, index, network.window)).scores
    stories = uneven.by_story(uneven.train, torch.arange(len(uneven.train.lengths)))
    torch.testing.assert_close(network(stories).scores[stories.answer != PAD], scores)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("memn2n", {"batched_by": "story"}, "MemN2N reads a story anew for each question"),
        ("memn2n", {"mixed": True}, "expected false where batches are drawn by question"),
        ("entnet", {"mixed": True, "batched_by": "question"}, "expected false where batches are drawn by question"),
    ],
)
def test_batches_that_cannot_be_are_refused(name, options, said, corpus):
    network = build(config(f"model={name}")["model"], corpus.sizes, 0)
    with pytest.raises(UserError, match=said):
        training_batches(corpus, network, [1], 8, **options)


def test_curves_are_means_over_questions_and_percents_of_them(corpus):
    recipe = Recipe(learning_rate=0.0, batch_size=32, epochs=2)  # the last batch of 120 is smaller
    training = trained("lstm", corpus, [1, 2], recipe)
    for k, seed in enumerate((1, 2)):
        network = build(config("model=lstm")["model"], corpus.sizes, seed).double()
        for split, name in ((corpus.train, "train_loss"), (corpus.valid, "valid_loss")):
            batch = corpus.by_story(split, torch.arange(len(split.lengths)))
            mean = network.loss(network(batch), batch)["answer"] / len(split)
            curve = getattr(training, f"{name}_curve")[:, k]
            assert curve.tolist() == pytest.approx([mean.item()] * 2, rel=1e-4), name
        wrong = network(batch).scores.argmax(-1) != batch.answer
        assert training.valid_error_curve[:, k].tolist() == pytest.approx([100 * float(wrong.double().mean())] * 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restart_goes_where_an_optimizer_of_its_own_rate_takes_it(name, corpus):
    recipe = Recipe(optimizer=name, learning_rate=0.003, batch_size=16, epochs=3, anneal_every=2, clip=1e9)
    together = trained("entnet", corpus, [3], recipe)
    network = build(config("model=entnet")["model"], corpus.sizes, 3).double()
    batches = training_batches(corpus, network, [3], recipe.batch_size)
    optimizer = OPTIMIZERS[name](network.parameters(), lr=recipe.learning_rate)
    for epoch in range(3):
        batches.set_epoch(epoch)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * 0.5 ** (epoch // 2)
        for batch in batches:
            batch = Questions(batch.sentences, *(table[0] for table in batch[1:7]))
            optimizer.zero_grad()
            sum(network.loss(network(batch), batch).values()).backward()
            optimizer.step()
    weights = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    torch.testing.assert_close(together.ensemble.weights[0], weights, rtol=1e-5, atol=1e-6)  # rates are single


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_itself_in_single_precision_too(name, corpus):
    """In single precision kernels make the steps that they know."""
    recipe = Recipe(optimizer=name, learning_rate=0.003, batch_size=16, epochs=1, clip=1.0)
    ensemble = Ensemble([build(config("model=memn2n", "model.dim=4")["model"], corpus.sizes, seed) for seed in (1, 2)])
    batches = list(training_batches(corpus, ensemble.network, [1, 2], recipe.batch_size))[:3]
    start, ends = ensemble.weights.detach().clone(), []
    for wish in ("auto", False):
        with kernels.switched(wish):
            training = EnsembleTraining(ensemble, recipe)
            optimizer = training.configure_optimizers()
            with torch.no_grad():
                ensemble.weights.copy_(start)
            training.on_train_epoch_start()
            for batch in batches:
                training.step(batch, optimizer)
            ends.append(ensemble.weights.detach().clone())
    assert not torch.equal(ends[0], start)
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])  # each moves the weights by lines of its own
@pytest.mark.parametrize("wish", ["auto", False])
def test_the_rate_of_a_warm_up_rises_from_step_to_step(optimizer, wish, corpus):
    """With a gradient that stays, clipped, a step of SGD is as long as its rate; of the others it begins as long."""
    recipe = Recipe(optimizer=optimizer, learning_rate=0.01, batch_size=16, epochs=1, clip=1.0, warmup_steps=4)
    ensemble = Ensemble([build(config("model=memn2n", "model.dim=4")["model"], corpus.sizes, seed) for seed in (1, 2)])
    batches = list(training_batches(corpus, ensemble.network, [1, 2], recipe.batch_size))
    start, moved = ensemble.weights.detach().clone(), {}
    with kernels.switched(wish):
        for warmup in (4, 0):
            training = EnsembleTraining(ensemble, dataclasses.replace(recipe, warmup_steps=warmup))
            optim = training.configure_optimizers()
            with torch.no_grad():
                ensemble.weights.copy_(start)
            training.on_train_epoch_start()
            moved[warmup] = []
            for batch in batches[:1] * 6:
                before = ensemble.weights.detach().clone()
                training.step(batch, optim)
                moved[warmup].append((ensemble.weights.detach() - before).norm(dim=1))
                with torch.no_grad():
                    ensemble.weights.copy_(start)  # so that the gradient stays
    shares = torch.stack(moved[4]) / torch.stack(moved[0])
    expected = torch.tensor([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])[:, None].expand(-1, 2)
    torch.testing.assert_close(shares, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_l2_is_part_of_the_mean_loss(optimizer, corpus):
    """Compare with a step by hand: the gradient gets 2 l2 w for each question of the batch."""
    recipe = Recipe(optimizer=optimizer, learning_rate=0.01, batch_size=16, epochs=1, clip=1e9, l2=0.01)
    ensemble = Ensemble([build(config("model=memn2n", "model.dim=4")["model"], corpus.sizes, seed) for seed in (1, 2)])
    (batch, *_) = training_batches(corpus, ensemble.network, [1, 2], recipe.batch_size)
    training = EnsembleTraining(ensemble, recipe)
    training.on_train_epoch_start()
    start = ensemble.weights.detach().clone()
    training.step(batch, training.configure_optimizers())
    got = ensemble.weights.detach().clone()
    with torch.no_grad():
        ensemble.weights.copy_(start)
    ensemble.differentiate(batch)
    gradient = ensemble.weights.grad + 2 * 0.01 * 16 * start
    if optimizer == "adam":
        gradient = gradient / (gradient.abs() + 1e-8)  # its first step
    torch.testing.assert_close(got, start - 0.01 * gradient, rtol=1e-4, atol=1e-6)


def test_the_mean_is_of_all_steps_alike_and_then_exponential(corpus):
    steps = torch.randn(40, 2, 3)
    mean = Mean(torch.zeros(2, 3), decay=0.9)
    for number, weights in enumerate(steps, start=1):
        mean.add(weights)
        if number <= 10:
            torch.testing.assert_close(mean.weights, steps[:number].mean(0))
    expected = steps[:10].mean(0)
    for weights in steps[10:]:
        expected = 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(mean.weights, expected)
    mean.begin_anew(torch.tensor([False, True]))
    mean.add(steps[0])
    torch.testing.assert_close(mean.weights[0], 0.9 * expected[0] + 0.1 * steps[0, 0])
    torch.testing.assert_close(mean.weights[1], steps[0, 1])


def test_the_mean_of_the_weights_is_validated_and_selected_and_trained_on_are_the_weights(corpus):
    recipe = Recipe(learning_rate=0.01, batch_size=12, epochs=3, linear_start_epochs=2, linear_start_rate=0.01)
    plain, averaged = (
        trained("memn2n", corpus, [3, 4], dataclasses.replace(recipe, average=share)) for share in (0.0, 0.99)
    )
    assert averaged.ensemble.weights.equal(plain.ensemble.weights)  # as if there were no mean
    assert averaged.train_loss_curve.equal(plain.train_loss_curve)
    assert averaged.valid_loss_curve[:2].equal(plain.valid_loss_curve[:2])  # of the linear start there is none
    assert not averaged.valid_loss_curve[2:].allclose(plain.valid_loss_curve[2:])
    steps = 3 * 10  # of which the mean is the plain one
    assert averaged.mean.steps.flatten().tolist() == [steps] * 2
    for k, seed in enumerate((3, 4)):  # the mean's own figures
        network = build(config("model=memn2n")["model"], corpus.sizes, seed).double()
        whole = Ensemble([network])
        with torch.no_grad():
            whole.weights.copy_(averaged.mean.weights[k : k + 1])
        batch = corpus.by_question(corpus.valid, torch.arange(len(corpus.valid)), network.window)
        mean = sum(whole(batch)[1].values()) / len(corpus.valid)
        assert float(averaged.valid_loss_curve[-1, k]) == pytest.approx(float(mean), rel=1e-5)


def test_a_gradient_that_overflows_is_passed_over(corpus, monkeypatch):
    """By its restart, which stays where it is; the other one goes on."""
    recipe = Recipe(optimizer="adam", learning_rate=0.003, batch_size=16, epochs=1)
    differentiate = Ensemble.differentiate

    def overflows(ensemble: Ensemble, batch: Questions) -> torch.Tensor:
        loss = differentiate(ensemble, batch)
        ensemble.weights.grad[1, 5] = torch.inf
        return loss

    monkeypatch.setattr(Ensemble, "differentiate", overflows)
    weights = trained("lstm", corpus, [1, 2], recipe).ensemble.weights
    before = Ensemble([build(config("model=lstm")["model"], corpus.sizes, seed).double() for seed in (1, 2)]).weights
    assert torch.equal(weights[1], before[1])
    assert weights[0].isfinite().all()
    assert not torch.equal(weights[0], before[0])


class TestSchedule:
    recipe = Recipe(learning_rate=0.1, epochs=4, anneal_every=2, linear_start_epochs=3, linear_start_rate=0.03)

    def rates(self, recipe: Recipe, losses: list[float], linear: bool = True) -> list[float]:
        schedule, seen = Schedule(recipe, 1, has_linear_start=linear), []
        for loss in losses:
            seen.append(round(float(schedule.rates()[0]), 6))
            schedule.end_epoch(torch.tensor([loss]), torch.tensor([0.5]))
        return seen

    def test_linear_start_then_halving_then_nothing(self):
        assert self.rates(self.recipe, [1.0] * 8) == [0.03, 0.03, 0.03, 0.1, 0.1, 0.05, 0.05, 0.0]

    def test_the_rate_may_fall_by_another_factor(self):
        recipe = dataclasses.replace(self.recipe, anneal_by=0.1)
        assert self.rates(recipe, [1.0] * 5, linear=False) == [0.1, 0.1, 0.01, 0.01, 0.0]

    def test_a_model_without_linear_start_has_none(self):
        assert self.rates(self.recipe, [1.0] * 5, linear=False) == [0.1, 0.1, 0.05, 0.05, 0.0]

    def test_patience_ends_the_linear_start_of_the_restart_that_stalls(self):
        patient = dataclasses.replace(self.recipe, linear_start_patience=1)
        schedule = Schedule(patient, 2, has_linear_start=True)
        schedule.end_epoch(torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.5]))
        schedule.end_epoch(torch.tensor([2.0, 0.5]), torch.tensor([0.4, 0.6]))  # the error doesn't count yet
        assert schedule.linear.tolist() == [False, True]
        assert [round(float(r), 6) for r in schedule.rates()] == [0.1, 0.03]

    @pytest.mark.parametrize(
        ("losses", "errors", "ends"),
        [
            ([3.0, 3.0, 3.0, 3.0], [0.5, 0.5, 0.5, 0.5], 3),
            ([3.0, 3.0, 2.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5, 0.5], 5),  # a lower loss
            ([3.0, 4.0, 5.0, 6.0, 7.0], [0.5, 0.5, 0.4, 0.4, 0.4], 5),  # a lower error
            ([3.0, 2.0, 1.0, 0.5], [0.5, 0.0, 0.0, 0.0], 4),  # nothing is better than no errors
            ([torch.nan] * 3, [0.5, 0.5, 0.5], 3),
        ],
    )
    def test_patience_ends_a_restart_that_gets_no_better(self, losses, errors, ends):
        schedule = Schedule(Recipe(epochs=9, patience=2), 1, has_linear_start=False)
        finished = []
        for loss, error in zip(losses, errors, strict=True):
            schedule.end_epoch(torch.tensor([loss]), torch.tensor([error]))
            finished.append(bool(schedule.finished()))
        assert finished == [False] * (ends - 1) + [True] * (len(losses) - ends + 1)
        assert schedule.rates().tolist() == [0.0]

    @pytest.mark.parametrize(
        ("errors", "ends"),
        [([3.0, 0.0, 0.0], 3), ([0.0, 1.0, 0.0, 0.0], 4), ([1.0] * 9, 9)],
    )
    def test_epochs_without_an_error_end_a_restart(self, errors, ends):
        schedule = Schedule(Recipe(epochs=9, perfect_epochs=2), 1, has_linear_start=False)
        for epoch, error in enumerate(errors, start=1):
            schedule.end_epoch(torch.tensor([0.1]), torch.tensor([error]))
            assert schedule.finished().tolist() == [epoch == ends]

    def test_a_linear_start_without_an_error_is_not_the_end(self):
        schedule = Schedule(Recipe(epochs=9, perfect_epochs=1, linear_start_epochs=2), 1, has_linear_start=True)
        for finished in (False, False, True):
            schedule.end_epoch(torch.tensor([0.1]), torch.tensor([0.0]))
            assert schedule.finished().tolist() == [finished]

    def test_patience_begins_anew_after_the_linear_start(self):
        recipe = Recipe(epochs=9, patience=1, linear_start_epochs=2)
        schedule = Schedule(recipe, 1, has_linear_start=True)
        finished = []
        for loss in (1.0, 1.0, 5.0, 4.0, 4.0):
            schedule.end_epoch(torch.tensor([loss]), torch.tensor([0.5]))
            finished.append(bool(schedule.finished()))
        assert finished == [False, False, False, False, True]

    def test_patience_begins_where_growing_ends(self):
        schedule = Schedule(Recipe(epochs=9, patience=2, grow_epochs=4), 1, has_linear_start=False)
        finished = []
        for loss in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
            schedule.end_epoch(torch.tensor([loss]), torch.tensor([0.5]))
            finished.append(bool(schedule.finished()))
        assert finished == [False] * 5 + [True]

    def test_shortened_keeps_the_proportions(self):
        recipe = Recipe(epochs=100, anneal_every=25, linear_start_epochs=20, grow_epochs=40, warmup_steps=500)
        short = recipe.shortened(12)
        assert (short.linear_start_epochs, short.epochs, short.anneal_every, short.grow_epochs) == (2, 10, 3, 4)
        assert short.warmup_steps == 50
        assert recipe.shortened(None) == recipe == recipe.shortened(500)
        assert recipe.shortened(1).epochs == 1


class TestSelection:
    def updated(self, *epochs: tuple[list[float], list[float], list[bool]]) -> Best:
        """After epochs of (errors, losses, which restarts are eligible); weights are the number of the epoch."""
        best = Best(torch.zeros(len(epochs[0][0]), 1))
        for number, (errors, losses, eligible) in enumerate(epochs):
            weights = torch.full_like(best.weights, number)
            best.update(weights, torch.tensor(errors), torch.tensor(losses), number, torch.tensor(eligible))
        return best

    def test_the_epoch_of_lowest_error_of_equals_the_last(self):
        yes = [True, True]
        best = self.updated(([3.0, 1.0], [1.0, 1.0], yes), ([2.0, 1.0], [1.0, 9.0], yes), ([4.0, 2.0], [1.0, 1.0], yes))
        assert best.epoch.tolist() == [1, 1]
        assert best.error.tolist() == [2.0, 1.0]
        assert best.weights.flatten().tolist() == [1.0, 1.0]

    def test_epochs_of_the_linear_start_are_not_eligible(self):
        best = self.updated(([0.0], [1.0], [False]), ([5.0], [1.0], [True]))
        assert (best.epoch.tolist(), best.error.tolist()) == ([1], [5.0])

    def test_no_epoch_of_the_linear_start_is_chosen_though_it_has_the_lowest_error(self, corpus):
        # a rate of zero after the start: the weights stay, and the softmax makes them worse
        recipe = Recipe(learning_rate=0.0, epochs=3, linear_start_epochs=6, linear_start_rate=0.003, clip=5.0)
        training = trained("memn2n", corpus, [1, 2], recipe)
        linear, rest = training.valid_error_curve[:6], training.valid_error_curve[6:]
        assert (linear.amin(0) < rest.amin(0)).any()
        assert (training.best.epoch >= 6).all()
        torch.testing.assert_close(training.best.error, rest.amin(0))

    def test_the_restart_of_lowest_error_of_equals_that_of_lowest_loss_at_the_end(self):
        yes = [True, True, True]
        best = self.updated(([1.0, 2.0, 1.0], [0.1, 0.0, 0.9], yes), ([2.0, 3.0, 3.0], [0.8, 0.1, 0.7], yes))
        assert best.restart() == 2


def test_facts_are_found_where_they_get_most_attention():
    attention = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])  # two hops of a question over three sentences
    support = torch.tensor([[0, 2], [2, NONE], [1, NONE], [0, 1], [NONE, NONE]])
    got = finds_facts(attention.expand(5, 2, 3), support)
    # the best hops give 0.5, 0.3 and 0.7
    assert got.tolist() == [True, True, False, False, False]
    assert finds_facts(attention.flip(0).expand(4, 5, 2, 3), support).equal(got.expand(4, 5))
    shared = torch.tensor([[[0.4, 0.4, 0.2]]])  # as much is not more
    assert finds_facts(shared, torch.tensor([[0]])).tolist() == [False]
