"""A kind of data is described once, in zoo/kinds, and asked about nowhere else."""

import re
import subprocess
import sys

import pytest

from tests.configs import ROOT
from zoo.kinds import KINDS, Kind, kind_of, kind_of_model, sequences, stories
from zoo.models.lstm import LSTM, SequenceLSTM
from zoo.training.build import probe

QUESTIONS_OF_KIND = re.compile(
    r"isinstance\([^()]*\b(Algorithm|SequenceTask|Corpus|Questions|Sequences|Sizes|Widths)\b"
    r"|\bis (not )?(Questions|Sequences|Sizes|Widths)\b"
)


def test_a_kind_is_found_by_data_and_by_model(corpus):
    assert kind_of(corpus) is stories
    assert (kind_of_model(LSTM), kind_of_model(SequenceLSTM)) == (stories, sequences)
    with pytest.raises(StopIteration):
        kind_of(object())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_has_all_names(kind):
    named = {name for name in (*vars(Kind), *Kind.__annotations__) if not name.startswith("_")}
    assert len(named) > 10
    assert not [name for name in named if not hasattr(kind, name)]


@pytest.mark.parametrize("model", [LSTM, SequenceLSTM])
def test_the_smallest_network_of_a_kind_can_be_built(model):
    network = probe({"_target_": f"{model.__module__}.{model.__name__}", "dim": 3})
    assert network.state_size(1) > 0


def test_nobody_else_asks_which_kind_it_is():
    asking = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for folder in ("zoo", "tasks")
        for file in (ROOT / folder).rglob("*.py")
        if "kinds" not in file.parts
        for line in file.read_text().splitlines()
        if QUESTIONS_OF_KIND.search(line)
    ]
    assert asking == []


def test_kinds_load_without_lightning():
    code = "import sys, zoo.kinds, zoo.training.build; sys.exit('pytorch_lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
