"""Everything that must hold for every network that reads sequences: a sweep over conf/model_on_task/*/*.yaml."""

import csv
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import get_class

from tasks.batch import Sequences, Widths
from tasks.errors import UserError
from tests.configs import EXPERIMENTS, ON_TASKS, ROOT, config
from tests.records import add, as_sequences, csv_of, markdown, raw, rewrite, rows_of, short_markdown
from tests.reference import dnc as dnc_reference
from tests.reference import lstm as lstm_reference
from tests.reference import ntm as ntm_reference
from tests.runs import LITTLE, SHORT, SMALL
from zoo import records
from zoo.commands.draw import picture, tapes_of
from zoo.families.algorithmic import task_of
from zoo.interface import SequenceNetwork, bits, wrong_bits
from zoo.kinds import stories
from zoo.kinds.sequences import evaluation_batches, figures, training_batches
from zoo.models.dnc import SequenceDNC
from zoo.models.lstm import SequenceLSTM
from zoo.models.ntm import SequenceNTM
from zoo.runs.data import load_data
from zoo.runs.plan import plan
from zoo.runs.run import run
from zoo.training.batches import Blocks
from zoo.training.build import build, options_of
from zoo.training.ensemble import Ensemble
from zoo.training.module import EnsembleTraining
from zoo.training.recipe import Recipe

FRESH = [name for name in EXPERIMENTS if config(f"experiment={name}")["protocol"] == "fresh"]


@pytest.fixture(params=[pair for pair in ON_TASKS if pair[1] in SHORT], ids="-".join)
def pair(request) -> tuple[str, str]:
    return request.param


def small(model: str, task: str, *overrides: str) -> dict:
    return config(f"model={model}", f"task={task}", *SMALL[model], *SHORT[task], *LITTLE, *overrides)


def network_of(given: dict, seed: int = 1) -> SequenceNetwork:
    (algorithm,) = load_data(given).trainings.values()
    return build(given["model"], algorithm.sizes, seed)


def labels_of(model: str) -> dict:
    return {"model": model, "experiment": None, "overrides": [], "published": None, "command": "python run.py"}


def some(given: dict, count: int = 4) -> Sequences:
    (algorithm,) = load_data(given).trainings.values()
    return Sequences(*(table[0] for table in algorithm.train.draw(0, [0], count)))


def test_yaml_has_every_option_and_the_sizes_of_the_paper(pair):
    given = config(*(f"{name}={value}" for name, value in zip(("model", "task"), pair, strict=True)))["model"]
    target = get_class(given["_target_"])
    said = {name for name, value in given.items() if value is not None}
    assert said - {"_target_", "recipe"} == set(options_of(target))
    assert target.paper.link.rpartition("/")[2] == ("nature20101" if pair[0] == "dnc" else "1410.5401")
    Recipe.from_config(given["recipe"])


def test_every_parameter_gets_a_gradient(pair):
    given = small(*pair)
    network, batch = network_of(given), some(given)
    network.learn(batch)["bits"].backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_others_in_a_batch_change_nothing(pair):
    given = small(*pair)
    network, batch = network_of(given).double(), some(given)
    batch = batch._replace(inputs=batch.inputs.double(), targets=batch.targets.double())
    together = network(batch)
    for n in range(4):
        alone = network(Sequences(*(table[n : n + 1] for table in batch)))
        torch.testing.assert_close(alone.scores[0], together.scores[n])
        torch.testing.assert_close(alone.trace.reading[0], together.trace.reading[n])


def test_what_is_shown_later_changes_nothing_before(pair):
    given = small(*pair)
    network, batch = network_of(given), some(given)
    later = batch._replace(inputs=torch.cat([batch.inputs[:, :-1], 1 - batch.inputs[:, -1:]], dim=1))
    torch.testing.assert_close(network(batch).scores[:, :-1], network(later).scores[:, :-1])


