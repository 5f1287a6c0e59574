"""A list on a real Slurm; long_slurm.py kills the controller and lets a job reach its limit too."""

import os
import signal

import pytest

from tests.cluster.lists import makers, until

pytest.importorskip("submitit", reason="pip install 'memory-zoo[slurm]' brings submitit")
pytestmark = pytest.mark.slow
ENGINE = ("engine=slurm", "engine.jobs=2", "engine.time=30")


def test_a_list_survives_the_death_of_a_cell_of_the_command_and_of_the_node(small, slurm):
    small.hold.touch()
    campaign = small.campaign(*ENGINE)
    until(lambda: len(makers(small.results)) == 2, process=campaign)
    os.kill(makers(small.results)[0], signal.SIGKILL)
    campaign.kill()
    campaign.wait()
    slurm.kill_node()
    slurm.start_node()
    small.hold.unlink()
    campaign = small.campaign(*ENGINE)
    slurm.drain(small, campaign)
