"""Loggers of Lightning: several side by side, begun anew."""

from pytorch_lightning.loggers import CSVLogger

from zoo.training import loggers

OPENED = []


def first(save_dir: str, run: str, training: str, project: str) -> str:
    OPENED.append((save_dir, run, training, project))
    return "first"


def second(save_dir: str, run: str, training: str) -> str:
    return "second"


def test_several_are_opened_each_with_the_options_that_it_takes():
    config = {
        "targets": {"a": f"{__name__}.first", "b": f"{__name__}.second"},
        "project": "mine",
        "trackers": {"c": "of.runs"},
    }
    assert loggers.open_all(config, "logs", "run", "3") == ["first", "second"]
    assert OPENED == [("logs", "run", "3", "mine")]
    assert loggers.open_all({"targets": {}}, "logs", "run", "3") == []


def test_a_csv_begins_anew_and_is_told_all_epochs_again(tmp_path):
    assert loggers.begins_anew(CSVLogger(tmp_path))
