"""Records, arrays and csv files that somebody else has written: data, whatever stands in them."""

import json
import random
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tasks import release
from tasks.babi import text as babi_text
from tasks.babi.tables import Text, tables_of
from tasks.dialog import text as dialog_text
from tasks.errors import UserError
from tasks.files import write_atomically
from tasks.wikimovies import text as movies
from tests.configs import ROOT
from tests.mutate_records import outcome
from tests.mutations import mutated, small
from tests.records import add, furnish, raw, rewrite
from zoo import records
from zoo.commands import explain, join, parse, repeat, verify
from zoo.leaderboard import provenance
from zoo.leaderboard.generate import load, write
from zoo.pretrained.storyfile import read_story
from zoo.runs.again import plan_again
from zoo.runs.messages import message_of

EVIL = "<script>alert(1)</script> | [x](javascript:alert(1)) ![y](http://z) [bold]b[/bold]"


# --- damage


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> tuple[Path, list[Path]]:
    results = tmp_path_factory.mktemp("hostile") / "results"
    return results, small(results)


@pytest.mark.parametrize("part", range(10))
def test_a_thousand_mutations_give_a_leaderboard_or_a_sentence(damaged, part):
    results, files = damaged
    for number in range(100 * part, 100 * part + 100):
        rng = random.Random(number)
        file = rng.choice(files)
        before = file.read_bytes()
        file.write_bytes(mutated(file, rng))
        try:
            outcome(results, file, whole=number % 50 == 0)
        except Exception as error:
            raise AssertionError(f"mutation {number} of {file.name}") from error
        finally:
            file.write_bytes(before)


# --- code in records


def with_helper(tmp_path: Path, monkeypatch) -> Path:
    """A module that says when somebody imports it."""
    (tmp_path / "helper.py").write_text(
        f"open({str(tmp_path / 'IMPORTED')!r}, 'w')\nclass X: pass\ndef load(**_): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "IMPORTED"


def forged(file: Path, change) -> None:
    record = raw(file)
    change(record)
    rewrite(file, record)


@pytest.mark.parametrize("group", ["model", "task"])
def test_what_a_record_names_is_not_imported(tmp_path, monkeypatch, capsys, group):
    imported = with_helper(tmp_path, monkeypatch)
    results = tmp_path / "results"
    good, evil = add(results), add(results, identity="b", tasks=(1,))
    furnish(good)
    furnish(evil)
    forged(evil, lambda record: record["settings"][group].update(_target_="helper.X"))
    write(results)
    assert f"{evil.name} names helper.X, which no yaml in conf/{group}/ registers" in capsys.readouterr().err
    assert f"{evil.name} names helper.X" in (results / "leaderboard.html").read_text()
    assert f"{evil.name} names helper.X" in (results / "README.md").read_text()
    assert [record.name for record in load(results).records] == [good.stem]
    weights = records.weights_of(evil)
    weights.write_bytes(b"")
    (tmp_path / "story.txt").write_text("mary went to the garden\nwhere is mary ?\n")
    asked = [f"run={evil}", "task=1", f"results_dir={results}", f"story={tmp_path / 'story.txt'}"]
    with pytest.raises(UserError, match=r"names helper\.X"):
        repeat.main(parse("repeat", repeat.GRAMMAR, [f"run={evil}", f"results_dir={results}"]))
    if group == "model":
        with pytest.raises(UserError, match=r"names helper\.X"):
            explain.main(parse("explain", explain.GRAMMAR, asked))
    with pytest.raises(UserError, match=r"names helper\.X"):
        verify.main(parse("verify", verify.GRAMMAR, [f"results_dir={results}", "cells=0"]))
    assert not imported.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["settings"]["model"].update(recipe={"_target_": "os.system"}),
        lambda record: record["settings"]["task"].update(_partial_=True),
        lambda record: record["settings"]["task"].update(generator=[{"_target_": "os.system"}]),
        lambda record: record["settings"]["task"].update(variant="${oc.env:HOME}"),
        lambda record: record["settings"].update(_args_=[1]),
        lambda record: record.update(model="../../x"),
        lambda record: record.update(paper="javascript:alert(1)"),
        lambda record: record.update(world="\x1b[2J"),
        lambda record: record.update(overrides=["a\nb"]),
        lambda record: record["environment"].update(processor="\x9b31m"),
    ],
)
def test_what_is_no_data_is_refused_where_it_enters(tmp_path, change):
    file = add(tmp_path, tasks=(1,))
    forged(file, change)
    with pytest.raises(UserError, match="is not a record of a run") as caught:
        records.read(file)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "python run.py hydra.searchpath=[pkg://os]",
        "python run.py --config-dir=/tmp",
        "python run.py task._target_=os.system",
        "python run.py logger.targets.x=${oc.env:HOME}",
        "python run.py model=null",
        "python run.py model=5 task=[1,2]",
        "python run.py task.ids=[1,a]",
        "python run.py task.ids=5",
        "python run.py seed=" + "9" * 5000,
        "python run.py seed=choice(1,2)",
        "python run.py model.dim=" + "[" * 2000,
        "rm -rf ~; python run.py",
    ],
)
def test_a_command_is_not_run_and_stops_no_leaderboard(tmp_path, monkeypatch, command):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    file = add(tmp_path, tasks=(1,))
    forged(file, lambda record: record.update(command=command))
    write(tmp_path)
    assert load(tmp_path).left_out == []
    record = records.read(file)
    (mark,) = provenance.marks(record, {})
    assert mark.startswith("settings changed since: ")


