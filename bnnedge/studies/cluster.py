"""Jobs on a Ray cluster, or on this machine by a Ray of its own."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, Self

from bnnedge.errors import ConfigError
from bnnedge.studies.task import Outcome, Task

__all__ = ["RayExecutor", "check_ray"]


def check_ray() -> None:
    """See that Ray is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--executor ray needs the package ray, which is not installed", "pip install 'bnnedge[ray]'"
        ) from error


class RayExecutor:
    """Ray decides which machine runs what; all of them see the sweep's directory under the same path.

    A job asks for as many CPUs as it has threads, and for a share of a GPU. Processes stay alive from job to
    job. What a lost machine was working on is an outcome with an error, as of a lost process: the sweep
    starts it again, and it resumes.

    Args:
        address: of a cluster, as ``ray.init`` takes it; None: one is started here, and stopped at the end.
        gpus: share of a GPU that a job asks for.

    Raises:
        ConfigError: there is no such cluster.
    """

    def __init__(self, address: str | None, gpus: float = 0.0) -> None:
        self._address, self._gpus = address, gpus
        self._running: dict[Any, Task] = {}

    def __enter__(self) -> Self:
        """Join the cluster."""
        os.environ.setdefault(
            "RAY_USAGE_STATS_ENABLED", "0"
        )  # read when it is imported; it reports home else
        import ray

        try:
            _call(self._address)
            ray.init(address=self._address, log_to_driver=False, include_dashboard=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no Ray cluster at {self._address!r}: {error}", "ray start --head") from error
        # Its own retries are off, so that all attempts are counted in one place.
        self._perform = ray.remote(num_gpus=self._gpus, max_retries=0, max_calls=0)(_perform)
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop what still runs, and leave the cluster."""
        import ray

        for running in self._running:
            ray.cancel(running, force=True)
        self._running = {}
        ray.shutdown()

    @property
    def capacity(self) -> int:
        """No limit: Ray queues what does not fit, and knows what to ask machines for."""
        return sys.maxsize

    def start(self, task: Task) -> None:
        """Hand a task to Ray."""
        self._running[self._perform.options(num_cpus=task.config.training.threads).remote(task)] = task

    def wait(self) -> Sequence[Outcome]:
        """What ended, be it a task, its process or its machine."""
        import ray

        ended, _ = ray.wait(list(self._running), num_returns=1)
        return [self._outcome(reference, self._running.pop(reference)) for reference in ended]

    def _outcome(self, reference: Any, task: Task) -> Outcome:
        import ray

        try:
            outcome: Outcome = ray.get(reference)
        except ray.exceptions.RayError as error:
            return Outcome(task.index, f"lost: {str(error).partition('. ')[0]}")
        return outcome


def _call(address: str | None) -> None:
    """See that somebody answers there: Ray itself would wait for minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=10).close()


def _perform(task: Task) -> Outcome:
    """In a process of Ray's: imports PyTorch at its first task."""
    from bnnedge.studies.jobs import perform

    return perform(task)
