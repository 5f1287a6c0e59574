"""The benchmark's baselines and switches answer what the zoo answers; what it writes follows from what it measured."""

import json
import subprocess
import sys

import pytest
import torch
from hydra.utils import get_class

from benchmarks import hashing, kernels, measure, page, spread, store
from benchmarks.plain import PLAIN, PaddedQuestions, optimizer_of, plain_of, step
from benchmarks.without import GATHERED, read_for_each_question, told_apart
from tasks.batch import NONE, PAD
from tasks.corpus import only_used
from tests.configs import MODELS, ROOT, config
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.recipe import Recipe

CLASSES = {name: get_class(config(f"model={name}")["model"]["_target_"]) for name in MODELS}
WITH_PLAIN = [name for name in MODELS if CLASSES[name] in PLAIN]
BY_STORY = [name for name in MODELS if CLASSES[name].batched_by == "story"]


@pytest.fixture(params=WITH_PLAIN)
def model(request) -> dict:
    return config(f"model={request.param}")["model"]


def test_every_model_of_a_paper_has_a_plain_form():
    assert len(WITH_PLAIN) == len(PLAIN) == 11


def test_plain_form_answers_and_learns_the_same(model, uneven):
    network = build(model, uneven.sizes, 3).double()
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():  # some begin at zero
            parameter.add_(0.1 * torch.randn_like(parameter))
    plain = plain_of(network).eval()
    questions = PaddedQuestions(uneven, uneven.train, network)
    few = torch.tensor([0, 2, 4, 9, 12, 13])  # of stories of six, two and four sentences
    batch = uneven.by_question(uneven.train, few, network.window)
    padded = questions.collate([questions[int(n)] for n in few])
    support = torch.tensor([[1, 0], [0, NONE], [0, 1], [1, NONE], [0, 1], [1, 0]])  # one or two facts
    batch, padded = batch._replace(support=support), padded._replace(support=support)
    # tight enough to see a constant in single precision; the epsilon of the plain NTM's cosine costs 2e-8
    torch.testing.assert_close(plain(padded), network(batch).scores, rtol=0, atol=5e-8)
    torch.testing.assert_close(plain.loss(padded), sum(network.learn(batch).values()), rtol=0, atol=5e-8)