def test_weightings_sum_to_one(pair):
    """Or to less, where a gate decides whether a machine writes at all."""
    given = small(*pair)
    tape = network_of(given)(some(given)).trace
    heads = given["model"].get("read_heads", 0)
    assert tape.reading.shape[2] == heads
    for weights in (tape.reading, tape.writing):
        if heads and pair[0] == "dnc":
            assert (weights >= 0).all()
            assert (weights.sum(-1) <= 1 + 1e-5).all()
        elif heads:
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@pytest.mark.slow
def test_restart_k_is_the_single_run_with_its_seed(pair):
    given = small(*pair, "task.epoch=24")
    (algorithm,) = load_data(given).trainings.values()
    recipe = Recipe(optimizer="adam", learning_rate=0.01, batch_size=4, epochs=2, anneal_every=1, clip=2.0)

    def trained(seeds: list[int]) -> EnsembleTraining:
        ensemble = Ensemble([build(given["model"], algorithm.sizes, seed) for seed in seeds])
        training = EnsembleTraining(ensemble, recipe)
        pl.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0,
        ).fit(
            training,
            Blocks(training_batches(algorithm, ensemble.network, seeds, recipe.batch_size)),
            evaluation_batches(algorithm, algorithm.valid, ensemble.network),
        )  # fmt: skip
        return training

    together, alone = trained([3, 4]), trained([4])
    torch.testing.assert_close(together.ensemble.weights[1], alone.ensemble.weights[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(together.best.error[1], alone.best.error[0], rtol=1e-3, atol=1e-3)
    assert together.best.error[0] != together.best.error[1]


@pytest.mark.slow
def test_learns_the_shortest_sequences(pair):
    given = small(*pair)
    network, batch = network_of(given), some(given)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    bits = [network.learn(batch)["bits"]]
    while bits[-1] > 0.5 * bits[0] and len(bits) <= 250:
        optimizer.zero_grad()
        bits[-1].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0)
        optimizer.step()
        bits.append(network.learn(batch)["bits"])
    assert bits[-1] < 0.5 * bits[0]


def held_against(network: SequenceNetwork, expected, batch: Sequences) -> None:
    """In value and in gradient; `expected` gives the log-odds of one sequence."""
    scores = torch.stack([expected(inputs) for inputs in batch.inputs])
    torch.testing.assert_close(network(batch).scores, scores)
    odds = torch.where(batch.targets > 0.5, scores, -scores)
    loss = -(torch.sigmoid(odds).log2().sum(-1) * batch.mask).sum()
    got = network.learn(batch)["bits"]
    torch.testing.assert_close(got, loss)
    # of one layer of the LSTM there is no weight to a layer above
    weights = {name: parameter for name, parameter in network.named_parameters() if parameter.numel()}
    ours, theirs = (torch.autograd.grad(value, list(weights.values())) for value in (got, loss))
    for name, one, other in zip(weights, ours, theirs, strict=True):
        torch.testing.assert_close(one, other, msg=name)


def doubled(task: str, network: SequenceNetwork) -> Sequences:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.6)
    batch = some(small("ntm", task), 3)
    return batch._replace(inputs=batch.inputs.double(), targets=batch.targets.double())


@pytest.mark.parametrize(
    ("controller", "layers", "heads"), [("lstm", 1, (1, 1)), ("lstm", 2, (2, 3)), ("feedforward", 1, (2, 1))]
)
def test_ntm_is_its_equations(controller, layers, heads):
    torch.manual_seed(5)
    network = SequenceNTM(
        *Widths(9, 8), slots=5, width=3, dim=4, read_heads=heads[0], write_heads=heads[1], controller=controller,
        layers=layers,
    ).double()  # fmt: skip
    batch = doubled("copy", network)
    held_against(network, lambda inputs: ntm_reference.bits(network, inputs), batch)


@pytest.mark.parametrize("links", [False, True])
def test_dnc_is_its_equations(links):
    torch.manual_seed(7)
    network = SequenceDNC(
        *Widths(9, 8), slots=5, training_slots=5, width=3, dim=4, read_heads=2, links=links
    ).double()  # fmt: skip
    batch = doubled("copy", network)
    held_against(network, lambda inputs: dnc_reference.bits(network, inputs), batch)


