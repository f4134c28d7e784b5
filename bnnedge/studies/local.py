"""Jobs in processes of this machine, which stay alive from job to job."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self

from bnnedge.errors import ConfigError, JobError
from bnnedge.studies.task import Outcome, Task

__all__ = ["LocalExecutor", "workers_for"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ENDED = "its process ended with exit code {}"


def workers_for(threads: int, asked: int | None, cores: int) -> int:
    """How many processes to start, so that their threads are no more than the cores.

    Args:
        threads: of the job that has the most. They are part of a configuration, since they decide about the
            last bits of sums, and so are left as they are.
        asked: by the user; None: as many as fit.
        cores: of the machine.

    Raises:
        ConfigError: so many do not fit.
    """
    workers = asked or max(1, cores // threads)
    if workers > 1 and threads > max(1, cores // workers):
        raise ConfigError(
            f"{workers} jobs at a time, of training.threads = {threads} each, are too much for {cores} cores",
            f"take --jobs {max(1, cores // threads)}, or fewer threads",
        )
    return workers


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class LocalExecutor:
    """A fixed number of processes, each of which imports PyTorch once.

    They are forked off a server that has imported everything, so that one which was killed is replaced at
    once. Should this process end in whatever way, they end too.

    Args:
        workers: processes.
        threads: for the numerical libraries of each, PyTorch aside, which has those of the job.
    """

    def __init__(self, workers: int, threads: int = 1) -> None:
        self._workers: list[_Worker] = []
        self._count = workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bnnedge.studies.jobs"])
        self._threads = threads

    def __enter__(self) -> Self:
        """Start the processes.

        Raises:
            JobError: they do not start.
        """
        with _environment(dict.fromkeys(_THREADS, str(self._threads))):  # read when libraries are loaded
            forkserver.ensure_running()
        self._workers = [self._fresh() for _ in range(self._count)]
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop them, at work or not: a training that is killed goes on from there."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    @property
    def capacity(self) -> int:
        """One task a process."""
        return self._count

    def start(self, task: Task) -> None:
        """Hand a task to a process that has none."""
        worker = next(worker for worker in self._workers if worker.task is None)
        worker.task = task
        try:
            worker.pipe.send(task)
        except OSError:  # it is gone, which wait finds too
            return

    def wait(self) -> Sequence[Outcome]:
        """What ended, be it a task or its process."""
        ready = wait([worker.pipe for worker in self._workers if worker.task is not None])
        return [
            self._outcome(worker, worker.task)
            for worker in list(self._workers)
            if worker.pipe in ready and worker.task is not None
        ]

    def _outcome(self, worker: _Worker, task: Task) -> Outcome:
        worker.task = None
        try:
            outcome: Outcome = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            worker.pipe.close()
            self._workers[self._workers.index(worker)] = self._fresh()
            return Outcome(task.index, _ENDED.format(worker.process.exitcode))
        return outcome

    def _fresh(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            process.start()
        except (EOFError, OSError) as error:
            raise JobError("cannot start a process for jobs", "what it says above is why") from error
        theirs.close()
        return _Worker(process, ours)


def _serve(pipe: Connection) -> None:
    """What a process does: one task after another, until nobody asks any more."""
    from bnnedge.studies.jobs import perform

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the first process sees to us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        pipe.send(perform(task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What processes started meanwhile inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
