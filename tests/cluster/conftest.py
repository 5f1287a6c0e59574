import pytest

from tests.cluster.lists import SmallList


@pytest.fixture
def small(tmp_path):
    made = SmallList(tmp_path)
    yield made
    made.end()
