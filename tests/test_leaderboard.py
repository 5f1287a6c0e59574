"""The leaderboard is a pure, honest function of records and published figures."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tasks.errors import UserError
from tests.configs import ROOT
from zoo import records
from zoo.leaderboard.__main__ import between_markers
from zoo.leaderboard.tables import (
    COLUMNS,
    as_csv,
    as_markdown,
    as_short_markdown,
    lines_of,
    published_of,
    rows_of,
    unsigned,
)

PUBLISHED = "key,model,size,protocol,name,setting,conditions,mean_error,failed_tasks,"
PUBLISHED += "mean_standing,failed_standing,tasks_standing,source\n"
PUBLISHED += "a,memn2n,1k,per_task,MemN2N,PE,best of 10,13.9,11,verified,verified,recalled,a table\n"
PUBLISHED += "b,memn2n,1k,per_task,MemN2N,BoW,best of 10,25.1,15,quoted,recalled,recalled,a table\n"


def figures_of(test: dict[int, list[float]], valid: dict[int, list[float]], selected: int) -> dict:
    restarts = len(next(iter(test.values())))
    return {
        "errors": {
            "test": {task: torch.tensor(errors, dtype=torch.double) for task, errors in test.items()},
            "valid": {task: torch.tensor(errors, dtype=torch.double) for task, errors in valid.items()},
        },
        "facts_found": {task: torch.tensor([50.0, 80.0, 10.0][:restarts]) for task in test},
        "selected": selected,
        "best_epoch": torch.arange(restarts),
        "predictions": {"test": torch.zeros(restarts, 5, dtype=torch.int16)},
        "dialog_errors": {},
        "questions": {},
        "looks": [],
        "weights": torch.zeros(100),
        "sizes": [10, 5, 5],
        "words": ["", "a"],
        "curves": {name: torch.zeros(3, restarts) for name in ("train_loss", "valid_loss", "valid_error")},
        "parameters": 100,
        "state_size": 60,
        "seconds": 1.5,
        "examples": 300,
        "compiled": False,
    }


def add(results: Path, *, tasks=range(1, 21), experiment=None, overrides=(), published=None, size="1k", shift=0.0,
        source="official", world="", filled=None, dirty=False, identity="0123456789", model="memn2n",
        restarts=2, valid=1.0, protocol="per_task") -> Path:  # fmt: skip
    """A record as a run writes it: restart 0 is better on test, restart 1 on validation."""
    figures = {}
    for task in tasks:
        test = {task: [2.0 + shift, 6.0 + task / 10 + shift, 30.0][:restarts]}
        of_valid = {task: [5.0, valid, 30.0][:restarts]}
        figures[str(task)] = figures_of(test, of_valid, selected=1 if restarts > 1 else 0)
    run = {
        "identity": identity,
        "model": model,
        "experiment": experiment,
        "overrides": list(overrides),
        "published": published,
        "family": "babi",
        "source": source,
        "world": world,
        "filled": filled or {},
        "memory": "static",
        "supervision": "answers",
        "settings": {"task": {"size": size, "variant": "en"}, "protocol": protocol, "restarts": restarts, "seed": 0},
        "train_seconds": 30.0,
        "wall_seconds": 20.0,
        "commit": "abc",
        "dirty": dirty,
    }
    return records.write(results, f"{model}-{size}-{protocol}", run, figures)


@pytest.fixture
def results(tmp_path) -> Path:
    (tmp_path / "published.csv").write_text(PUBLISHED)
    return tmp_path


def as_rows(results: Path) -> list[dict]:
    return list(csv.DictReader(as_csv(rows_of(results)).splitlines()))


def test_facts_found_are_those_of_the_selected_restart_and_blank_in_older_records(results):
    file = add(results)
    (row,) = rows_of(results)
    assert row.facts_found == pytest.approx(80.0)
    assert as_rows(results)[0]["facts_found"] == "80.0"
    record = json.loads(file.read_text())
    for task in record["tasks"].values():
        del task["facts_found"]
    file.write_text(json.dumps(record))
    assert rows_of(results)[0].facts_found is None
    assert as_rows(results)[0]["facts_found"] == ""


def test_generated_data_have_tables_of_their_own(results):
    add(results, published="a")
    add(results, source="generated", overrides=["task.generator.seed=1"], world="seed=1", identity="1")
    add(results, source="transfer", overrides=["trainer.compile=true"], identity="2")
    rows = rows_of(results)
    assert [row.source for row in rows] == ["official", "generated (seed=1)", "transfer"]
    assert [row.experiment for row in rows] == ["default"] * 3  # the title says the rest; programs are only faster
    assert [bool(row.published) for row in rows] == [True, False, False]
    page = as_markdown(rows)
    for title in (
        "official data",
        "generated data (seed=1)",
        "learned from generated stories, tested on official ones",
    ):
        assert f"## bAbI 1k, {title}, one training a task" in page


def test_a_filled_task_is_marked_wherever_it_appears(results):
    add(results, filled={"3": 8075})
    (row,) = rows_of(results)
    assert row.mean_unfilled == pytest.approx(sum(e for task, e in row.errors.items() if task != 3) / 19)
    page = as_markdown([row])
    assert rf"{row.mean:.2f}\* ({row.mean_unfilled:.2f} without)" in page
    assert rf"| 3 | **{row.errors[3]:.1f}**\* |" in page
    assert "task 3 is not at hand: 8,075 questions of it are generated" in page
    short = as_short_markdown([row])
    assert rf"| {row.mean:.1f} % / 20\* |" in short
    assert f"{row.mean_unfilled:.1f} % without the tasks marked" in short
    (line,) = lines_of([row])
    assert (
        line.besides == f"20 failed (published 11); task 3: 8,075 questions generated; {row.mean_unfilled:.2f} without"
    )
    (cells,) = as_rows(results)
    assert (cells["filled"], cells["mean_error_unfilled"]) == ("task 3: 8075", f"{row.mean_unfilled:.3f}")


def test_a_row_says_what_the_record_says(results):
    add(results)
    (row,) = as_rows(results)
    assert set(row) == set(COLUMNS)
    assert row["experiment"] == "default"
    assert float(row["error_5"]) == 6.5
    # the restart that validation selects counts, although the other is better on test
    assert float(row["mean_error"]) == pytest.approx(6 + sum(range(1, 21)) / 200)
    assert row["failed_tasks"] == "20"
    assert float(row["mean_error_all_restarts"]) == pytest.approx((2.0 + 7.05) / 2)
    assert float(row["std_all_restarts"]) == pytest.approx(abs(2.0 - 7.05) / 2**0.5, abs=1e-3)
    assert (row["restarts"], row["parameters"], row["train_seconds"]) == ("2", "100", "30.0")
    assert (row["published_mean_error"], row["published_failed_tasks"]) == ("13.9", "11")


def test_an_error_of_exactly_five_percent_has_not_failed(results):
    add(results, shift=3.0, restarts=1)
    (row,) = as_rows(results)
    assert float(row["error_1"]) == 5.0
    assert row["failed_tasks"] == "0"
    assert row["std_all_restarts"] == ""


def test_the_published_figure_is_that_of_the_experiment(results):
    add(results, experiment="bow", published="b")
    (row,) = as_rows(results)
    assert row["published_mean_error"] == "25.1"
    assert row["published_setting"] == "BoW"


@pytest.mark.parametrize(("standing", "sign"), [("verified", ""), ("quoted", "‡"), ("recalled", "†")])
def test_each_figure_of_a_paper_is_marked_by_how_it_is_known(results, standing, sign):
    (results / "published.csv").write_text(PUBLISHED.replace("verified,verified", f"{standing},recalled"))
    add(results)
    rows = rows_of(results)
    assert f"| 13.9 %{sign} / 11† |" in as_short_markdown(rows)
    assert f"| 13.9{sign} | 11† |" in as_markdown(rows)
    (line,) = lines_of(rows)
    assert (line.sign, line.besides) == (sign, "20 failed (published 11†)")


def test_a_sign_comes_off_a_printed_figure():
    assert [unsigned(printed) for printed in ("72.3†", "86.1‡", "90.0", "")] == [
        ("72.3", "†"),
        ("86.1", "‡"),
        ("90.0", ""),
        ("", ""),
    ]


def test_a_published_figure_stands_only_beside_its_own_conditions(results):
    add(results, experiment="bow", published="b", size="10k")
    add(results, overrides=["model.encoding=bag"], identity="b")
    add(results, model="gated_memn2n", published="a", identity="c")
    assert {row["published_mean_error"] for row in as_rows(results)} == {""}


def test_figures_of_an_experiment_are_those_of_its_model():
    figures = [{"key": "a", "model": "ntm"}, {"key": "b", "model": "ntm"}]
    assert published_of({"published": "b", "model": "ntm"}, figures) == figures[1:]
    assert published_of({"published": "b", "model": "lstm"}, figures) == []
    assert published_of({"published": None, "model": "ntm"}, figures) == []


def test_some_tasks_give_no_mean(results):
    add(results, tasks=(1, 2))
    (row,) = as_rows(results)
    assert row["mean_error"] == row["failed_tasks"] == row["mean_error_all_restarts"] == row["error_3"] == ""
    assert "2 of 20 tasks" in row["marks"]
    assert "memn2n" not in as_short_markdown(rows_of(results))


def test_more_tasks_win_over_newer_then_newer_over_older(results):
    add(results)
    add(results, tasks=(1, 2), identity="aaaaaaaaaa")
    (row,) = as_rows(results)
    assert row["mean_error"] != ""
    newest = add(results, shift=1.0, identity="bbbbbbbbbb")
    record = json.loads(newest.read_text())
    record["environment"]["finished"] = "2999-01-01T00:00:00Z"
    newest.write_text(json.dumps(record))
    (row,) = as_rows(results)
    assert float(row["error_5"]) == 7.5


def test_sizes_sources_and_settings_are_not_mixed(results):
    add(results)
    add(results, size="10k", overrides=["task.size=10k"], identity="b")
    add(results, source="generated", identity="c")
    add(results, overrides=["seed=1"], identity="d")
    rows = as_rows(results)
    assert {(row["source"], row["size"], row["experiment"]) for row in rows} == {
        ("official", "1k", "default"),
        ("official", "1k", "default, seed=1"),
        ("official", "10k", "default"),
        ("generated", "1k", "default"),
    }
    page = as_markdown(rows_of(results))
    assert page.count("\n## ") == 3
    short = as_short_markdown(rows_of(results))  # official data only, 1k beside 10k
    assert short.count("\n| `memn2n` |") == 1
    assert "generated" not in short
    assert "| model | learns from | 1k | published | restarts | 10k | published | restarts |" in short
    assert "official data" in page
    assert "generated data" in page


def test_the_first_screen_shows_the_setting_with_the_lowest_validation_error(results):
    add(results, valid=2.0)
    add(results, shift=2.0, overrides=["model.hops=2"], identity="b")  # worse on test
    add(results, protocol="joint", overrides=["model.hops=5"], identity="c")
    per_task, joint = as_short_markdown(rows_of(results)).split("one training for all tasks")
    assert "- `memn2n`, 1k: default, model.hops=2\n" in per_task
    assert "- `memn2n`, 1k: default\n" not in per_task
    assert "- `memn2n`, 1k: default, model.hops=5\n" in joint


def test_a_readme_keeps_all_but_what_its_markers_hold():
    first, second = "<!-- a: made by python -m zoo.leaderboard -->", "<!-- b: made by python -m zoo.leaderboard -->"
    readme = f"x\n{first}\n\nold\n\n<!-- end of a -->\ny\n{second}\n\nold\n\n<!-- end of b -->\n"
    assert between_markers(readme, "b", "new") == readme[::-1].replace("dlo", "wen", 1)[::-1]
    with pytest.raises(UserError, match="lost its markers <!-- c: made by"):
        between_markers(readme, "c", "new")


def test_small_sizes_come_first_whether_they_are_words_or_numbers(results):
    for number, size in enumerate(("10k", "1k", 5000, 200)):
        add(results, source="generated", size=size, identity=str(number))
    assert [row.size for row in rows_of(results)] == ["200", "1k", "5000", "10k"]


def test_uncommitted_code_is_marked(results):
    add(results, dirty=True)
    assert as_rows(results)[0]["marks"] == "uncommitted code"


def test_same_records_same_bytes_in_any_order(results, tmp_path_factory):
    first = add(results)
    second = add(results, model="gated_memn2n", identity="e")
    elsewhere = tmp_path_factory.mktemp("other")
    (elsewhere / "published.csv").write_text(PUBLISHED)
    (elsewhere / "runs").mkdir()
    for file in (second, first):
        (elsewhere / "runs" / file.name).write_bytes(file.read_bytes())
    for make in (as_csv, as_markdown, as_short_markdown):
        assert make(rows_of(results)) == make(rows_of(elsewhere))


def test_a_record_of_all_twenty_tasks_is_small(results):
    file = add(results, restarts=3)
    assert file.stat().st_size < 50_000


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1}', '{"schema": 99}', "[]", "\x00"])
def test_what_is_no_record_is_named(results, text):
    add(results)
    (results / "runs" / "broken.json").write_text(text)
    with pytest.raises(UserError, match=r"broken\.json"):
        rows_of(results)


def leaderboard(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "zoo.leaderboard", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_check_fails_on_a_stale_page_and_passes_on_a_fresh_one(results):
    add(results)
    assert leaderboard(str(results), "--check").returncode != 0
    assert not (results / "leaderboard.md").exists()
    assert leaderboard(str(results)).returncode == 0
    assert leaderboard(str(results), "--check").returncode == 0
    add(results, model="gated_memn2n", identity="f")
    stale = leaderboard(str(results), "--check")
    assert stale.returncode != 0
    assert "not up to date: leaderboard.csv, leaderboard.md" in stale.stderr


def test_the_committed_leaderboard_is_up_to_date():
    checked = leaderboard("--check")
    assert checked.returncode == 0, checked.stderr
