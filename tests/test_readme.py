"""What the README shows works."""

import re
import sys

import torch

from benchmarks.generator import transfer
from tests.configs import ROOT
from tests.records import rows_of
from zoo import records
from zoo.runs.run import run

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def test_the_example_model_is_one_file_and_one_yaml_and_has_its_row(tmp_path, monkeypatch):
    code, yaml = (re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1] for language in ("python", "yaml"))
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/eager_memn2n.yaml").write_text(yaml)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/eager_memn2n.py").write_text(code)
    models = importlib.import_module("zoo.models")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "models")])
    given = config(
        "model=eager_memn2n", f"hydra.searchpath=[file://{tmp_path}/conf]", "restarts=2", "trainer.max_epochs=3",
        "logger=none", "task=babi", "task.source=generated", "task.size=50", "task.generator.test=20",
        "trainer.workers=1", f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache",
    )  # fmt: skip
    labels = {
        "model": "eager_memn2n",
        "experiment": None,
        "overrides": [],
        "published": None,
        "command": "python run.py",
    }
    threads = torch.get_num_threads()
    run(plan(given, labels))
    torch.set_num_threads(threads)
    (row,) = rows_of(tmp_path / "results")
    assert (row.model, row.restarts, list(row.errors)) == ("eager_memn2n", 2, [1])
    assert "eager_memn2n" in as_markdown([row])
    del sys.modules["zoo.models.eager_memn2n"]


def test_records_that_it_names_are_of_the_experiment_on_official_data_and_have_the_task():
    named = re.findall(r"`python -m zoo\.(?:explain|repeat) run=(\S+) task=(\d+)`", README)
    assert len(named) == 2
    for run_, task in named:
        record = records.read(records.find(run_, ROOT / "results", task))
        assert task in record["tasks"]
        assert (record["experiment"], record["source"]) == (run_, "official")


def test_names_every_model():
    for file in (ROOT / "conf/model").glob("*.yaml"):
        assert f"`{file.stem}`" in README, file.stem


def test_what_is_said_of_generated_stories_is_what_the_records_say():
    *tasks, (_, official, generated, *_) = transfer(ROOT / "results")
    assert len(tasks) == 20
    said = re.search(r"generated questions a task makes (\S+) % errors on the official test, and (\S+) %", README)
    assert said.groups() == (f"{float(generated):.1f}", f"{float(official):.1f}")
    page = (ROOT / "results/generator.md").read_text()
    assert all(f"| {' | '.join(row)} |" in page for row in tasks)
