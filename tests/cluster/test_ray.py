"""A list on a Ray of two nodes, where a worker, a node, the head and the driver are killed."""

import os
import signal

import pytest

from tests.cluster.lists import makers, until

ray = pytest.importorskip("ray", reason="pip install 'memory-zoo[ray]' brings Ray")
pytestmark = pytest.mark.slow


@pytest.fixture
def clusters(monkeypatch):
    """Start clusters of two nodes on the loopback interface."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    started = []

    def start() -> Cluster:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        started.append(cluster)
        return cluster

    yield start
    for cluster in started:
        cluster.shutdown()


def test_a_list_survives_the_death_of_everything(small, clusters):
    small.hold.touch()
    cluster = clusters()
    campaign = small.campaign("engine=ray", f"engine.address={cluster.address}")
    # a worker
    until(lambda: len(makers(small.results)) == 2, process=campaign)
    before = makers(small.results)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: set(makers(small.results)) - set(before), process=campaign)
    # a node
    (second,) = cluster.worker_nodes
    cluster.remove_node(second, allow_graceful=False)
    until(lambda: len(makers(small.results)) == 1, process=campaign)
    # the driver, and the head with all that is left
    campaign.kill()
    campaign.wait()
    cluster.shutdown()
    small.hold.unlink()
    cluster = clusters()
    campaign = small.campaign("engine=ray", f"engine.address={cluster.address}")
    assert campaign.wait(600) == 0, small.said()
    small.check()