@pytest.mark.parametrize("machine", [SequenceNTM, SequenceDNC])
def test_a_machine_may_have_fewer_rows_in_training(machine):
    torch.manual_seed(7)
    few, many = (machine(*Widths(9, 8), slots=slots, training_slots=5, width=3, dim=4) for slots in (5, 12))
    many.load_state_dict(few.state_dict())
    batch = some(small("dnc", "copy"))
    assert many.learn(batch)["bits"].equal(few.learn(batch)["bits"])
    assert many.loss(few(batch), batch)["bits"].equal(few.learn(batch)["bits"])
    assert many(batch).trace.reading.shape[-1] == 12


@pytest.mark.parametrize("layers", [1, 3, 12])
def test_lstm_is_its_equations(layers):
    torch.manual_seed(6)
    network = SequenceLSTM(*Widths(9, 8), dim=4, layers=layers).double()
    batch = doubled("copy", network)
    held_against(network, lambda inputs: lstm_reference.bits(network, inputs), batch)


def test_a_run_that_goes_on_sees_what_it_would_have_seen():
    given = small("ntm", "copy", "task.epoch=12")
    (algorithm,) = load_data(given).trainings.values()
    network = build(given["model"], algorithm.sizes, 0)
    whole, continued = (training_batches(algorithm, network, [3, 4], 4, grow_epochs=2) for _ in range(2))
    seen = []
    for epoch in range(3):
        whole.set_epoch(epoch)
        seen += list(whole)
    continued.set_epoch(2)
    assert len(seen) == 9
    for one, other in zip(seen[6:], continued, strict=True):
        assert one.inputs.equal(other.inputs)
    assert len({batch.inputs.numpy().tobytes() for batch in seen}) == 9  # nothing comes twice


