"""pytest tests/cluster/long_slurm.py

Drain a list on a real Slurm, where everything is killed once: a cell, the process that submitted, the controller, a job
at its limit and the node. Each record is there once, and as if nothing had been. Not part of the suite: it waits for
Slurm's own times.
"""

import os
import signal

import pytest

from tests.cluster.lists import SmallList, makers, until

pytest.importorskip("submitit", reason="pip install 'memory-zoo[slurm]' brings submitit")
pytestmark = pytest.mark.slow
SECONDS = 900
ENGINE = ("engine=slurm", "engine.jobs=2", "engine.time=30", "engine.signal_delay_s=50")


def test_a_list_survives_the_death_of_everything(small, slurm):
    small.hold.touch()
    campaign = small.campaign(*ENGINE)
    # a cell, with its job
    until(lambda: len(makers(small.results)) == 2, process=campaign)
    os.kill(makers(small.results)[0], signal.SIGKILL)
    # the process that has submitted, and the controller
    campaign.kill()
    campaign.wait()
    slurm.kill_controller()
    slurm.start_controller()
    campaign = small.campaign(*ENGINE)
    until(lambda: "of an earlier command is watched" in small.said(), process=campaign)
    # a job at its limit, of which Slurm tells it 50 seconds before
    slurm.shorten_jobs()
    until(lambda: "asked to stop" in logs(small), process=campaign)
    small.hold.unlink()
    until(lambda: "requeued" in logs(small), process=campaign)
    small.hold.touch()
    slurm.run_requeued()
    # the node, with all of its jobs
    until(lambda: makers(small.results), process=campaign)
    slurm.kill_node()
    slurm.start_node()
    small.hold.unlink()
    slurm.drain(small, campaign)


def logs(small: SmallList) -> str:
    return "".join(file.read_text() for file in (small.results / "unfinished").glob("slurm-*/*_log.err"))
