"""Flags of Lightning's Trainer: the ones that change no figure work, the others are refused with a reason."""

import inspect

import pytest
import pytorch_lightning as pl

from tests.configs import config
from zoo.training.flags import FLAGS, REFUSED, check_flags, reason_against
from zoo.training.train import train

EPOCHS: list[int] = []


class CountEpochs(pl.Callback):
    """Notes the epochs that it was told of."""

    def __init__(self, first: int = 0) -> None:
        self.first = first

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        EPOCHS.append(self.first + trainer.current_epoch)


def test_all_that_is_refused_by_name_is_a_flag_of_lightning():
    known = set(inspect.signature(pl.Trainer).parameters)
    assert known >= {*FLAGS, *REFUSED}
    assert not set(FLAGS) & set(REFUSED)
    assert all(reason_against(flag) for flag in known)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "trainer.lightning=5: expected callbacks, detect_anomaly, profiler"),
        ({"precision": 16}, "trainer.lightning.precision is not an option: restarts share one table of float32"),
        ({"devices": 2}, r"trainer.lightning.devices is not .* type trainer.workers=N"),
        ({"max_epochs": 2}, r"type trainer.max_epochs=N"),
        ({"profilr": "simple"}, r"did you mean 'profiler'\?: of Lightning's flags only"),
        ({"profiler": "fast"}, r"profiler=fast: expected simple or advanced or pytorch"),
        ({"detect_anomaly": "yes"}, r"detect_anomaly=yes: expected bool"),
        ({"callbacks": "mine.Mine"}, r"callbacks=mine.Mine: expected a list, as in"),
        ({"callbacks": ["mine.Mine"]}, r"callbacks.0._target_=None"),
        ({"callbacks": [{"_target_": "nowhere.Mine"}]}, r"callbacks.0._target_=nowhere.Mine: "),
        ({"callbacks": [{"_target_": "pathlib.Path"}]}, r"expected a class derived from pytorch_lightning.Callback"),
        ({"callbacks": [{"_target_": f"{__name__}.CountEpochs", "frist": 1}]}, r"did you mean 'first'\?"),
    ],
)
def test_what_lightning_cannot_have_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        check_flags(given)


@pytest.mark.slow
def test_flags_reach_the_trainer_and_change_no_figure(corpus, tmp_path):
    given = config("model=wmn", "restarts=2", "trainer.max_epochs=2", "logger=none", f"results_dir={tmp_path}")
    given |= {"run": {"name": "flags", "identity": "x"}}
    plain = train(given, {"1": corpus}, tmp_path / "plain", lambda name, state: None)["1"]
    given["trainer"]["lightning"] = {
        "callbacks": [{"_target_": f"{__name__}.CountEpochs", "first": 10}], "detect_anomaly": True,
        "profiler": "simple",
    }  # fmt: skip
    check_flags(given["trainer"]["lightning"])
    EPOCHS.clear()
    watched = train(given, {"1": corpus}, tmp_path / "watched", lambda name, state: None)["1"]
    assert EPOCHS == [10, 11]
    assert all(of.equal(plain["weights"][name]) for name, of in watched["weights"].items())
    (profile,) = (tmp_path / "logs/flags-x/1").glob("*profile*")
    assert "training_step" in profile.read_text()
