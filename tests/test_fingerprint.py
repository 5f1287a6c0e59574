"""The digest of the code of a run: it changes with what the run imports, and with nothing else."""

import shutil

import pytest

from tests.configs import ROOT
from zoo.runs import fingerprint
from zoo.runs.fingerprint import code_fingerprint, modules_of

TARGETS = ("zoo.models.gated_memn2n.GatedMemN2N", "tasks.babi.task.load")


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the code, which a test may change."""
    for folder in ("zoo", "tasks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    fingerprint.file_of.cache_clear()
    yield tmp_path
    fingerprint.file_of.cache_clear()


def test_holds_the_training_path_the_model_with_its_bases_and_the_task():
    names = modules_of(TARGETS)
    for name in (
        "zoo.interface", "zoo.training.train", "zoo.training.ensemble", "zoo.kinds.stories", "zoo.parts.slots",
        "zoo.models.gated_memn2n", "zoo.models.memn2n", "tasks.babi.task", "tasks.babi.walks", "tasks.corpus",
    ):  # fmt: skip
        assert name in names, name
    for name in names:
        assert not name.startswith(("zoo.leaderboard", "zoo.commands", "zoo.families", "zoo.models.entnet")), name


def test_changes_with_what_a_run_imports_only(copy):
    before = code_fingerprint(TARGETS)
    for unrelated in ("zoo/leaderboard/page.py", "zoo/commands/explain.py", "zoo/models/entnet.py"):
        (copy / unrelated).write_text("# changed\n")
    (copy / "zoo/training/notes.txt").write_text("changed")
    assert code_fingerprint(TARGETS) == before
    for used in ("zoo/models/memn2n.py", "zoo/kinds/stories.py", "zoo/parts/slots.py", "tasks/babi/text.py"):
        file = copy / used
        text = file.read_text()
        file.write_text(text + "# changed\n")
        assert code_fingerprint(TARGETS) != before, used
        file.write_text(text)
    assert code_fingerprint(TARGETS) == before
    assert code_fingerprint(TARGETS, "torch 9") != before


def test_a_model_of_ones_own_counts_with_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").touch()
    (tmp_path / "mine/model.py").write_text("from zoo.models.memn2n import MemN2N\nfrom .helper import x\n")
    (tmp_path / "mine/helper.py").write_text("x = 1\n")
    names = modules_of(["mine.model.Mine"])
    assert {"mine", "mine.model", "mine.helper", "zoo.models.memn2n"} <= set(names)
    before = code_fingerprint(["mine.model.Mine"])
    (tmp_path / "mine/helper.py").write_text("x = 2\n")
    assert code_fingerprint(["mine.model.Mine"]) != before
