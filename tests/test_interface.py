"""Parts of a model that its author may leave out: options of the class above, `window`, a trace."""

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from tasks.batch import Questions
from tests.configs import config
from zoo.commands.explain import show
from zoo.interface import MemoryNetwork, Paper
from zoo.kinds.attention import example
from zoo.models.memn2n import MemN2N
from zoo.training.build import build, options_of
from zoo.training.ensemble import Ensemble
from zoo.training.train import train


class Sharp(MemN2N):
    """MemN2N with one option more, and another default."""

    def __init__(self, *, sharpness: float = 1.0, dim: int = 10, **inherited: object) -> None:
        super().__init__(dim=dim, **inherited)
        self.sharpness = sharpness


class Sharper(Sharp):
    """An heir without a constructor."""


class LastWord(MemoryNetwork):
    """Answers from the words of the question alone; has no `window`, and no trace."""

    paper = Paper("we", 2026, "Nothing remembered", "https://example.org")
    memory = "static"

    def __init__(self, vocabulary: int, sentence_length: int, story_length: int, dim: int = 8) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.randn(vocabulary, dim))

    def encode(self, batch: Questions) -> Tensor:
        return self.words[batch.sentences.long()].sum(1)

    def write(self, features: Tensor, batch: Questions) -> None:
        return None

    def read(self, memory: None, features: Tensor, batch: Questions) -> tuple[Tensor, None]:
        return features[batch.question.long()], None

    def respond(self, recall: Tensor) -> Tensor:
        return recall @ self.words.T

    def state_size(self, story_length: int) -> int:
        return story_length


def model(kind: type, **options: object) -> dict:
    return {"_target_": f"{__name__}.{kind.__name__}", **options}


@pytest.mark.parametrize("kind", [Sharp, Sharper])
def test_options_are_gathered_along_the_classes(kind, corpus):
    options = options_of(kind)
    assert list(options) == [*options_of(MemN2N), "sharpness"]
    assert (options["dim"].default, options["hops"].default) == (10, options_of(MemN2N)["hops"].default)
    network = build(model(kind, sharpness=2.0, hops=1), corpus.sizes, 1)
    assert (network.sharpness, network.hops, network.words.shape[-1]) == (2.0, 1, 10)


def test_a_typo_in_an_inherited_option_lists_all_of_them(corpus):
    with pytest.raises(ValueError, match=r"model.hopps is not an option of Sharp; did you mean 'hops'\?.*sharpness"):
        build(model(Sharp, hopps=1), corpus.sizes, 1)
    with pytest.raises(ValueError, match=r"model.hops=many: expected int"):
        build(model(Sharp, hops="many"), corpus.sizes, 1)


def test_a_model_that_sets_no_window_sees_all_sentences(corpus):
    assert build(model(LastWord), corpus.sizes, 1).window == corpus.sizes.story_length


@pytest.mark.slow
def test_a_model_that_looks_nowhere_is_trained_and_shown(corpus, tmp_path: Path):
    given = config("model=lstm", "restarts=2", "trainer.max_epochs=2", "logger=none", f"results_dir={tmp_path}")
    given["model"] = model(LastWord, recipe={"batch_size": 30})
    given |= {"run": {"name": "nowhere", "identity": "x"}}
    figures = train(given, {"1": corpus}, tmp_path / "work", lambda name, state: None)["1"]
    assert all(shown["attention"] == [] for shown in figures["looks"])
    assert figures["facts_found"] == {1: None}
    ensemble = Ensemble([build(given["model"], corpus.sizes, 1)])
    console = Console(record=True, width=120, file=io.StringIO())
    show(example(ensemble, 0, corpus, corpus.test, 0), LastWord.traces, console)
    said = console.export_text()
    assert "this model does not say where it looks" in said
    assert "share of the attention" not in said
