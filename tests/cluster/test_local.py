"""Processes that share a results folder drain one list together, as two machines do."""

import os
import signal

import pytest

from tests.cluster.lists import makers, until
from zoo.commands import campaign, parse

pytestmark = pytest.mark.slow


def test_two_campaigns_drain_one_list_and_one_takes_over_what_the_other_leaves(small, monkeypatch, capsys):
    small.hold.touch()
    one = small.campaign(log="one")
    two = small.campaign(log="two")
    until(lambda: makers(small.results), process=one)
    monkeypatch.chdir(small.folder)
    words = ["list.yaml", "--show", *small.world, "results_dir=results"]
    campaign.main(parse("campaign", campaign.GRAMMAR, words))
    said = " ".join(capsys.readouterr().out.split())
    for expected in ("running", os.uname().nodename, " ago ", " as now"):
        assert expected in said
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    small.hold.unlink()
    assert two.wait(600) == 0, small.said("two")
    assert "failed after" not in small.said("two")
    small.check()
