import signal

import pytest

from tests.cluster.lists import SmallList
from tests.cluster.slurm import Slurm

LIMIT = 300  # seconds for a test, unless its file says SECONDS


@pytest.fixture(autouse=True)
def _limit(request):
    """End a test that hangs, whatever it waits for."""
    seconds = getattr(request.module, "SECONDS", LIMIT)

    def over(number, frame):
        raise TimeoutError(f"{request.node.name} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def small(tmp_path, _limit):
    made = SmallList(tmp_path)
    yield made
    made.end()


@pytest.fixture
def slurm(tmp_path, _limit):
    cluster = Slurm(tmp_path / "slurm")
    yield cluster
    cluster.stop()