@pytest.mark.slow
def test_plain_form_trains(model, corpus):
    network = build(model, corpus.sizes, 3)
    plain, recipe = plain_of(network), Recipe.from_config(model["recipe"])
    questions = PaddedQuestions(corpus, corpus.train, network)
    batch = questions.collate([questions[n] for n in range(16)])
    optimizer = optimizer_of(plain, recipe)
    first = plain.loss(batch).item()
    for _ in range(10):
        step(plain, batch, optimizer, recipe.clip)
    assert plain.loss(batch).item() < first
    assert all(parameter.grad is not None for parameter in plain.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_sentences_told_apart_change_no_answer(name, uneven):
    networks = [build(config(f"model={name}")["model"], uneven.sizes, seed).double() for seed in (1, 2)]
    ensemble = Ensemble(networks)
    number = torch.tensor([[0, 2, 1], [1, 0, 2]])
    if networks[0].batched_by == "story":
        batch = uneven.by_story(uneven.train, number)
    else:
        batch = uneven.by_question(uneven.train, number, networks[0].window)
    apart = told_apart(batch)
    assert apart.sentences.shape[:2] == (2, 1 + batch.stories[0].numel() + batch.question.shape[1])
    torch.testing.assert_close(ensemble(apart)[0].scores, ensemble(batch)[0].scores)
    own = only_used(batch)
    torch.testing.assert_close(ensemble(told_apart(own))[0].scores, ensemble(own)[0].scores)


@pytest.mark.parametrize("name", BY_STORY)
def test_a_story_read_for_each_question_gives_the_same_answers(name, uneven):
    ensemble = Ensemble([build(config(f"model={name}")["model"], uneven.sizes, seed).double() for seed in (1, 2)])
    stories = torch.tensor([[0, 3], [3, 6]])  # three questions and one, one and two
    once = uneven.by_story(uneven.train, stories)
    often = read_for_each_question(uneven, stories)
    assert once.stories.shape[:2] == (2, 2)
    assert often.stories.shape[:2] == (2, 4)
    scores, others = ensemble(once)[0].scores, ensemble(often)[0].scores
    for k in range(2):
        torch.testing.assert_close(others[k][often.answer[k] != PAD], scores[k][once.answer[k] != PAD])
    torch.testing.assert_close(sum(ensemble.learn(often).values()), sum(ensemble.learn(once).values()))


@pytest.mark.parametrize("name", ["memn2n", "gated_memn2n"])
def test_gathered_slots_give_the_same_answers(name, uneven):
    model = config(f"model={name}")["model"]
    usual = build(model, uneven.sizes, 1)
    form = GATHERED[CLASSES[name]]
    gathered = build(model | {"_target_": f"{form.__module__}.{form.__name__}"}, uneven.sizes, 1)
    batch = uneven.by_question(uneven.train, torch.arange(6), usual.window)
    for got, expected in zip(gathered(batch), usual(batch), strict=True):
        torch.testing.assert_close(got, expected)


def test_hashing_is_measured(corpus):
    options = config("model=open_memnn")
    weights = torch.nn.utils.parameters_to_vector(build(options["model"], corpus.sizes, 1).parameters()).detach()
    everything, words = (hashing.measure(options, corpus, weights, {"hashing": way}) for way in ("none", "words"))
    assert everything["memories scored"] == everything["facts among them"] == 100
    assert 20 < words["memories scored"] < 80
    assert words["facts among them"] > 60  # what is told of somebody in half of the sentences is not found


def test_committed_page_follows_from_the_committed_records():
    for file, content in page.made(ROOT / "results").items():
        assert (ROOT / "results" / file).read_text() == content, "python -m benchmarks.throughput writes it"


KERNELS = {
    "kernels_made": {
        "load": 0.7, "gemm_gflops": 80.0, "wall_seconds": 480.0, "commit": "0" * 40, "dirty": False,
        "environment": {"processor": "a processor", "cores": 2, "system": "Linux", "finished": "2026-11-30T01:00:00Z",
                        "versions": {"python": "3.11", "torch": "2.13"}},
    },
    "kernels": [
        {"model": "entnet", "task": 1, "restarts": 1, "eager": 1000.0, "kernels": 5000.0, "plain": 1_460.0},
        {"model": "entnet", "task": 1, "restarts": 10, "eager": 5000.0, "kernels": 14_600.0,
         "mflop": 4.0, "eager_peak_percent": 25.0, "kernels_peak_percent": 73.0},
        {"model": "ntm", "task": "copy", "restarts": 10, "eager": 800.0, "kernels": 3920.0},
    ],
    "kernels_on_threads": [{"model": "lstm", "task": 2, "restarts": 10, "threads": 2, "eager": 5.0, "kernels": 40.0}],
}  # fmt: skip


def test_kernels_stand_beside_the_eager_form_and_are_held_against_their_bars_and_public_code():
    parts, _ = page.kernels(KERNELS)
    text = "\n".join(parts)
    assert "| entnet | 1 | 10 | – | 5,000 | 14,600 | 2.9 | 4 | 25 / 73 |" in text
    assert "| entnet | 1 | 10 | 2.9 | 3 | **missed**, 97 % of it |" in text
    assert "| ntm | copy | 10 | 4.9 | 4 | reached |" in text
    assert "| lstm | 2 | 10 | 5 | 40 | 8 |" in text
    assert "| entnet | 1 | jimfleming, TensorFlow | 730 | 1,460 | 14,600 | 20 | 10 |" in text
    assert "| ntm | copy | loudinthecloud/pytorch-ntm | 196 | – | 3,920 | 20 | – |" in text
    assert "shared" not in text
    busy = KERNELS | {"kernels_made": KERNELS["kernels_made"] | {"load": 7.2}}
    assert "The machine was shared: up to 7 processes wanted its 2 cores" in page.kernels(busy)[0][1]


def test_hours_of_the_protocol_are_summed_and_held_against_their_bars():
    hours = {"dmn": {"10k": 20.0, "1k": 3.0}, "wmn": {"10k": 11.0}}
    made = KERNELS["kernels_made"] | {"cores": 2, "restarts": 10, "batches": 2}
    lines = page.protocol({"protocol_hours": hours, "protocol_made": made})[0][-1].splitlines()
    assert lines[2:] == [
        "| dmn | 20.00 | 3.00 |",
        "| wmn | 11.00 | – |",
        "| **sum** | **31.0** | **3.0** |",
        "| to reach, at most | 30 | 5 |",
        "|  | **missed**, 1 times as much | not all measured |",
    ]


def test_an_interrupted_benchmark_of_kernels_leaves_what_it_came_to_and_what_others_found(tmp_path):
    page.update(tmp_path, page.THROUGHPUT, {"protocol_hours": {}, "protocol_made": KERNELS["kernels_made"] | {
        "cores": 2, "restarts": 10, "batches": 2}})  # fmt: skip

    def broken_off(note) -> dict:
        note(KERNELS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernels.write(tmp_path, broken_off)
    record = json.loads((tmp_path / page.THROUGHPUT).read_text())
    assert record["kernels"] == KERNELS["kernels"]
    assert "protocol_hours" in record
    assert "## Kernels" in (tmp_path / page.PAGE).read_text()


def test_committed_record_has_kernels_beside_the_eager_form():
    record = json.loads((ROOT / "results" / page.THROUGHPUT).read_text())
    expected = {(model, task, restarts) for model in MODELS for task in (1, 2, 3) for restarts in (1, 10)}
    expected |= {("ntm", "copy", 1), ("ntm", "copy", 10)}
    assert {(c["model"], c["task"], c["restarts"]) for c in record["kernels"]} == expected
    assert all(cell["kernels"] > 0.9 * cell["eager"] > 0 for cell in record["kernels"])
    assert set(page.BARS) <= expected
    assert set(record["protocol_hours"]) == set(WITH_PLAIN)


def test_a_large_store_is_held_against_its_bars():
    record = json.loads((ROOT / "results" / page.STORE).read_text())
    assert record["triples"] == 1_000_000, "python -m benchmarks.store measures the whole of it"
    (*_, fits), _ = page.store(record | {"ms": 19.9, "peak_mb": 1024.0})
    assert "| ms a question, median | 19.9 | 20 | reached |" in fits
    assert "| memory, GB | 1.00 | 2 | reached |" in fits
    (*_, slow), _ = page.store(record | {"ms": 30.0, "peak_mb": 4096.0})
    assert "| ms a question, median | 30.0 | 20 | **missed**, 1.5 times as much |" in slow
    assert "| memory, GB | 4.00 | 2 | **missed**, 2 times as much |" in slow


def test_a_small_store_is_measured_and_only_the_whole_goes_into_results(tmp_path, capsys):
    store.main(["--quick", "--results", str(tmp_path)])
    record = json.loads((tmp_path / page.STORE).read_text())
    assert (record["triples"], record["questions"]) == store.QUICK
    assert 0 < record["processor_ms"] < 1000
    assert record["ms"] <= record["slowest_ms"]
    assert "10 questions to a generated film world of 1,000 triples" in (tmp_path / page.PAGE).read_text()
    with pytest.raises(SystemExit):
        store.main(["--quick"])
    assert "say where with --results FOLDER" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("benchmark", "heading"),
    [("throughput", "## Throughput"), ("kernels", "## Kernels"), ("scaling", "## Growth")],
)
def test_a_quick_run_measures_and_writes_its_page(benchmark, heading, tmp_path):
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--quick", "--models", "memn2n", "--results"]
    done = subprocess.run([*command, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert heading in (tmp_path / "benchmarks.md").read_text()
    file = page.SCALING if benchmark == "scaling" else page.THROUGHPUT
    assert "memn2n" in (tmp_path / file).read_text()


def test_errors_of_two_forms_are_told_apart_by_their_spread():
    assert spread.apart([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 3.0, 5.0, 4.0]) == 0
    assert spread.apart([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 4.0, 5.0, 6.0, 7.0]) == pytest.approx(2)  # sd 1.58, of means 1
    assert spread.apart([1.0] * 5, [1.0] * 5) == 0
    assert spread.apart([1.0] * 5, [2.0] * 5) == float("inf")


def test_whole_trainings_with_kernels_lie_where_those_without_do():
    cells = json.loads((ROOT / "results" / page.SPREAD).read_text())["trainings"]
    assert [cell["model"] for cell in cells] == sorted(MODELS)
    assert all(len(cell["plain"]) == len(cell["kernels"]) == spread.RESTARTS for cell in cells)
    assert all(cell["apart"] == round(spread.apart(cell["plain"], cell["kernels"]), 2) for cell in cells)
    assert sum(cell["apart"] > page.FAR for cell in cells) <= 2  # one in twenty does by chance


def test_a_model_whose_trainings_end_elsewhere_with_kernels_is_named():
    cell = {"task": 1, "epochs": 60, "plain": [1.0, 2.0], "plain_seconds": 3.0, "kernels": [4.0, 6.0]}
    cells = [
        cell | {"model": model, "kernels_seconds": 1.0, "apart": far} for model, far in (("dmn", 2.5), ("ntm", 0.5))
    ]
    throughput = json.loads((ROOT / "results" / page.THROUGHPUT).read_text())["kernels_made"]
    (*_, said, table), _ = page.spread(throughput | {"trainings": cells})
    assert "Beyond it lies: dmn." in said
    assert "| dmn | 1.5 ± 0.7 | 5.0 ± 1.4 | 2.5 | 3 | 1 |" in table


def test_an_engine_is_compared_with_what_was_before_it(tmp_path):
    took = {"before": [100.0, 104.0, 90.0], "local": [70.0, 80.0, 200.0], "ray": [106.0, 106.0, 106.0]}
    cells = [{"engine": name, "seconds": seconds} for name, seconds in took.items()]
    record = {"list": ["model=memn2n"], "engines": cells} | measure.finish(0.0)
    text = page.engines(record)[0][-1]
    assert "| before | 100, 104, 90 | +0.0 | – |" in text
    assert "| local | 70, 80, 200 | -20.0 | 3, reached |" in text
    assert "| ray | 106, 106, 106 | +6.0 | 5, **missed** |" in text
