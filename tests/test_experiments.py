"""Every experiment on bAbI: composes, quotes its paper rightly, and runs."""

import csv
import re
from operator import itemgetter

import pytest

from tests.configs import EXPERIMENTS as ALL
from tests.configs import MODELS, ROOT, config
from zoo.families.board import SIGNS, read_published
from zoo.training.train import train

EXPERIMENTS = [name for name in ALL if "_babi_" in name]
PUBLISHED = {row["key"]: row for row in csv.DictReader((ROOT / "results/published.csv").read_text().splitlines())}


NAME = re.compile(r"[a-z]+\d{4}_(?P<model>[a-z0-9_]+?)(_bow|_code|_act)?_babi_(?P<joint>joint_)?(?P<size>1k|10k)")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_name_says_model_and_size(name):
    given, said = config(f"experiment={name}"), NAME.fullmatch(name)
    assert given["model"]["_target_"].split(".")[2] == said["model"]
    assert given["task"]["size"] == said["size"]
    assert (given["protocol"] == "joint") == (said["joint"] is not None)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("tuned/") and "haystack" not in name])
def test_a_tuned_experiment_differs_from_the_paper_in_its_model_only(name):
    given = config(f"experiment={name}")
    stem = name.removeprefix("tuned/")
    model = max((model for model in MODELS if f"{stem}_".startswith(f"{model}_")), key=len)
    assert stem.endswith("_10k") == (given["task"]["size"] == "10k")
    assert ("_joint" in stem) == (given["protocol"] == "joint")
    assert ("_renamed" in stem) == given["task"]["rename"]
    papers = [config(f"experiment={paper}") for paper in EXPERIMENTS if NAME.fullmatch(paper)["model"] == model]
    papers = [paper | {"published": None, "model": None} for paper in papers]
    assert given["published"] is None  # what stands beside it are the figures of the model as it is
    assert given | {"model": None, "task": given["task"] | {"rename": False}} in papers
    assert given["model"] not in [config(f"model={model}")["model"], *(paper["model"] for paper in papers)]
    assert given["model"]["_target_"].split(".")[2] == model


@pytest.mark.parametrize("name", [name for name in ALL if "haystack" in name])
def test_a_tuned_haystack_is_the_task_with_another_recipe(name):
    given = config(f"experiment={name}")
    model = name.removeprefix("tuned/").removesuffix("_haystack")
    usual = config(f"model={model}", "task=haystack")
    assert given["model"] | {"recipe": None} == usual["model"] | {"recipe": None}
    assert given["model"]["recipe"] != usual["model"]["recipe"]
    assert given["task"]["length"] == usual["task"]["length"]
    assert given["published"] is None


def test_every_model_has_its_paper_at_both_sizes():
    named = {(NAME.fullmatch(name)["model"], NAME.fullmatch(name)["size"]) for name in EXPERIMENTS}
    # the paper of open_memnn has no figures on bAbI
    assert named == {(model, size) for model in MODELS if model != "open_memnn" for size in ("1k", "10k")}


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if config(f"experiment={name}")["published"]])
def test_the_published_row_is_of_the_model_the_size_and_the_protocol(name):
    given = config(f"experiment={name}")
    row = PUBLISHED[given["published"]["key"]]
    assert (given["task"]["size"], given["protocol"]) == (row["size"], row["protocol"])
    assert row["model"] == given["model"]["_target_"].split(".")[2]


@pytest.mark.parametrize("name", ALL)
def test_an_experiment_names_its_published_row_and_repeats_no_figure(name):
    published = config(f"experiment={name}")["published"]
    assert published is None or list(published) == ["key"]


def test_every_published_figure_has_a_run_to_stand_beside():
    named = {given["key"] for name in EXPERIMENTS if (given := config(f"experiment={name}")["published"])}
    as_it_stands = {}  # beside what a model stands without an experiment
    for row in filter(itemgetter("model"), PUBLISHED.values()):
        as_it_stands.setdefault((row["model"], row["size"], row["protocol"]), row["key"])
    not_built = {row["key"] for row in PUBLISHED.values() if not row["model"]}
    assert set(PUBLISHED) == named | set(as_it_stands.values()) | not_built
    assert not named & not_built
    # d = 100, the ReLU and layer-wise tying are an experiment; the model as it stands is PE LS RN
    assert as_it_stands["memn2n", "10k", "per_task"] == "memn2n_10k_pe_ls_rn"


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_runs_shortened(name, corpus, tmp_path):
    given = config(f"experiment={name}", "restarts=2", "trainer.max_epochs=2", "logger=none", "results_dir=nowhere")
    given = given | {"run": {"name": name, "identity": "x"}}
    states = []
    figures = train(given, {"1": corpus}, tmp_path, lambda name, state: states.append(state))["1"]
    assert [state["epoch"] for state in states] == [1, 2]
    assert all(curve.isfinite().all() for curve in figures["curves"].values())
    assert figures["errors"]["test"][1].shape == (2,)
    assert figures["predictions"]["test"].shape == (2, len(corpus.test))


@pytest.mark.slow
def test_a_linear_start_ends(corpus, tmp_path):
    name = next(
        name for name in EXPERIMENTS if config(f"experiment={name}")["model"]["recipe"].get("linear_start_epochs")
    )
    given = config(f"experiment={name}", "restarts=2", "trainer.max_epochs=12", "logger=none", "results_dir=nowhere")
    states = []
    given = given | {"run": {"name": name, "identity": "x"}}
    figures = train(given, {"1": corpus}, tmp_path, lambda name, state: states.append(state))["1"]
    linear = [state["linear"] for state in states]
    assert linear == sorted(linear, reverse=True)
    assert (linear[0], linear[-1]) == (True, False)
    assert min(figures["best_epoch"]) >= sum(linear)  # an epoch of the linear start is no candidate


def test_published_means_agree_with_the_tasks():
    for row in PUBLISHED.values():
        errors = [float(row[f"error_{task}"]) for task in range(1, 21) if row[f"error_{task}"]]
        if len(errors) == 20:
            rounded = 0.2 if "." in row["mean_error"] else 0.5  # some papers print whole numbers
            assert abs(sum(errors) / 20 - float(row["mean_error"])) < rounded, row["key"]


def test_every_published_figure_stands_with_its_conditions():
    for row in PUBLISHED.values():
        said = row["conditions"].split("; ")
        assert row["size"] in said[0], row["key"]
        assert said[1] == {"per_task": "per task", "joint": "joint"}[row["protocol"]], row["key"]
        restarts = re.compile(
            r"best of \d+ (restarts|runs) by (training error|validation)\b.*|mean of \d+ runs, none.*"
        )
        not_stated = said[2] == "restarts not stated" and said[3].startswith("selection not stated")
        assert restarts.fullmatch(said[2]) or not_stated, row["key"]
        assert {"answers only", "supporting facts in training"} & set(said), row["key"]


def test_every_published_figure_stands_with_how_it_is_known_and_where_from():
    for file in sorted((ROOT / "results").glob("published*.csv")):
        for row in read_published(file.parent, file.name):
            assert row["source"], (file.name, row["key"])
            known = {name: word for name, word in row.items() if name.endswith("standing")}
            assert known, file.name
            if not any(row.get(f"error_{task}") for task in range(1, 21)):
                assert known.pop("tasks_standing", "") == "", row["key"]  # there is no figure to stand
            if row.get("failed_tasks") == "":
                assert known.pop("failed_standing") == "", row["key"]
            assert set(known.values()) <= set(SIGNS), (file.name, row["key"])
            assert ("from memory" in row["source"]) == (known.get("mean_standing", known.get("standing")) == "recalled")
