import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tasks.babi.tables import read
from tasks.corpus import Corpus
from tasks.lexicon import Lexicon
from tests.tiny_babi import stories, write_release

torch.set_num_threads(1)
settings.register_profile("same every time", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("same every time")


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The little world, read: 120 questions to learn from, 30 to choose by, 60 to test."""
    lexicon = Lexicon()
    train, valid, test = (
        read(stories(count, seed).encode(), name, 1, lexicon)
        for name, count, seed in (("train", 40, 1), ("valid", 10, 2), ("test", 20, 3))
    )
    return Corpus(list(lexicon.words), lexicon.table(), train, valid, test)


@pytest.fixture(scope="session")
def uneven() -> Corpus:
    """Stories of six, two and four sentences, with three questions, one and two."""
    lexicon = Lexicon()
    text = "".join(stories(3, seed, sentences) for seed, sentences in ((1, 6), (2, 2), (3, 4)))
    split = read(text.encode(), "uneven", 1, lexicon)
    return Corpus(list(lexicon.words), lexicon.table(), split, split, split)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "data")


@pytest.fixture(scope="session")
def official() -> Path:
    """The folder with the real data sets; tests that need it say so when it is not there."""
    folder = os.environ.get("ZOO_TEST_DATA")
    if not folder:
        pytest.skip("the released data are not here: set ZOO_TEST_DATA to the folder that holds them")
    assert Path(folder).is_dir(), f"ZOO_TEST_DATA={folder} is not a folder"
    return Path(folder)
