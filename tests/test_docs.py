"""The documents: the example of a new task runs, links and verbs exist. test_readme.py has the example of a model."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from tests.configs import ROOT
from zoo import families, records
from zoo.__main__ import main
from zoo.commands import VERBS
from zoo.families import FAMILIES
from zoo.leaderboard.generate import DOCUMENTS, write
from zoo.runs.plan import plan_of
from zoo.runs.run import run

PAGES = {file.name: file.read_text() for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


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

    threads = torch.get_num_threads()
    record = records.read(run(plan_of([
        "model=memn2n", "task=visits", "task.size=80", "restarts=2", "trainer.max_epochs=2", "trainer.workers=1",
        "trainer.kernels=false", "logger=none",
    ])))  # fmt: skip
    torch.set_num_threads(threads)
    assert (record.family, list(record.tasks)) == ("visits", ["1"])
    write(tmp_path / "results")
    board = (tmp_path / "results/leaderboard.md").read_text()
    assert "# Visits" in board
    assert "| memn2n | default" in board.partition("# Visits")[2]
    assert (tmp_path / "results/leaderboard_visits.csv").is_file()
    for module in ("tasks.visits", "zoo.families.visits"):
        sys.modules.pop(module)


def test_every_package_is_installed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("tasks", "zoo")
        for file in (ROOT / top).rglob("__init__.py")
    }
    assert set(listed) == there | {"zoo.conf", "zoo.published"}


def test_every_verb_is_described():
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


def test_the_readme_is_short_and_its_first_table_has_six_columns():
    readme = PAGES["README.md"]
    begin, _, rest = readme.partition("<!-- leaderboard: made by zoo leaderboard -->")
    table, _, after = rest.partition("<!-- end of leaderboard -->")
    said, _, findings = begin.partition("<!-- findings: made by zoo leaderboard -->")
    assert len((said + after).splitlines()) <= 150
    assert 4 <= findings.count("\n- ") <= 5
    headers = [line for line in table.splitlines() if line.startswith("| model")]
    assert headers
    assert all(line.count("|") - 1 <= 6 for line in headers)
    assert "†" not in findings + table


def test_documents_with_tables_have_their_markers():
    texts = [(ROOT / document).read_text() for document in DOCUMENTS]
    held = [name for text in texts for name in re.findall(r"<!-- (\w+): made by zoo leaderboard", text)]
    assert sorted(held) == sorted(["findings", *(Path(family.csv_file).stem for family in FAMILIES.values())])


def test_the_story_of_the_picture_is_answered(capsys):
    story = ROOT / "examples" / "story.txt"
    main(["explain", "run=sukhbaatar2015_memn2n_babi_1k", "task=2", f"story={story}", f"results_dir={ROOT}/results"])
    said = capsys.readouterr().out
    assert "right" in said or "wrong" in said