def test_a_run_is_repeated_from_its_settings_whatever_its_command(tmp_path):
    file = add(tmp_path, tasks=(1, 2), source="generated", size="60")
    forged(file, lambda record: record["settings"]["task"].update(source="generated"))
    forged(file, lambda record: record.update(command=""))
    record = records.read(file)
    again = plan_again(record, record.parts[0], [f"results_dir={tmp_path}", f"cache_dir={tmp_path}"], [1], {})
    assert (again.settings["model"], again.settings["task"]["ids"]) == (record.settings["model"], [1])
    with pytest.raises(UserError, match="would change the run"):
        plan_again(record, record.parts[0], ["model=lstm"], None, {})


def test_an_empty_name_is_refused():
    with pytest.raises(UserError, match="run= is empty"):
        parse("repeat", repeat.GRAMMAR, ["run="])


# --- text in records


def test_text_of_a_record_stays_text(tmp_path):
    file = add(tmp_path, world=EVIL, overrides=[f"model.x={EVIL}"], source="generated")
    forged(file, lambda record: record["environment"].update(processor=EVIL))
    write(tmp_path)
    assert load(tmp_path).left_out == []
    page = (tmp_path / "leaderboard.html").read_text()
    assert "<script>alert" not in page
    assert page.count("<script") == 2
    for name in ("leaderboard.md", "README.md"):
        text = (tmp_path / name).read_text()
        assert "<script" not in text and "](javascript" not in text and "![y]" not in text
        tables = [line for line in text.splitlines() if line.startswith("| ")]
        assert not any("alert" in line and " | [x]" in line for line in tables)


@pytest.mark.parametrize("begins", "=+-@")
def test_no_cell_of_a_csv_file_begins_a_formula(tmp_path, begins):
    add(tmp_path, world=f"{begins}cmd()", source="generated", tasks=(1,))
    add(tmp_path, overrides=[f"{begins}cmd()"], identity="b")
    forged(next((tmp_path / "runs").glob("*b-*.json")), lambda record: record.update(experiment=None))
    write(tmp_path)
    for row in (tmp_path / "leaderboard.csv").read_text().splitlines()[1:]:
        assert f",{begins}cmd" not in row


def test_markup_and_escapes_of_stories_are_shown_and_not_obeyed(tmp_path, capsys):
    file = add(tmp_path, tasks=(1,))
    furnish(file)
    with np.load(file.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    look = json.loads(str(arrays["1/looks"]))[0]
    look |= {"story": ["[bold]mary[/bold]", "b", "[/red]"], "said": "[/bold]", "question": "[x]", "answer": "[/y]"}
    arrays["1/looks"] = np.array(json.dumps([look]))
    np.savez_compressed(file.with_suffix(".npz"), **arrays)
    asked = parse("explain", explain.GRAMMAR, [f"run={file}", "task=1", f"results_dir={tmp_path}"])
    explain.main(asked)
    said = capsys.readouterr().out
    assert all(text in said for text in ("[bold]mary[/bold]", "[/red]", "[x]?", "[/bold]", "wrong: [/y]"))
    arrays["1/looks"] = np.array(json.dumps([look | {"said": "\x1b[2J"}]))
    np.savez_compressed(file.with_suffix(".npz"), **arrays)
    with pytest.raises(UserError, match="looks hold a control character"):
        explain.main(asked)


def test_a_sentence_spells_control_characters_out():
    assert str(UserError("a\x1b[31m\x9b\u202eb\nc")) == "a\\x1b[31m\\x9b\\u202eb\nc"


# --- among good ones


@pytest.fixture
def among(tmp_path) -> tuple[Path, Path]:
    """A good record, and around it whatever may lie in a folder of records."""
    good = add(tmp_path, tasks=(1, 2))
    runs = good.parent
    (runs / "memn2n-1k-per_task-0123456789-20200101000000.json").mkdir()
    (runs / "memn2n-1k-per_task-0123456780-20200101000001.json").write_text("[" * 100_000)
    (runs / "memn2n-1k-per_task-0123456781-20200101000002.json").symlink_to("nowhere")
    (runs / "memn2n-1k-per_task-0123456782-20200101000003.json").symlink_to("/dev/zero")
    (runs / "a<b>\x1b[2J-1k-c-0123456782-20200101000004.json").write_text(good.read_text())
    return tmp_path, good


def test_others_are_named_and_left_out(among, capsys):
    results, good = among
    write(results)
    said = capsys.readouterr().err
    assert said.count("left out: ") == 5 and "\x1b" not in said
    assert [record.name for record in load(results).records] == [good.stem]
    assert records.find("memn2n", results) == good
    assert records.find_identity(results, "memn2n-1k-per_task", "0123456789") == [good]


def test_a_record_cannot_have_others_removed(tmp_path):
    good = add(tmp_path, tasks=(1, 2), restarts=1)
    evil = add(tmp_path, tasks=(1, 2), restarts=2, identity="b", shift=1.0)
    part = raw(good)
    moment = part["environment"]

    def claims(record):
        own = {name: record[name] for name in ("command", "commit", "dirty", "resumed", "workers", "train_seconds",
                                               "wall_seconds", "trainings")}  # fmt: skip
        one = own | {"restarts": 1, "identity": part["identity"], "environment": moment}
        record["parts"] = [one | {"seed": 0}, one | {"seed": 1, "identity": "c"}]

    forged(evil, claims)
    assert records.file_of(records.read(evil), records.read(evil).parts[0]) == good
    with pytest.raises(UserError):
        join.main(parse("join", join.GRAMMAR, ["lstm", "ntm", f"results_dir={tmp_path}"]))
    assert good.exists() and good.with_suffix(".npz").exists()


# --- pipes


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["models", "tasks", "experiments", "models --help", "run --help", "--help"])
def test_a_reader_that_has_read_enough_sees_no_traceback(verb):
    code = f"{sys.executable} -m zoo {verb} | head -c 1"
    done = subprocess.run(["bash", "-c", code], cwd=ROOT, capture_output=True, timeout=120)
    assert done.stderr == b""


