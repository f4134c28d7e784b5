"""What a sweep hands to whoever runs a job, and what it gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, get_args

from bnnedge.runs.config import Config
from bnnedge.studies.place import JobPlace

__all__ = ["COSTS", "Cost", "Executor", "Outcome", "Task"]

Cost = Literal["luts", "rom_bits", "synth_luts"]
COSTS: tuple[Cost, ...] = get_args(Cost)


@dataclass(frozen=True)
class Task:
    """A job to be brought to its end, from wherever it stands.

    Attributes:
        index: of the job in its study.
        config: what to train.
        place: where.
        costs: of hardware, to be measured once it is trained.
    """

    index: int
    config: Config
    place: JobPlace
    costs: tuple[Cost, ...] = ()

    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.place.run.finished() and set(self.costs) <= self.place.costs().keys()


@dataclass(frozen=True)
class Outcome:
    """How an attempt at a job ended.

    Attributes:
        index: of the job.
        error: what went wrong, in one line; None: nothing, the job is done.
        again: whether another attempt could end otherwise.
    """

    index: int
    error: str | None = None
    again: bool = True


class Executor(Protocol):
    """Runs tasks at the same time; to be used in a ``with``, whose end stops what still runs."""

    @property
    def capacity(self) -> int:
        """How many tasks may be started before any has ended."""

    def start(self, task: Task) -> None:
        """Begin a task, or queue it."""

    def wait(self) -> Sequence[Outcome]:
        """Outcomes of tasks that have ended since, at least one; a lost process or machine is one too."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...
