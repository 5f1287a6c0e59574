"""Kernels against their plain forms, in value and in gradient; and how their libraries are built."""

import copy
import ctypes

import pytest
import torch
from torch import Tensor

from tasks.batch import Batch, Questions
from tasks.corpus import Corpus
from tasks.errors import UserError
from tests.configs import MODELS, config
from zoo import kernels
from zoo.kernels import build
from zoo.kinds.stories import training_batches
from zoo.parts.encoders import masked_sum
from zoo.runs.data import load_data
from zoo.training.build import build as build_model
from zoo.training.ensemble import Ensemble, restart_axis
from zoo.training.module import EnsembleTraining
from zoo.training.recipe import Recipe
from zoo.training.train import train

# no whole number of vectors, and more of everything that there may be several of
ODD = {"ntm": ["model.dim=13", "model.width=9", "model.slots=7"], "transformer": ["model.dim=20", "model.heads=2"],
       "universal_transformer": ["model.dim=20", "model.heads=2"],
       "wmn": ["model.dim=18", "model.heads=3", "model.relation=21"]}  # fmt: skip
SEEDS = [1, 2, 3]

pytestmark = pytest.mark.skipif(not kernels.available(), reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def generated() -> dict[str, Corpus]:
    task = ("task=babi", "task.source=generated", "task.ids=[1,2,3]", "task.size=1k", "task.generator.test=20")
    return load_data(config("model=memn2n", *task)).trainings


def perturbed(name: str, corpus: Corpus, *options: str) -> Ensemble:
    """Networks of which no slope or bias has the value that it begins with."""
    model = config(f"model={name}", *options)["model"]
    ensemble = Ensemble([build_model(model, corpus.sizes, seed) for seed in SEEDS])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        ensemble.weights.add_(0.1 * torch.randn(ensemble.weights.shape, generator=generator))
    return ensemble


def some_batch(ensemble: Ensemble, corpus: Corpus, size: int = 6) -> Questions:
    """A batch of few sentences, where the task has stories of several lengths."""
    batches = training_batches(corpus, ensemble.network, SEEDS, size)
    return min((batch for batch, _ in zip(batches, range(16), strict=False)), key=lambda batch: batch.stories.shape[2])


def differentiated(ensemble: Ensemble, batch: Batch, wish: bool | str) -> tuple[Tensor, Tensor]:
    with kernels.switched(wish):
        loss = ensemble.differentiate(batch)
    return loss.double(), ensemble.weights.grad.double().clone()


def agree(ensemble: Ensemble, batch: Batch) -> None:
    """Whether loss and gradient are those of the plain form in double precision, as nearly as its own in single."""
    truth, steep = differentiated(copy.deepcopy(ensemble).double(), batch, True)
    plain, kernel = (differentiated(ensemble, batch, wish) for wish in (False, True))
    torch.testing.assert_close(kernel[0], truth, rtol=2e-5, atol=1e-5)
    of_plain, of_kernel = ((of[1] - steep).norm(dim=1) / steep.norm(dim=1) for of in (plain, kernel))
    allowed = (5 * of_plain).clamp(min=2e-5)
    # at a kink of |x - y| or of a ReLU rounding may choose the other slope, in a network or two
    assert (of_kernel <= allowed).any()
    assert (of_kernel <= allowed.clamp(min=2e-2)).all()


@pytest.mark.parametrize("task", ["1", "2", "3"])
@pytest.mark.parametrize("name", MODELS)
def test_kernels_are_the_plain_form(name: str, task: str, generated: dict[str, Corpus]):
    ensemble = perturbed(name, generated[task])
    agree(ensemble, some_batch(ensemble, generated[task]))


@pytest.mark.parametrize("name", MODELS)
def test_kernels_are_the_plain_form_at_odd_sizes(name: str, uneven: Corpus):
    ensemble = perturbed(name, uneven, *ODD.get(name, ["model.dim=13"]))
    agree(ensemble, some_batch(ensemble, uneven, 5))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("memn2n", ["model.tying=layerwise", "model.encoding=bag"]),
        ("memn2n", ["model.time=false", "model.relu=true"]),
        ("gated_memn2n", ["model.gates=global", "model.relu=true"]),
        ("kv_memnn", ["model.own_answers=false", "model.time=false"]),
        ("kv_memnn", ["model.own_values=false", "model.time_noise=0"]),
        ("kv_memnn", ["model.memories=windows"]),
        ("delta_net", ["model.rule=delta", "model.writes=2", "model.entity=21", "model.relation=3"]),
        ("entnet", ["model.keys=tied"]),
        ("dmn", ["model.episode=gru", "model.hears=sentences"]),
        ("ntm", ["model.controller=feedforward"]),
        ("dnc", ["model.links=true", "model.slots=5", "model.width=3", "model.normalise=false"]),
        ("dnc", ["model.links=true", "model.slots=19", "model.read_heads=1"]),
        ("qrn", ["model.gates=vector", "model.layers=3"]),
        ("qrn", ["model.layers=1"]),
        ("universal_transformer", ["model.halting=act", "model.dim=12", "model.steps=3"]),
        ("universal_transformer", ["model.halting=ponder", "model.dim=12", "model.steps=3"]),
    ],
)
def test_options_have_kernels_too(name: str, options: list[str], uneven: Corpus):
    ensemble = perturbed(name, uneven, *options)
    for linear in (False, True):
        if ensemble.linear is not None:
            ensemble.linear.fill_(linear)
        agree(ensemble, some_batch(ensemble, uneven))


