import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tasks.babi.tables import read
from tasks.corpus import Corpus
from tasks.lexicon import Lexicon
from tests.tiny_babi import stories, write_release

torch.set_num_threads(1)
# files whose tests wait long for others
LONG = ("test_slurm.py", "test_campaign.py", "test_run.py", "test_ray.py", "test_local.py", "test_kills.py")
settings.register_profile("same every time", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("same every time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, then with those of most tests: no process is left with a long one at the end."""
    tests = Counter(item.path for item in items)
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: (place.get(item.path.name, len(LONG)), -tests[item.path]))


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


@pytest.fixture(scope="session")
def driver(tmp_path_factory) -> Iterator:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e .[dev]")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("no browser here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()
