"""Run the jobs of a study, each to its end, however often the sweep is interrupted."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bnnedge.errors import ConfigError
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.study import Job, Study
from bnnedge.studies.task import Cost, Executor, Task

__all__ = ["Show", "Standing", "recorded_failures", "run_sweep", "tasks_of"]


@dataclass(frozen=True)
class Standing:
    """How far a sweep has come.

    Attributes:
        job: that ended, or was found to be done; None at the start.
        error: what it ended with; None: it is done.
        retried: whether it is tried again.
        done: jobs.
        failed: jobs that are not tried again.
        jobs: all of them.
    """

    job: Job | None
    error: str | None
    retried: bool
    done: int
    failed: int
    jobs: int


Show = Callable[[Standing], None]


def tasks_of(
    study: Study, place: SweepPlace, costs: Sequence[Cost] = (), only: Collection[int] = ()
) -> list[Task]:
    """The jobs as tasks; with ``only``, those of these indices.

    Raises:
        ConfigError: an index that the study does not have.
    """
    if unknown := [index for index in only if not 0 <= index < len(study.jobs)]:
        raise ConfigError(f"no job {unknown[0]}", f"the study has jobs 0 to {len(study.jobs) - 1}")
    return [
        Task(job.index, job.config, place.job(job.key), tuple(costs))
        for job in study.jobs
        if not only or job.index in only
    ]


def run_sweep(
    study: Study, tasks: Sequence[Task], executor: Callable[[], Executor], retries: int, show: Show
) -> dict[int, str]:
    """Bring tasks to their ends; the same tasks again do only what is left.

    Args:
        study: that the tasks are of.
        tasks: from :func:`tasks_of`.
        executor: makes what runs them; not called where nothing is left to do.
        retries: how often a job that failed is tried again, after all others.
        show: told at the start and whenever a job ends.

    Returns:
        For each job that stayed broken, by index, what was wrong with it the last time.
    """
    left = deque(task for task in tasks if not task.done())
    by_index = {task.index: task for task in tasks}
    done, failures, tries = len(tasks) - len(left), dict[int, str](), Counter[int]()
    show(Standing(None, None, False, done, 0, len(tasks)))
    if not left:
        return failures
    with executor() as pool:
        running = 0
        while left or running:
            while left and running < pool.capacity:
                pool.start(left.popleft())
                running += 1
            for outcome in pool.wait():
                running -= 1
                tries[outcome.index] += 1
                again = outcome.error is not None and outcome.again and tries[outcome.index] <= retries
                if again:
                    left.append(by_index[outcome.index])
                elif outcome.error is not None:
                    failures[outcome.index] = outcome.error
                else:
                    done += 1
                job = study.jobs[outcome.index]
                show(Standing(job, outcome.error, again, done, len(failures), len(tasks)))
    return dict(sorted(failures.items()))


def recorded_failures(tasks: Sequence[Task]) -> dict[int, str]:
    """For each job that failed, by index, what stands in its directory.

    Raises:
        FileError: a file there is damaged.
    """
    return {
        task.index: task.place.attempts()[-1]["error"] for task in tasks if task.place.status() == "failed"
    }