@pytest.mark.parametrize("name", MODELS)
def test_restart_k_is_the_single_run(name: str, uneven: Corpus):
    """And a repeat gives the same bits; on two threads only torch's own products may round otherwise."""
    ensemble = perturbed(name, uneven)
    batch = some_batch(ensemble, uneven)
    losses, gradients = differentiated(ensemble, batch, True)
    again = differentiated(ensemble, batch, True)
    assert losses.equal(again[0])
    assert gradients.equal(again[1])
    try:
        torch.set_num_threads(2)
        threaded = differentiated(ensemble, batch, True)
    finally:
        torch.set_num_threads(1)
    torch.testing.assert_close(threaded[1], gradients, rtol=1e-5, atol=1e-6)
    model = config(f"model={name}")["model"]
    for k in range(len(SEEDS)):
        alone = Ensemble([build_model(model, uneven.sizes, SEEDS[k])])
        with torch.no_grad():
            alone.weights.copy_(ensemble.weights[k : k + 1])
        tables = [
            table if restart_axis(field, table) is None else table[k : k + 1]
            for field, table in zip(batch._fields, batch, strict=True)
        ]
        loss, gradient = differentiated(alone, type(batch)(*tables), True)
        torch.testing.assert_close(loss[0], losses[k], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(gradient[0], gradients[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(name: str, uneven: Corpus):
    ensemble = perturbed(name, uneven)
    cut = uneven.by_story if ensemble.network.batched_by == "story" else uneven.by_question
    rest = () if ensemble.network.batched_by == "story" else (ensemble.network.window,)
    index = torch.arange(6).expand(len(SEEDS), -1)
    with kernels.switched(True), torch.no_grad():
        few = ensemble.answer(cut(uneven.train, index[:, :2], *rest)).scores
        many = ensemble.answer(cut(uneven.train, index, *rest)).scores
    torch.testing.assert_close(many[:, : few.shape[1]], few, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("clip", [0.5, 1e3])  # shorter than every gradient, and longer
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_step_of_the_optimizer_is_the_plain_one(optimizer: str, clip: float, corpus: Corpus):
    recipe = Recipe(optimizer=optimizer, learning_rate=0.01, batch_size=12, clip=clip)
    after = []
    for wish in (False, True):
        with kernels.switched(wish):
            training = EnsembleTraining(perturbed("memn2n", corpus), recipe)
            optim = training.configure_optimizers()
            training.on_train_epoch_start()
            for batch, _ in zip(training_batches(corpus, training.ensemble.network, SEEDS, 12), range(5), strict=False):
                training.step(batch, optim)
            after.append(training.ensemble.weights.detach())
    torch.testing.assert_close(*after, rtol=1e-4, atol=1e-5)


def test_what_is_no_number_stays_none():
    words = torch.full((5, 7), torch.nan)
    sums = masked_sum(torch.tensor([[1, 2, 0]]), words, torch.ones(3, 7))
    assert sums.isnan().all()


def test_the_gradient_of_what_restarts_share_is_the_sum_of_theirs():
    sentences, words = torch.tensor([[1, 2, 0], [3, 0, 0]]), torch.randn(4, 5, 7)
    found = []
    for wish in (True, False):
        masks = torch.linspace(-1, 1, 21).view(3, 7).requires_grad_()
        with kernels.switched(wish):
            sums = torch.vmap(masked_sum, in_dims=(None, 0, None))(sentences, words, masks)
        sums.square().sum().backward()
        found.append(masks.grad)
    torch.testing.assert_close(*found)


def test_an_operator_is_one_of_torchs():
    sentences, words, masks = torch.tensor([[1, 2, 0], [3, 0, 0]]), torch.randn(1, 5, 7), torch.randn(3, 7)
    given = (sentences, words.requires_grad_(), None, masks.requires_grad_(), True)
    torch.library.opcheck(torch.ops.zoo.encode.default, given)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A cache without libraries, and a process that has loaded none."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    for cached in (build.library, build.compiler, kernels.available):
        cached.cache_clear()
    yield tmp_path / "kernels"
    monkeypatch.undo()
    for cached in (build.library, build.compiler, kernels.available):
        cached.cache_clear()


def test_a_switch_holds_for_its_block_only():
    assert kernels.usable(torch.ones(1))
    with kernels.switched(False) as on:
        assert not on
        assert not kernels.usable(torch.ones(1))
    assert kernels.usable(torch.ones(1))


def test_without_a_compiler_the_plain_form_runs(fresh, monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert not kernels.usable(torch.ones(1))
    assert kernels.use("auto") is False
    with pytest.raises(UserError, match=r"a C\+\+ compiler .* type trainer.kernels=false"):
        kernels.use(True)


def test_a_damaged_library_is_built_again(fresh):
    build.library("encode")
    (file,) = fresh.glob("encode-*.so")
    content = file.read_bytes()
    for damaged in (content[:1000], b"", content[:-1] + b"?"):
        file.unlink()  # the process may have the other file in its memory
        file.write_bytes(damaged)
        build.library.cache_clear()
        assert isinstance(build.library("encode"), ctypes.CDLL)
        assert file.read_bytes()[:4] == content[:4]
        assert file.read_bytes() != damaged


def test_other_flags_make_another_library(fresh, monkeypatch):
    build.library("descend")
    build.library.cache_clear()
    monkeypatch.setattr(build, "FLAGS", tuple(flag for flag in build.FLAGS if flag != "-O3"))
    build.library("descend")
    assert len(list(fresh.glob("descend-*.so"))) == 2


@pytest.fixture
def little(tmp_path, monkeypatch):
    """The folder of a kernel that is compiled at once: little.cpp, and its header."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "common.h").write_text("#define NUMBER 1\n")
    (folder / "little.cpp").write_text('#include "common.h"\nextern "C" int number() { return NUMBER; }\n')
    monkeypatch.setattr(build, "HERE", folder)
    return folder


def test_another_header_makes_another_library_and_another_digest_in_records(fresh, little):
    before = build.digest()
    assert build.library("little").number() == 1
    (little / "common.h").write_text("#define NUMBER 2\n")
    build.library.cache_clear()
    assert build.library("little").number() == 2
    assert build.digest() != before


def test_what_a_process_that_was_killed_while_it_compiled_has_left_is_removed(fresh, little):
    build.library("little")
    (file,) = fresh.iterdir()
    file.unlink()
    (fresh / f".{file.name}.abcdefgh").mkdir()
    (fresh / f".{file.name}.abcdefgh" / file.name).touch()
    (fresh / f"{file.name}.lock").touch()
    build.library.cache_clear()
    build.library("little")
    assert list(fresh.iterdir()) == [file]


@pytest.mark.parametrize("name", ["memn2n", "entnet", "dmn"])
def test_none_is_called_where_they_are_switched_off(name: str, corpus: Corpus, monkeypatch):
    ensemble = perturbed(name, corpus)
    batch = some_batch(ensemble, corpus)
    called = []
    call = kernels.call
    monkeypatch.setattr(kernels, "call", lambda name, *given: called.append(name) or call(name, *given))
    for wish in (True, False):
        called.clear()
        differentiated(ensemble, batch, wish)
        assert bool(called) is wish


@pytest.mark.parametrize("wish", [True, False])
def test_a_training_says_whether_it_had_kernels(wish: bool, corpus: Corpus, tmp_path):
    given = config("model=memn2n", "task=babi", "restarts=1", f"trainer.kernels={wish}", "trainer.max_epochs=1")
    given |= {"run": {"name": "a", "identity": "b"}, "results_dir": str(tmp_path)}
    figures = train(given, {"1": corpus}, tmp_path, lambda name, state: None)
    assert figures["1"]["kernels"] is wish
