"""results/README.md: numbers of records alone, and remarks that somebody wrote."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.records import PUBLISHED, add, as_dialog, as_sequences, markdown, raw, read_all, rewrite
from zoo.families import FAMILIES
from zoo.leaderboard import provenance
from zoo.leaderboard.generate import check, write
from zoo.leaderboard.report import MISSING, as_report, behind_of

TABLE = "bAbI 1k, official data, one training a task"


@pytest.fixture
def results(tmp_path) -> Path:
    (tmp_path / "published.csv").write_text(PUBLISHED)
    return tmp_path


def report(results: Path, commits: dict[str, str] | None = None) -> str:
    rows = FAMILIES["babi"].rows(read_all(results), results)
    return as_report([FAMILIES["babi"].line(row) for row in rows], [], results, commits or {})


def line_of(text: str, model: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {model} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def remark(results: Path, *rows: tuple[str, str, str, str]) -> None:
    with (results / "remarks.csv").open("w") as stream:
        csv.writer(stream).writerows([("table", "model", "setting", "remark"), *rows])


def test_a_line_says_what_the_record_says(results):
    add(results, published="a", shift=-2.0)
    cells = line_of(report(results), "memn2n")
    assert cells[:9] == [
        "memn2n", "default", "5.05", "13.9", "-8.85", "10 failed (published 11)", "2", "0:30", "0:20",
    ]  # fmt: skip
    assert cells[10:12] == ["A", "`abc`"]
    assert cells[12] == MISSING
    assert "## What fell short" not in report(results)  # it is better, which asks for a remark too


def test_what_falls_short_is_named_with_its_remark_or_without(results):
    add(results, published="a", shift=20.0)
    add(results, model="other", identity="1")
    text = report(results)
    short = text.partition("## What fell short")[2].partition("\n## ")[0]
    assert f"{TABLE}: `memn2n`, default: 27.05 against 13.9; failed tasks 20 against 11. {MISSING}" in short
    assert line_of(text, "other")[3:5] == ["–", "–"]
    assert line_of(text, "other")[12] == ""
    remark(results, (TABLE, "memn2n", "default", "Too few epochs."))
    text = report(results)
    assert MISSING not in text
    assert text.count("Too few epochs.") == 2


def test_failed_tasks_fall_short_too(results):
    (results / "published.csv").write_text(PUBLISHED.replace("13.9,11", "5.0,8"))
    add(results, published="a", shift=-2.0)  # a mean of 5.05, and ten failed
    text = report(results)
    assert f"{TABLE}: `memn2n`, default: failed tasks 10 against 8. {MISSING}" in text
    (results / "published.csv").write_text(PUBLISHED.replace("13.9,11", "5.0,9"))
    assert "## What fell short" not in report(results)
    assert MISSING not in report(results)


DIALOG, FIGURES = FAMILIES["dialog"], ("response", "dialog", "response_oov", "dialog_oov")


def dialog_row(results: Path, tasks: range | tuple[int, ...], published: dict[tuple[str, int], str], **accuracy: float):
    """A row of dialogs with published figures, signs behind them; `accuracy` is by task, `oov_4` of unknown words."""
    file = add(results, tasks=tasks, restarts=2, published="k")
    as_dialog(file)
    record = raw(file)
    for task, got in record["tasks"].items():
        for name, of in (("test_errors", "task"), ("oov_errors", "oov")):
            if name in got:
                error = 100 - accuracy.get(f"{of}_{task}", accuracy.get("every", 80.0))
                got[name] = [error, error]
    rewrite(file, record)
    standing = {"†": "recalled", "‡": "quoted"}
    lines = []
    for figure in FIGURES:
        signs = {text[-1] for (of, _), text in published.items() if of == figure and text[-1] in standing}
        line: dict[str, Any] = {"key": "k", "model": "memn2n", "match": "no", "figure": figure, "source": "a table"}
        line |= {f"task_{task}": published.get((figure, task), "").rstrip("†‡") for task in range(1, 7)}
        lines.append(line | {"standing": standing[signs.pop()] if signs else "verified"})
    with (results / "published_dialog.csv").open("w") as stream:
        writer = csv.DictWriter(stream, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    (row,) = DIALOG.rows(read_all(results), results)
    return row


def test_dialogs_fall_short_with_unknown_words_and_on_task_6(results):
    published = {(figure, task): "80.9" for figure in FIGURES for task in range(1, 7)}
    published |= {("response_oov", task): "80.9†" for task in range(1, 7)}
    published |= {("response_oov", 1): "90.0†", ("response", 6): "81.5"}
    line = DIALOG.line(dialog_row(results, range(1, 7), published))
    assert behind_of(line) == ["unknown words 80 against 82.72†", "task 6 80 against 81.5"]


def test_a_remark_of_no_run_is_listed(results):
    add(results)
    remark(results, (TABLE, "memn2n", "default", "As we like it."))
    assert "## Remarks of no run" not in report(results)
    remark(results, (TABLE, "memn2m", "default", "Who?"))
    said = report(results).partition("## Remarks of no run")[2]
    assert "memn2m / default; did you mean" in said


def test_code_that_cannot_be_had_again_is_marked(results):
    add(results, dirty=True)
    text = report(results, {"abc": provenance.GONE})
    assert line_of(text, "memn2n")[11] == "`abc`; uncommitted code; code no longer in the history"


def test_runs_that_were_interrupted_or_had_several_processes_say_so(results):
    for model, facts in (("first", {"resumed": True}), ("second", {"workers": 2})):
        file = add(results, model=model, identity="1" if model == "first" else "2")
        rewrite(file, raw(file) | facts)
    text = report(results)
    assert line_of(text, "first")[8] == "interrupted"
    assert line_of(text, "second")[8] == "0:20, 2 processes"
    assert text.count("\n- A: ") == 1  # both were made on one machine
    assert "\n- B: " not in text


def test_it_is_written_and_checked_with_the_leaderboard(results):
    add(results)
    assert "README.md" in write(results)
    assert check(results) == []
    remark(results, (TABLE, "memn2n", "default", "As we like it."))
    assert check(results) == ["README.md"]


def test_a_readme_of_somebody_else_is_left_alone(results):
    (results / "README.md").write_text("# My runs\n")
    with pytest.raises(ValueError, match=r"README\.md would be overwritten"):
        write(results)
    assert (results / "README.md").read_text() == "# My runs\n"


def test_words_of_a_paper_stand_beside_bits(results):
    file = add(results, model="ntm", tasks=(1,), published="copied")
    as_sequences(file)
    (results / "published_sequences.csv").write_text(
        "key,task,model,name,parameters,said,standing,source\n"
        "copied,copy,ntm,NTM,17162,near-perfect copies,recalled,section 4.1\n"
    )
    (row,) = FAMILIES["algorithmic"].rows(read_all(results), results)
    line = FAMILIES["algorithmic"].line(row)
    assert line.measure == "bits a sequence at length=10, of the restart that validation selected"
    assert (line.headline.ours, line.headline.published) == (4.0, None)
    assert line.besides.split("; ") == [
        "median of the restarts 6.00",
        "41.50 at length=120 (median 60.75)",
        "published: near-perfect copies†",
    ]


def test_dialogs_without_a_mean_stand_task_by_task(results, tmp_path_factory):
    published = {(figure, task): "90.0" for figure in FIGURES for task in range(1, 7)}
    some = dialog_row(results, (4, 6), published, task_4=60.5, oov_4=60.0, task_6=40.0)
    line = DIALOG.line(some)
    assert (line.headline.ours, line.headline.published) == (None, None)
    assert line.besides == "task 4 60.5 (published 90.0); task 6 40.0 (published 90.0)"
    assert "| – | – | – | – | 2 | 100 | 0:30 | static | tasks 4, 6 only |" in markdown([some], "dialog")
    whole = DIALOG.line(dialog_row(tmp_path_factory.mktemp("whole"), range(1, 6), published))
    assert (whole.headline.ours, whole.headline.published) == (80.0, 90.0)
    assert whole.besides == "unknown words 80.0 (published 90.0)"
