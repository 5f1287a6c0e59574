"""What the README shows works."""

import importlib
import re
import sys

from tests.configs import ROOT, config
from zoo.training.train import train

README = (ROOT / "README.md").read_text()


def test_the_example_model_is_one_file_and_one_yaml(corpus, tmp_path, monkeypatch):
    code, yaml = (re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1] for language in ("python", "yaml"))
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/eager_memn2n.yaml").write_text(yaml)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/eager_memn2n.py").write_text(code)
    models = importlib.import_module("zoo.models")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path / "models")])
    given = config(
        "model=eager_memn2n", f"hydra.searchpath=[file://{tmp_path}/conf]", "restarts=2", "trainer.max_epochs=3",
        "logger=none",
    )  # fmt: skip
    figures = train(
        given | {"run": {"name": "eager", "identity": "x"}}, "1", corpus, tmp_path / "work", lambda **state: None
    )
    assert figures["errors"]["test"][1].shape == (2,)
    del sys.modules["zoo.models.eager_memn2n"]


def test_names_every_model():
    for file in (ROOT / "conf/model").glob("*.yaml"):
        assert f"`{file.stem}`" in README, file.stem
