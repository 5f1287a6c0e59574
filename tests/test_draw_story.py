"""`zoo draw story=FILE`: several networks on one story, as an SVG."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

from tests.configs import config
from tests.tiny_babi import write_release
from zoo.__main__ import main
from zoo.pretrained.picture import Answered, picture
from zoo.runs.plan import plan_of
from zoo.runs.run import run

STORY = "Ada went to the attic.\nBen ran to the barn.\nAda walked to the yard.\nWhere is Ada?\tyard\t3\n"
MODELS = ("memn2n", "lstm")  # looks, and says nothing of where it looks


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Train two networks hardly at all."""
    folder = tmp_path_factory.mktemp("drawn")
    write_release(folder / "data")
    threads = torch.get_num_threads()
    for model in MODELS:
        run(plan_of([
            f"model={model}", "task=babi", "restarts=1", "logger=none", "trainer.workers=1", "trainer.max_epochs=1",
            f"data_dir={folder / 'data'}", f"cache_dir={folder / 'cache'}", f"results_dir={folder / 'results'}",
        ]))  # fmt: skip
    torch.set_num_threads(threads)
    return folder / "results"


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return [element.text or "" for element in root.iter() if element.tag.endswith("text")]


def test_shows_what_every_network_saw_and_said(results, tmp_path, capsys):
    story, out = tmp_path / "story.txt", tmp_path / "story.svg"
    story.write_text(STORY)
    main(["draw", f"story={story}", "task=1", f"run={','.join(MODELS)}", f"out={out}", f"results_dir={results}"])
    assert capsys.readouterr().out == f"written: {out}\n"
    said = texts(out.read_text())
    assert all(sentence in said for sentence in ["Ada went to the attic.", "Where is Ada?", *MODELS])
    hops = config("model=memn2n")["model"]["hops"]
    assert sum(text.startswith("hop ") for text in said) == hops
    assert sum("%" in text for text in said) == len(MODELS)
    assert sum(text.startswith(("✓ right", "✗ wrong")) for text in said) == len(MODELS)
    assert out.read_text().count("<circle") == 2  # the supporting fact, and the legend


def test_weights_of_repeated_runs_are_found(results, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "repeated").symlink_to(results)
    story = tmp_path / "story.txt"
    story.write_text(STORY)
    main(["draw", f"story={story}", "task=1", "run=memn2n", f"results_dir={tmp_path}"])
    assert (tmp_path / "pictures" / "story.svg").is_file()


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (STORY, [], "task= is missing"),
        ("Ada ran to the barn.\n", ["task=1"], "no line ends with a question mark"),
        (STORY.replace("\t3", "\t9"), ["task=1"], "supporting fact '9'"),
        (STORY.replace("yard\t3", "moon"), ["task=1"], "'moon' is no answer of this task"),
        (STORY, ["task=1", "form=x"], "form= is for sequences"),
    ],
)
def test_a_mistake_gets_one_clear_message(results, tmp_path, text, arguments, said):
    story = tmp_path / "story.txt"
    story.write_text(text)
    with pytest.raises(SystemExit, match=said):
        main(["draw", f"story={story}", "run=memn2n", f"results_dir={results}", *arguments])


def test_sentences_outside_of_a_window_stay_empty():
    answer = Answered("model", "weights", [[0.25, 0.75]], "yard", 0.5, None, (-1,))
    svg = picture(["A & B went.", "C ran.", "D ran."], "Where is D?", [answer])
    assert "A & B went." in texts(svg)
    assert svg.count('stroke="#d4d4d8"') == 2
    assert "50 %" in texts(svg)
