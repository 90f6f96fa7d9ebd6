"""A study on a real Ray cluster: a head and two nodes that train, one of which dies in the middle."""

import re
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from hotnas_hls.errors import ConfigError
from hotnas_hls.search.evaluating.outcome import Evaluation
from hotnas_hls.search.running.crew import CrewOptions
from hotnas_hls.search.running.hire import hire
from hotnas_hls.search.running.storage import study_place

from .toy_study import ToyObjective, study

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'hotnas-hls[ray]'")
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore"),  # Ray's own, about sockets and accelerators
]
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


class Noting(ToyObjective):
    """Leaves a line for every training begun, and never ends one on the node the file ``doomed`` names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(0.2)
        self.folder = folder

    def evaluate(self, candidate, limits) -> Evaluation:
        node = ray.get_runtime_context().get_node_id()
        with (self.folder / "begun").open("a") as file:
            file.write(f"{node} {candidate.to_json()}\n")
        doomed = self.folder / "doomed"
        if doomed.exists() and doomed.read_text() == node:
            (self.folder / "hangs").write_text(candidate.to_json())
            time.sleep(600)
        return super().evaluate(candidate, limits)


def kill_once_it_hangs(cluster, node, folder: Path) -> None:
    while not (folder / "hangs").exists():
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    two = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    two.add_node(**NODE)
    two.add_node(**NODE)
    yield two
    two.shutdown()


def test_what_no_node_has_is_said(cluster):
    options = CrewOptions(ray=cluster.address, trial_cpus=4, trial_gpus=1)
    message = f"search.ray: no node of {cluster.address} has 4 CPUs and 1 GPUs for a trial"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        hire(ToyObjective(), options, small=True)
    assert not ray.is_initialized()


@pytest.mark.whole
def test_a_lost_node_loses_no_trial(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))  # this package, on the nodes
    place = study_place("sqlite", tmp_path)
    with closing(hire(Noting(tmp_path), CrewOptions(ray=cluster.address), small=True)) as crew:
        assert crew.size == 2
        ours = ray.get_runtime_context().get_node_id()  # a driver does not outlive its node
        node = next(node for node in cluster.worker_nodes if node.node_id != ours)
        killer = threading.Thread(target=kill_once_it_hangs, args=(cluster, node, tmp_path))
        searched = study(24, place, crew=crew)

        def doom(outcome):
            if outcome.number == 9:
                (tmp_path / "doomed").write_text(node.node_id)
                killer.start()

        outcomes = searched.run(report=doom)
        killer.join()
    assert [outcome.number for outcome in outcomes] == list(range(24))
    assert study(24, place, resume=True).outcomes == outcomes
    begun = [line.split(" ", 1) for line in (tmp_path / "begun").read_text().splitlines()]
    assert {name for name, _ in begun} >= {node.node_id} and len({name for name, _ in begun}) == 2
    trained = [text for _, text in begun]
    assert sorted(set(trained)) == sorted(o.candidate.to_json() for o in outcomes if is_trained(o))
    twice = {text for text in trained if trained.count(text) > 1}
    assert twice == {(tmp_path / "hangs").read_text()}  # what the lost node was at, and nothing else


def is_trained(outcome) -> bool:
    return outcome.accuracy is not None and outcome.repeats is None


@pytest.mark.parametrize("address", ["127.0.0.1:1", "somewhere"])
def test_no_cluster_at_the_address(address):
    message = f"search.ray: no cluster answers at {address} "
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        hire(ToyObjective(), CrewOptions(ray=address), small=True)