# --- releases


def archive(file: Path, members) -> Path:
    with tarfile.open(file, "w:gz") as out:
        for name, size in members:
            info = tarfile.TarInfo(name)
            info.size = size
            out.addfile(info, Zeros())
    return file


class Zeros:
    """A stream of as many zeros as somebody reads."""

    def read(self, size: int) -> bytes:
        return bytes(size)


def read_release(path: Path) -> dict[str, bytes]:
    return release.read_files(path, ("top",), r"f\d+\.txt", "delete it")


@pytest.mark.parametrize("name", [".", "/", "", "..", "./top/../f1.txt", "top", "top/f1.txt/"])
def test_odd_members_of_an_archive_are_left_out(tmp_path, name):
    file = archive(tmp_path / "x.tar.gz", [(name, 0), ("top/f1.txt", 3)])
    assert read_release(file) == {"f1.txt": b"\0\0\0"}


def test_an_archive_is_bounded_by_its_unpacked_size_and_count(tmp_path):
    file = archive(tmp_path / "x.tar.gz", [(f"top/f{number}.txt", 2**26) for number in range(6)])
    with pytest.raises(UserError, match="its files have more than 268,435,456 bytes together"):
        read_release(file)
    file = archive(tmp_path / "y.tar.gz", [("top/f1.txt", 2**26 + 1)])
    with pytest.raises(UserError, match=r"f1\.txt has 67,108,865 bytes"):
        read_release(file)


def test_what_only_seems_a_file_of_a_release_is_refused(tmp_path):
    (tmp_path / "top/f1.txt").mkdir(parents=True)
    with pytest.raises(UserError, match=r"f1\.txt is no file"):
        read_release(tmp_path / "top")


def test_line_numbers_of_any_length_are_refused_by_their_line():
    digits = "9" * 5000
    with pytest.raises(UserError, match="line 1"):
        movies.read_knowledge(f"{digits} Film directed_by Someone\n".encode(), "kb", movies.Names())
    for text in (f"{digits} Mary went.\n", f"1 Mary went.\n2 Where?\tgarden\t{digits}\n"):
        with pytest.raises(UserError, match=r"line [12]"):
            list(babi_text.parse(text.encode(), "qa1"))
    with pytest.raises(UserError, match="line 1"):
        list(dialog_text.read_dialogs(f"{digits} hi\thello\n".encode(), "dialogs"))


def test_one_story_is_too_few(tmp_path):
    story = b"1 Mary went to the garden.\n2 Where is Mary?\tgarden\t1\n"
    with pytest.raises(UserError, match="qa1, train: there is one story to learn from"):
        tables_of(1, {"train": Text("qa1, train", story), "test": Text("qa1, test", story)})
    assert len(tables_of(1, {"train": Text("qa1", story * 2), "test": Text("qa1", story)})["splits"]["train"]["begin"])


# --- folders and memory


def test_a_folder_that_takes_no_files_is_named():
    error = None
    try:
        write_atomically(Path("/proc/zoo/x"), lambda stream: stream.write(b""))
    except OSError as caught:
        error = caught
    assert message_of(error, []).startswith("/proc/zoo: no file can be made here; results_dir=")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:116] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_memory_that_cannot_be_had_is_a_sentence(error):
    assert "the memory of this machine does not hold this" in message_of(error, [])
    assert message_of(RuntimeError("a fault of ours"), []) is None


def test_story_files_that_are_cut_or_no_text(tmp_path):
    story = tmp_path / "story.txt"
    story.write_bytes(b"mary went\xff")
    with pytest.raises(UserError, match="not a text in UTF-8"):
        read_story(str(story))
    with pytest.raises(UserError, match="no such file"):
        read_story(str(tmp_path))
