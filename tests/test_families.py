"""A family of questions, described in one place, has files, a table and a section; verbs load no torch."""

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.configs import ROOT
from tests.records import add, as_dialog, as_sequences, csv_of, markdown, raw, rewrite, rows_of, short_markdown
from zoo import records
from zoo.commands import VERBS
from zoo.families import FAMILIES, register
from zoo.families.board import Measure, QuestionFamily
from zoo.leaderboard.generate import check, write


class Riddles(QuestionFamily):
    name, title = "riddles", "Riddles"
    measure = Measure("solved", "%", 1, less_is_better=False)
    csv_file, published_file = "leaderboard_riddles.csv", "published_riddles.csv"
    conditions = ("task.hints",)
    about = "Riddles solved, in percent; higher is better."


@pytest.fixture
def riddles(tmp_path_factory, monkeypatch) -> Iterator[QuestionFamily]:
    home = tmp_path_factory.mktemp("riddles")  # where a yaml of somebody's own registers the task
    (home / "conf/task").mkdir(parents=True)
    (home / "conf/task/riddles.yaml").write_text("_target_: riddles.load\nhints: 2\n")
    monkeypatch.chdir(home)
    register(Riddles())
    yield FAMILIES["riddles"]
    del FAMILIES["riddles"]


def as_riddles(file: Path) -> None:
    """Makes a record one of the toy family, whose data are a module of somebody else."""
    record = raw(file)
    record |= {"family": "riddles", "source": "generated", "world": "ten riddles", "overrides": ["task.hints=2"]}
    record["settings"] |= {"task": {"_target_": "riddles.load", "hints": 2, "ids": [1, 2]}}
    rewrite(file, record)


def test_a_family_in_one_place_has_a_csv_a_table_and_a_section(riddles, tmp_path):
    add(tmp_path)
    as_dialog(add(tmp_path, tasks=range(1, 7), identity="b"))
    write(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.csv")}
    assert "leaderboard_riddles.csv" not in before  # a family that nobody has run has no file

    as_riddles(add(tmp_path, tasks=(1, 2), model="memn2n", shift=10.0, identity="c"))
    as_riddles(add(tmp_path, tasks=(1, 2), model="lstm", identity="d"))
    assert "leaderboard_riddles.csv" in check(tmp_path)
    write(tmp_path)
    assert check(tmp_path) == []
    for name, content in before.items():  # files of other families are what they were
        assert (tmp_path / name).read_bytes() == content, name

    rows = rows_of(tmp_path, "riddles")
    assert [(row.model, row.setting) for row in rows] == [("lstm", "default"), ("memn2n", "default")]  # more is better
    lines = list(csv.DictReader((tmp_path / "leaderboard_riddles.csv").read_text().splitlines()))
    assert [(line["model"], line["task"], line["figure"]) for line in lines] == [
        ("lstm", "1", "93.90"), ("lstm", "2", "93.80"), ("memn2n", "1", "83.90"), ("memn2n", "2", "83.80"),
    ]  # fmt: skip

    page = (tmp_path / "leaderboard.md").read_text()
    section = page.partition("\n# Riddles\n")[2]
    assert riddles.about in section
    assert "## Riddles, generated data (ten riddles)" in section
    assert "| model | setting | solved | task 1 | task 2 | restarts | parameters | training | notes |" in section
    assert re.search(r"\| lstm \| default \| 93\.\d \| 93\.9 \| 93\.8 \|", section)
    assert page.index("\n# bAbI\n") < page.index("\n# Dialogs\n") < page.index("\n# Riddles\n")

    report = (tmp_path / "README.md").read_text()
    assert "## Riddles, generated data (ten riddles)" in report
    html = (tmp_path / "leaderboard.html").read_text()
    assert '"name":"riddles","title":"Riddles"' in html
    assert "Task 1" in html.partition('"name":"riddles"')[2]


def test_the_same_family_is_shown_in_the_terminal(riddles, tmp_path):
    file = add(tmp_path, tasks=(1, 2))
    as_riddles(file)
    console = Console(record=True, width=100)
    record = records.read(file)
    console.print(riddles.heading(record), riddles.terminal(record))
    said = console.export_text()
    assert "solved of the restart that validation selects" in " ".join(said.split())
    assert "93.9" in said
    assert "93.85" in said  # the mean


def test_a_record_of_a_family_that_is_not_known_is_left_out_and_named(tmp_path, capsys):
    add(tmp_path)
    as_riddles(add(tmp_path, tasks=(1, 2), identity="c"))
    write(tmp_path)
    assert "family 'riddles' is not known" in capsys.readouterr().err
    assert len(rows_of(tmp_path)) == 1


def test_bits_of_sequences_are_medians_or_those_of_the_selected_restart(tmp_path):
    file = add(tmp_path, tasks=(1,), model="ntm", restarts=3)
    as_sequences(file)
    record = raw(file)
    record["settings"]["restarts"] = 3
    record["validation"] |= {"bits": [3.0, 2.0, 9.0], "wrong_bits": [1.0, 0.5, 4.0], "best_epochs": [4, 5, 6]}
    for form, tenfold in (("length=10", 1), ("length=120", 10)):
        of = {"bits": [8.0, 4.5, 60.0], "wrong_bits": [2.0, 1.5, 30.0]}
        record["tests"][form] |= {name: [tenfold * figure for figure in figures] for name, figures in of.items()}
    rewrite(file, record)
    rows = rows_of(tmp_path, "algorithmic")
    first = csv_of(rows, "algorithmic")[0]
    assert (first["bits"], first["wrong_bits"]) == ("4.5000", "1.5000")
    assert (first["median_bits"], first["median_wrong_bits"], first["validation_bits"]) == (
        "8.0000",
        "2.0000",
        "2.0000",
    )
    assert "| length=10 | 8.00 | 2.00 | length=120 | 80.00 | 20.00 |" in short_markdown(rows, "algorithmic")
    assert "| 4.50 (1.5), median 8.00 (2.0) | 45.00 (15.0), median 80.00 (20.0) |" in markdown(rows, "algorithmic")
    line = FAMILIES["algorithmic"].line(rows[0])
    assert line.headline.ours == 4.5
    assert line.besides == "median of the restarts 8.00; 45.00 at length=120 (median 80.00)"


# --- without torch


def in_a_process(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_leaderboard_loads_no_torch(tmp_path):
    add(tmp_path)
    code = "import sys; from zoo.__main__ import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    said = in_a_process(code, "leaderboard", f"results_dir={tmp_path}").splitlines()
    assert said[0].startswith("written: leaderboard.csv")
    assert said[-1] == "False"


@pytest.mark.slow
def test_help_of_every_verb_loads_no_torch():
    code = "import sys; from zoo.__main__ import main\nfor verb in sys.argv[1:]: main([verb, '--help'])\n"
    code += "main(['--help']); print(sorted({'torch', 'hydra', 'pytorch_lightning'} & set(sys.modules)))"
    said = in_a_process(code, *VERBS)
    for verb in VERBS:
        assert f"zoo {verb}" in said
    assert said.splitlines()[-1] == "[]"
