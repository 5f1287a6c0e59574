"""The documents: their examples run, and they name what there is."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import torch

from tests.configs import MODELS, ROOT
from zoo import families, records
from zoo.__main__ import main
from zoo.commands import VERBS
from zoo.families import FAMILIES
from zoo.leaderboard.generate import DOCUMENTS, load, write
from zoo.runs.plan import plan_of
from zoo.runs.run import run

PAGES = {file.name: file.read_text() for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def train(model: str, task: list[str], folder: Path) -> records.Record:
    threads = torch.get_num_threads()
    file = run(plan_of([
        f"model={model}", *task, "restarts=2", "trainer.max_epochs=2", "trainer.workers=1", "logger=none",
        f"results_dir={folder}/results", f"cache_dir={folder}/cache",
    ]))  # fmt: skip
    torch.set_num_threads(threads)
    return records.read(file)


def test_the_example_model_is_one_file_and_one_yaml_and_has_its_row(tmp_path, monkeypatch):
    code, yaml = blocks("adding.md", "python")[0], blocks("adding.md", "yaml")[0]
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/eager_memn2n.yaml").write_text(yaml)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/eager_memn2n.py").write_text(code)
    models = importlib.import_module("zoo.models")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "models")])
    monkeypatch.chdir(tmp_path)
    task = ["task=babi", "task.source=generated", "task.size=50", "task.generator.test=20"]
    assert train("eager_memn2n", [*task, "model.trust=1.5"], tmp_path).restarts == 2
    write(tmp_path / "results")
    assert "| eager_memn2n | default, model.trust=1.5" in (tmp_path / "results/leaderboard.md").read_text()
    sys.modules.pop("zoo.models.eager_memn2n")


def test_the_example_task_is_three_files_and_has_its_table(tmp_path, monkeypatch):
    (loader, family), (yaml,) = blocks("tasks.md", "python"), blocks("tasks.md", "yaml")
    places = {"tasks": (loader, tmp_path / "tasks"), "zoo.families": (family, tmp_path / "families")}
    for package, (code, folder) in places.items():
        folder.mkdir()
        (folder / "visits.py").write_text(code)
        monkeypatch.setattr(sys.modules[package], "__path__", [*sys.modules[package].__path__, str(folder)])
    (tmp_path / "conf/task").mkdir(parents=True)
    (tmp_path / "conf/task/visits.yaml").write_text(yaml)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(families, "FAMILIES", FAMILIES)
    found = {family.name: family for family in families._found()}
    monkeypatch.setitem(FAMILIES, "visits", found["visits"])

    record = train("memn2n", ["task=visits", "task.size=80"], tmp_path)
    assert (record.family, list(record.tasks)) == ("visits", ["1"])
    write(tmp_path / "results")
    board = (tmp_path / "results/leaderboard.md").read_text()
    assert "# Visits" in board
    assert "| memn2n | default" in board.partition("# Visits")[2]
    assert (tmp_path / "results/leaderboard_visits.csv").is_file()
    for module in ("tasks.visits", "zoo.families.visits"):
        sys.modules.pop(module)


def test_every_model_and_every_verb_is_described():
    assert [name for name in MODELS if f"`{name}`" not in PAGES["models.md"]] == []
    assert [verb for verb in VERBS if f"zoo {verb}" not in PAGES["running.md"]] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    folder = ROOT / "docs" if (ROOT / "docs" / page).exists() else ROOT
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGES[page])
    assert [of for of in targets if not of.startswith("http") and not (folder / of).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_verbs_that_exist(page):
    said = set(re.findall(r"(?:^|`|\$ )zoo ([a-z]+)", PAGES[page], re.MULTILINE))
    assert said <= set(VERBS)
    assert not re.search(r"python -m zoo\.", PAGES[page])


def test_records_that_are_named_exist_and_have_the_task():
    named = {
        of for page in PAGES.values() for of in re.findall(r"zoo (?:explain|repeat) run=(\w+_\w+) task=(\d+)", page)
    }
    assert named
    for name, task in named:
        record = records.read(records.find(name, ROOT / "results", task))
        assert task in record.tasks
        assert (record.experiment, record.source) == (name, "official")


def test_the_readme_is_short_and_its_first_table_has_six_columns():
    readme = PAGES["README.md"]
    begin, _, rest = readme.partition("<!-- leaderboard: made by zoo leaderboard -->")
    table, _, after = rest.partition("<!-- end of leaderboard -->")
    assert len((begin + after).splitlines()) <= 150
    headers = [line for line in table.splitlines() if line.startswith("| model")]
    assert headers
    assert all(line.count("|") - 1 <= 6 for line in headers)
    assert "†" not in table


def test_documents_with_tables_have_their_markers():
    texts = [(ROOT / document).read_text() for document in DOCUMENTS]
    held = [name for text in texts for name in re.findall(r"<!-- (\w+): made by zoo leaderboard", text)]
    assert sorted(held) == sorted(Path(family.csv_file).stem for family in FAMILIES.values())


def test_what_is_said_of_generated_stories_is_what_the_records_say():
    rows = {
        record.source: record
        for record in load(ROOT / "results").records
        if record.experiment == "sukhbaatar2015_memn2n_babi_1k" and not record.world
    }
    said = re.search(r"makes (\S+) % errors on the official test, and (\S+) %", PAGES["tasks.md"].replace("\n", " "))
    means = [
        sum(task.error for task in rows[source].tasks.values()) / len(rows[source].tasks)
        for source in ("transfer", "official")
    ]
    assert said is not None
    assert said.groups() == tuple(f"{mean:.1f}" for mean in means)


def test_the_story_of_the_picture_is_answered(capsys):
    story = ROOT / "examples" / "story.txt"
    main(["explain", "run=sukhbaatar2015_memn2n_babi_1k", "task=2", f"story={story}", f"results_dir={ROOT}/results"])
    said = capsys.readouterr().out
    assert "right" in said or "wrong" in said
