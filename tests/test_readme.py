"""Examples of the README and the documents work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.generator import transfer
from tests.configs import ROOT
from tests.records import markdown, rows_of
from zoo import records
from zoo.paths import conf_folders
from zoo.runs.plan import plan_of
from zoo.runs.run import run

DOCUMENTS = "\n".join(file.read_text() for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
ADDING = (ROOT / "docs/adding.md").read_text()


@pytest.fixture
def working_folder(tmp_path, monkeypatch) -> Path:
    """A folder with the example of docs/adding.md, as somebody has it who did not check out the project."""
    code, yaml = (re.search(rf"```{language}\n(.*?)```", ADDING, re.DOTALL)[1] for language in ("python", "yaml"))
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/eager_memn2n.yaml").write_text(yaml.replace("zoo.models.eager_memn2n.", "eager_memn2n."))
    (tmp_path / "eager_memn2n.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("eager_memn2n", None)


@pytest.mark.slow
def test_the_example_model_is_one_file_and_one_yaml_in_the_working_folder_and_has_its_row(working_folder):
    assert len(conf_folders()) == 2
    threads = torch.get_num_threads()
    file = run(plan_of([
        "model=eager_memn2n", "restarts=2", "trainer.max_epochs=1", "logger=none", "task=babi",
        "task.source=generated", "task.size=50", "task.generator.test=20", "trainer.workers=1", "cache_dir=cache",
    ]))  # fmt: skip
    torch.set_num_threads(threads)
    assert file.parent == Path("results/runs")
    (row,) = rows_of(working_folder / "results")
    assert (row.model, row.record.restarts, list(row.errors)) == ("eager_memn2n", 2, [1])
    assert row.record.settings["model"]["trust"] == 2.0
    assert "eager_memn2n" in markdown([row])


@pytest.mark.slow
def test_the_sweeps_over_all_models_know_one_that_is_not_committed(tmp_path):
    """A copy of the project with the example beside the other models; the sweep of test_models passes with it."""
    code, yaml = (re.search(rf"```{language}\n(.*?)```", ADDING, re.DOTALL)[1] for language in ("python", "yaml"))
    tracked = subprocess.run(("git", "ls-files", "zoo", "tasks", "tests", "conf", "docs", "README.md", "pyproject.toml",
                              "run.py"), cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    for name in tracked.stdout.splitlines():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "conf/model/eager_memn2n.yaml").write_text(yaml)
    (tmp_path / "zoo/models/eager_memn2n.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "tests/test_models.py",
         "-k", "eager_memn2n"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 15


def test_records_that_they_name_are_of_the_experiment_on_official_data_and_have_the_task():
    named = re.findall(r"`zoo (?:explain|repeat) run=(\w+_babi_\w+) task=(\d+)`", DOCUMENTS)
    assert len(named) >= 2
    for run_, task in named:
        record = records.read(records.find(run_, ROOT / "results", task))
        assert task in record.tasks
        assert (record.experiment, record.source) == (run_, "official")


def test_every_committed_model_is_named():
    try:
        asked = ("git", "ls-files", "conf/model/*.yaml")
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        pytest.skip("git does not know which models are committed")
    assert len(listed) >= 12
    for file in map(Path, listed):
        assert f"`{file.stem}`" in DOCUMENTS, file.stem


def test_what_is_said_of_generated_stories_is_what_the_records_say():
    *tasks, (_, official, generated, *_) = transfer(ROOT / "results")
    assert len(tasks) == 20
    said = re.search(
        r"generated\s+questions\s+per\s+task\s+makes\s+(\S+) % errors on the official test, and (\S+) %", DOCUMENTS
    )
    assert said.groups() == (f"{float(generated):.1f}", f"{float(official):.1f}")
    page = (ROOT / "results/generator.md").read_text()
    assert all(f"| {' | '.join(row)} |" in page for row in tasks)
