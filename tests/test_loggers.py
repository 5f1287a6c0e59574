"""Loggers: several side by side, and one run of wandb for all attempts at a training."""

import pytest
from pytorch_lightning.loggers import CSVLogger

from zoo.training import loggers

OPENED = []


def first(save_dir: str, run: str, training: str, project: str) -> str:
    OPENED.append((save_dir, run, training, project))
    return "first"


def second(save_dir: str, run: str, training: str) -> str:
    return "second"


def test_several_are_opened_each_with_the_options_that_it_takes():
    config = {"targets": {"a": f"{__name__}.first", "b": f"{__name__}.second"}, "project": "mine"}
    assert loggers.open_all(config, "logs", "run", "3") == ["first", "second"]
    assert OPENED == [("logs", "run", "3", "mine")]
    assert loggers.open_all({"targets": {}}, "logs", "run", "3") == []


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")


def test_a_killed_training_leaves_no_second_run_of_wandb(tmp_path, offline):
    run_id = loggers.wandb_id("memn2n-1", "2")
    left = [tmp_path / "wandb" / f"offline-run-2026112{day}_101010-{run_id}" for day in (1, 2)]
    another = tmp_path / "wandb" / f"offline-run-20261121_101010-{loggers.wandb_id('memn2n-1', '3')}"
    for folder in (*left, another):
        folder.mkdir(parents=True)
    logger = loggers.wandb(str(tmp_path), "memn2n-1", "2", "memory-zoo")
    assert logger.version == run_id
    assert another.exists()
    assert not any(folder.exists() for folder in left)
    assert loggers.begins_anew(logger)


def test_a_csv_begins_anew_and_is_told_all_epochs_again(tmp_path):
    assert loggers.begins_anew(CSVLogger(tmp_path))
