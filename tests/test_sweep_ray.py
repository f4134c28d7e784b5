"""A sweep on a Ray cluster of two nodes, one of which is killed on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from ray.cluster_utils import Cluster

from bnnedge.errors import ConfigError
from bnnedge.studies.cluster import RayExecutor
from bnnedge.studies.results import results
from bnnedge.studies.sweep import Standing, run_sweep, tasks_of
from bnnedge.studies.task import Task
from tests.sweeps import a_study, place_in

MEMORY = 80_000_000  # bytes of an object store: the least that Ray takes


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head that runs nothing; GPUs are numbers that Ray shares out, and need not be there."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "num_gpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()  # type: ignore[no-untyped-call]


def is_at_work(task: Task) -> bool:
    return bool(task.place.attempts()) and not task.place.run.finished()


def test_a_node_that_is_killed_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    epochs = 30
    study, place = a_study(tmp_path, seeds=4, epochs=epochs), place_in(tmp_path)
    nodes = [cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY) for _ in range(2)]
    tasks = tasks_of(study, place)
    finished: dict[Path, int] = {}
    errors: list[str] = []

    def show(standing: Standing) -> None:
        finished.update(
            {
                summary: summary.stat().st_mtime_ns
                for task in tasks
                if task.place.run.finished()
                for summary in [task.place.run.path / "run.json"]
            }
        )
        if standing.error is not None:
            errors.append(standing.error)

    def kill() -> None:
        """A node, while both are at work and some jobs are done."""
        while len(finished) < 2 or sum(map(is_at_work, tasks)) < 2:
            time.sleep(0.05)
        cluster.remove_node(nodes.pop(), allow_graceful=False)

    killer = Thread(target=kill)
    killer.start()
    failures = run_sweep(study, tasks, lambda: RayExecutor(cluster.address, gpus=0.5), 2, show)
    killer.join()
    assert failures == {}
    assert len(errors) == 1
    assert "lost" in errors[0]
    attempts = [task.place.attempts() for task in tasks]
    assert sorted(map(len, attempts)) == [1] * 7 + [2]  # what was finished was never begun again
    interrupted = next(each for each in attempts if len(each) == 2)
    assert interrupted[0]["process"] != interrupted[1]["process"]
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for task in tasks:
        assert [record["epoch"] for record in task.place.run.records()] == list(range(1, epochs + 1))
    assert {row["status"] for row in results(study, place).rows} == {"finished"}


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere.invalid:6379", "here:there"]
)
def test_no_cluster_there(address: str) -> None:
    with pytest.raises(ConfigError, match=f"no Ray cluster at '{address}'"), RayExecutor(address):
        raise AssertionError("joined nothing")
