"""The time left is reckoned from what this attempt has done, not from what it found done."""

import time

from zoo.families.board import Measure
from zoo.runs.progress import Progress


def started(seconds_ago: float) -> Progress:
    progress = Progress("a run", {"1": 100, "2": 100}, {"1": 1.0, "2": 3.0}, Measure("test error", "%", 1), None)
    progress.begin = time.monotonic() - seconds_ago
    return progress


def test_time_left_weighs_the_trainings():
    progress = started(10)
    assert progress.left() == "?"
    progress.report("1", {"epoch": 1})
    progress.report("1", {"epoch": 100})
    assert progress.left() == "0:30"  # a quarter took 10 s


def test_a_continued_run_does_not_count_what_was_done_before():
    progress = started(10)
    progress.finish("1", 5.0, {})  # found finished
    assert progress.left() == "?"
    progress.report("2", {"epoch": 51})  # the checkpoint was at 50
    progress.report("2", {"epoch": 60})
    assert progress.left() == "0:40"  # ten epochs took 10 s


def test_a_long_training_says_where_it_stands_now_and_then(capsys):
    progress = started(400)
    now = {"epochs": 100, "error": 40.0, "best": 30.0}
    progress.report("2", now | {"epoch": 1})
    assert capsys.readouterr().err == ""
    progress.drawn -= 301
    progress.report("2", now | {"epoch": 26})
    assert capsys.readouterr().err == (
        "  0/2  task 2: epoch 26 of at most 100, best on validation 30.0 %, 27:31 left\n"
    )
    progress.report("2", now | {"epoch": 27})
    assert capsys.readouterr().err == ""
