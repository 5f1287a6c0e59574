"""`zoo new` and `zoo check`: a variant of one's own in the working folder."""

import sys

import pytest

from tasks.errors import UserError
from tests.configs import MODELS
from zoo.commands import check, new, parse
from zoo.training.build import class_of, registered


def news(*arguments: str) -> None:
    new.main(parse("new", new.GRAMMAR, list(arguments)))


def checks(*arguments: str) -> None:
    check.main(parse("check", check.GRAMMAR, list(arguments)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_own_memory", None)


@pytest.mark.slow
def test_a_variant_is_two_files_and_lacks_nothing(folder, capsys):
    news("my_own_memory", "from=memn2n")
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == {
        "my_own_memory.py", "conf/model/my_own_memory.yaml",
    }  # fmt: skip
    checks("my_own_memory", f"cache_dir={folder / 'cache'}")
    said = capsys.readouterr().out
    assert "zoo check my_own_memory, then zoo run model=my_own_memory" in said
    assert "my_own_memory: nothing is missing" in said
    assert "✗" not in said


@pytest.mark.slow
def test_what_a_variant_lacks_is_said(folder, capsys):
    news("my_own_memory", "from=memn2n")
    with (folder / "my_own_memory.py").open("a") as file:
        file.write("\n    def respond(self, recall):\n        return super().respond(recall) * float('nan')\n")
    with pytest.raises(UserError, match="to mend"):
        checks("my_own_memory", f"cache_dir={folder / 'cache'}")
    assert "✗ the answers are finite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("torch.nn.Module", "MyOwnMemory is no model; derive it from zoo.interface.MemoryNetwork"),
        (
            "MemoryNetwork",
            "MyOwnMemory lacks encode, read, respond, state_size, write, memory, paper; zoo/",
        ),
    ],
)
def test_a_class_that_lacks_everything_is_named(folder, above, said):
    news("my_own_memory", "from=memn2n")
    (folder / "my_own_memory.py").write_text(
        f"import torch\nfrom zoo.interface import MemoryNetwork\nclass MyOwnMemory({above}):\n    pass\n"
    )
    with pytest.raises(UserError, match=said):
        checks("my_own_memory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("noise(self, told, generator):\n        return told[99999]", "✗ noise is drawn: IndexError"),
        ("read(self, memory, features, batch):\n        return None", "✗ read(memory, features, batch): TypeError"),
        (
            "read(self, memory, features, batch):\n        recall, trace = super().read(memory, features, batch)\n"
            "        return recall, trace.attention",
            "✗ read(memory, features, batch): UserError: read: its second value is a Tensor; expected a Trace, or None",
        ),
        (
            "read(self, memory, features, batch):\n        recall, trace = super().read(memory, features, batch)\n"
            "        return recall, trace._replace(attention=trace.attention.mT)",
            "✗ read(memory, features, batch): UserError: read: its trace has the shape",
        ),
        (
            "respond(self, recall):\n        return super().respond(recall)[:, None]",
            "✗ respond(recall): ValueError: it returns the shape (4, 1, 34); expected (4, 34)",
        ),
        (
            "write(self, features, batch):\n        return features / [0]",
            "✗ write(features, batch): TypeError: unsupported operand type(s) for /: 'Tensor' and 'list' "
            "(my_own_memory.py, line 26)",
        ),
        (
            "__init__(self, *, sharpness: float = 1.0, **inherited):\n        super().__init__(**inherited)",
            "✗ its yaml has every option of its constructor: ValueError: it lacks sharpness",
        ),
    ],
)
def test_a_wrong_method_is_named_and_no_traceback_shown(folder, capsys, method, said):
    news("my_own_memory", "from=memn2n")
    with (folder / "my_own_memory.py").open("a") as file:
        file.write(f"\n    def {method}\n")
    with pytest.raises(UserError, match="to mend"):
        checks("my_own_memory", f"cache_dir={folder / 'cache'}")
    shown = capsys.readouterr().out
    assert said in shown
    assert shown.count("✗") == 1


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_models_of_the_zoo_lack_nothing(model, tmp_path):
    assert check.check(model, [f"cache_dir={tmp_path}"]) == []


def test_a_model_that_cannot_be_loaded_says_why_and_is_in_nobodys_way(folder):
    news("my_own_memory", "from=memn2n")
    (folder / "my_own_memory.py").write_text("class MyOwnMemory(:\n    pass\n")
    with pytest.raises(
        UserError, match=r"conf/model/my_own_memory.yaml: its _target_ cannot be loaded .*SyntaxError.*1"
    ):
        class_of("my_own_memory")
    assert class_of("memn2n").__name__ == "MemN2N"
    news("another", "from=memn2n")


@pytest.mark.slow
def test_a_model_is_checked_on_the_task_that_is_given(folder, capsys):
    checks("ntm", "task=copy", f"cache_dir={folder / 'cache'}")
    checks("lstm", "task=associative_recall", "task.epoch=16", f"cache_dir={folder / 'cache'}")
    assert "nothing is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MyMemory", "expected small letters"),
        ("class", "no word of Python's own"),
        ("none", "its class would be None, a name that is taken"),
        ("mem_n2_n", "its class would be MemN2N, a name that is taken"),
        ("memn2n", "memn2n is a model already"),
        ("torch", "torch is a module of Python"),
    ],
)
def test_a_name_that_would_be_in_the_way_is_refused(folder, name, said):
    with pytest.raises(UserError, match=said):
        news(name)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("text", ["x: [", "- a\n- b\n", "_target_: 5\n", "dim: 3\n"])
def test_a_broken_yaml_of_ones_own_is_named(folder, text):
    (folder / "conf/model").mkdir(parents=True)
    (folder / "conf/model/mine.yaml").write_text(text)
    with pytest.raises(UserError, match=r"conf/model/mine\.yaml"):
        registered()