def test_sequences_grow_over_the_epochs_that_the_recipe_says():
    given = small("ntm", "copy", "task.epoch=40", "task.train.length=[3,9]")
    (algorithm,) = load_data(given).trainings.values()
    network, recipe = network_of(given), Recipe(batch_size=2, grow_epochs=3)
    growing, grown = (
        training_batches(algorithm, network, [3], recipe.batch_size, grow_epochs=epochs)
        for epochs in (recipe.grow_epochs, 0)
    )
    lengths = []
    for epoch in range(4):
        growing.set_epoch(epoch)
        lengths.append([batch.mask.shape[2] // 2 for batch in growing])
    assert lengths[0][0] <= 2  # one sixtieth of the way from 1 to 9
    assert [max(lengths[epoch]) <= most for epoch, most in enumerate((4, 7, 9))] == [True] * 3
    assert max(lengths[0]) < max(lengths[1]) < max(lengths[2])
    grown.set_epoch(3)
    assert lengths[3] == [batch.mask.shape[2] // 2 for batch in grown]
    assert min(lengths[3]) == 3


def test_stories_do_not_grow(corpus):
    network = build(config("model=memn2n")["model"], corpus.sizes, 0)
    with pytest.raises(UserError, match=r"model.recipe.grow_epochs=3: expected 0"):
        stories.training_batches(corpus, network, [0], 32, grow_epochs=3)


def test_the_tape_that_is_kept_is_that_of_the_selected_restart():
    given = config("model=ntm", "task=copy", *SMALL["ntm"], *SHORT["copy"], *LITTLE)
    corpus = load_data(given).trainings["copy"]
    networks = [build(given["model"], corpus.sizes, seed) for seed in (1, 2)]
    first, second = (figures(Ensemble(networks), corpus, selected)["tapes"] for selected in (0, 1))
    for form, tape in figures(Ensemble(networks[1:]), corpus, 0)["tapes"].items():
        for name, table in tape.items():
            torch.testing.assert_close(second[form][name], table, atol=2e-3, rtol=1e-2)
        assert not first[form]["outputs"].equal(tape["outputs"])


def test_costs_are_those_of_the_bits_that_are_asked_for():
    scores = torch.tensor([[[0.0, 2.0], [1.0, -1.0], [5.0, 5.0]]])
    batch = Sequences(
        torch.zeros(1, 3, 1), torch.tensor([[[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]]), torch.tensor([[True, True, False]])
    )
    odds = [math.log2(2), math.log2(1 + math.exp(2)), math.log2(1 + math.exp(-1)), math.log2(1 + math.exp(1))]
    assert bits(scores, batch).tolist() == [pytest.approx(sum(odds))]
    # a zero is guessed where the odds are even
    assert wrong_bits(scores, batch).tolist() == [3]
    assert wrong_bits(scores.expand(4, 1, 3, 2), batch).tolist() == [[3]] * 4


PUBLISHED = {
    row["key"]: row for row in csv.DictReader((ROOT / "results/published_sequences.csv").read_text().splitlines())
}


@pytest.mark.parametrize("name", [name for name in FRESH if "_dnc_" not in name and "_long_" not in name])
def test_an_experiment_names_its_row_and_has_about_the_weights_of_the_paper(name):
    """A DNC is left out, of which there are only curves, and lengths that no paper has."""
    given = config(f"experiment={name}")
    row = PUBLISHED[given["published"]["key"]]
    assert name == f"graves2014_{row['key']}"
    assert given["task"]["name"] == row["task"]
    weights = sum(parameter.numel() for parameter in network_of(given).parameters())
    assert 0.75 < weights / int(row["parameters"]) < 1.05


def test_a_model_and_a_task_that_do_not_fit_get_one_sentence(tmp_path):
    with pytest.raises(UserError) as caught:
        plan(config("model=entnet", "task=copy", f"results_dir={tmp_path}"), labels_of("entnet"))
    assert str(caught.value) == (
        "EntNet reads questions about stories, as of task=babi, and copy has sequences of vectors; "
        "choose model=dnc, lstm or ntm"
    )
    given = config(
        "model=ntm", "task=babi", "task.source=generated", "task.size=50", f"results_dir={tmp_path}",
        f"cache_dir={tmp_path}",
    )  # fmt: skip
    given["model"] = config("model=ntm", "task=copy")["model"]
    with pytest.raises(
        UserError,
        match=r"SequenceNTM reads sequences of vectors, as of task=copy, and bAbI.* has questions about",
    ):
        plan(given, labels_of("ntm"))


@pytest.mark.slow
@pytest.mark.parametrize("name", FRESH)
def test_every_experiment_ends_with_a_record_and_a_row_beside_its_paper(name, tmp_path):
    short = SHORT[config(f"experiment={name}")["task"]["name"]]
    model = name.split("_")[1]
    given = config(
        f"experiment={name}", *SMALL[model], *short, *LITTLE, "restarts=2", "trainer.max_epochs=1", "task.epoch=32",
        "logger=none", "trainer.workers=1", f"results_dir={tmp_path}",
    )  # fmt: skip
    key = given["published"] and given["published"]["key"]
    labels = labels_of(model) | {"experiment": name, "published": key}
    file = run(plan(given, labels))
    rewrite(file, raw(file) | {"dirty": False})  # marked where the tree is not clean
    record = records.read(file)
    (tmp_path / "published_sequences.csv").write_text((ROOT / "results/published_sequences.csv").read_text())
    (row,) = rows_of(tmp_path, "algorithmic")
    (form,) = record.tests
    assert (row.model, task_of(row.record)) == (model, given["task"]["name"])
    drawn_of = task_of(row.record)
    assert (record.tests[form].optimal_bits is not None) == (drawn_of == "dynamic_ngrams")
    page = markdown([row], "algorithmic")
    assert f"| {model} | {name} | {record.tests[form].bits[record.validation.selected]:.2f} (" in page
    assert key is None or PUBLISHED[key]["said"] in page
    short = short_markdown([row], "algorithmic")
    cells = [cell.strip() for cell in short.splitlines()[-1].split("|")[1:-1]]
    assert cells[3:7] == ["–", "–", "–", form]  # its only test is beyond training
    assert ("(optimum " in cells[7]) == (drawn_of == "dynamic_ngrams")
    drawn = picture(tapes_of(record)[form], form)
    assert ("write weightings" in drawn) == ("read weightings" in drawn) == (model != "lstm")


@pytest.mark.parametrize(
    ("task", "within", "beyond"),
    [
        ("copy", "length=20", "length=100"),
        ("associative_recall", "items=6", "items=12"),
        ("repeat_copy", "length=10 repeats=10", "length=10 repeats=20"),
        ("dynamic_ngrams", "length=200", "–"),
        ("priority_sort", "length=20 kept=16", "–"),
    ],
)
def test_documents_show_a_test_as_in_training_and_one_beyond(tmp_path, task, within, beyond):
    given = config("model=ntm", f"task={task}")
    (algorithm,) = load_data(given).trainings.values()
    names = map(algorithm.test.name, range(len(algorithm.test.forms)))
    tests = {
        name: {"bits": [9.0, place, place + 1], "wrong_bits": [0.0, 0.5, 0.25], "optimal_bits": None}
        for place, name in enumerate(names)
    }
    file = add(tmp_path, model="ntm", tasks=(1,), restarts=3)
    as_sequences(file)
    record = raw(file)
    record["settings"] |= {"task": given["task"], "restarts": 3}
    validation = {"bits": [2.0] * 3, "wrong_bits": [1.0] * 3, "selected": 0, "best_epochs": [0] * 3}
    rewrite(file, record | {"tests": tests, "validation": validation})
    (row,) = rows_of(tmp_path, "algorithmic")
    cells = [cell.strip() for cell in short_markdown([row], "algorithmic").splitlines()[-1].split("|")[1:-1]]

    def shown(form: str) -> list[str]:
        return ["–"] * 3 if form == "–" else [form, f"{list(tests).index(form) + 1:.2f}", "0.25"]  # medians

    assert cells[3:] == [*shown(within), *shown(beyond)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The results of a short run of ntm on short sequences."""
    results = tmp_path_factory.mktemp("results")
    given = small(
        "ntm", "copy", "restarts=2", "trainer.max_epochs=3", "task.epoch=64", "logger=none", "trainer.workers=1",
        "trainer.threads=1", "model.recipe.learning_rate=0.01", f"results_dir={results}",
    )  # fmt: skip
    run(plan(given, labels_of("ntm") | {"experiment": "e", "published": "ntm_copy"}))
    (results / "published_sequences.csv").write_text((ROOT / "results/published_sequences.csv").read_text())
    return results


@pytest.mark.slow
class TestRun:
    def test_leaves_a_record_of_bits(self, finished):
        (file,) = (finished / "runs").glob("*.json")
        assert file.name.startswith("ntm-copy-fresh-")
        record = raw(file)
        assert record["family"] == "algorithmic"
        assert record["validation"]["bits"][record["validation"]["selected"]] == min(record["validation"]["bits"])
        assert record["tests"].keys() == {"length=5"}
        assert len(record["tests"]["length=5"]["wrong_bits"]) == 2
        with np.load(file.with_suffix(".npz")) as stored:
            assert stored["copy/valid_error"].shape == (3, 2)
            # bits fall from one for each
            assert (stored["copy/valid_error"][-1] < stored["copy/valid_error"][0]).all()

    def test_has_a_row_in_a_table_of_its_own(self, finished):
        (row,) = rows_of(finished, "algorithmic")
        page = markdown([row], "algorithmic")
        bits = row.record.tests["length=5"].bits[row.record.validation.selected]
        assert "## copy" in page
        assert f"| ntm | e | {bits:.2f} (" in page
        assert "near-perfect copies up to length 50" in page
        (line,) = csv_of([row], "algorithmic")
        assert float(line["bits"]) == pytest.approx(bits, abs=1e-4)
        assert line["form"] == "length=5"

    def test_can_be_drawn(self, finished):
        (file,) = (finished / "runs").glob("*.json")
        tapes = tapes_of(records.read(file))
        assert tapes["length=5"]["writing"].shape == (11, 1, 12)
        drawn = ElementTree.fromstring(picture(tapes["length=5"], "length < 6"))
        texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
        for name in ("length < 6", "inputs", "outputs", "targets", "adds", "reads", "write weightings"):
            assert name in texts
        assert len(list(drawn.iter("{http://www.w3.org/2000/svg}image"))) == 7
