"""One job of a sweep, in the process that runs it: trained to its end, and measured."""

from __future__ import annotations

import dataclasses
import os
import platform
import traceback
from functools import lru_cache

from bnnedge.data.dataset import Dataset
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError, ConfigError, DataError, UnsupportedError
from bnnedge.runs.config import DataConfig
from bnnedge.runs.directory import RunDirectory
from bnnedge.studies.costs import measured
from bnnedge.studies.task import Outcome, Task
from bnnedge.training.loop import train

__all__ = ["perform"]

# These come of the configuration and the data, and so would come again.
_FINAL = (ConfigError, DataError, UnsupportedError)


def perform(task: Task) -> Outcome:
    """Bring a job to its end: begin, go on where it was interrupted, or measure what is not measured yet.

    A job that is finished is never trained again, whoever asks. Whatever goes wrong is part of the outcome;
    what goes wrong in training stands in the job's directory, with its traceback.
    """
    place = task.place
    try:
        with place.held():
            if not place.run.finished():
                _train(task)
            _measure(task)
    except Exception as error:  # noqa: BLE001 (a job of hundreds: the sweep reports it at its end)
        return Outcome(task.index, _in_a_line(error), again=not isinstance(error, _FINAL))
    return Outcome(task.index)


def _train(task: Task) -> None:
    place = task.place
    if place.run.config_file.exists():
        run = RunDirectory.open(place.run.path)
    else:
        run = RunDirectory.create(place.run.path, task.config)
    attempt: dict[str, object] = {"host": platform.node(), "process": os.getpid(), "from_epoch": _epoch(run)}
    attempts = place.attempts()
    place.write_attempts([*attempts, attempt])
    try:
        train(task.config, _dataset(task.config.data), run, lambda _: None)
    except Exception as error:
        failed = {"error": _in_a_line(error), "traceback": traceback.format_exc()}
        place.write_attempts([*attempts, attempt | failed])
        raise


def _measure(task: Task) -> None:
    place = task.place
    known = place.costs()
    if missing := [cost for cost in task.costs if cost not in known]:
        place.write_costs(known | measured(place.run.best_checkpoint(), missing))


def _epoch(run: RunDirectory) -> int:
    """How many epochs of it are there already."""
    records = run.records() if run.states() else []
    return int(records[-1]["epoch"]) if records else 0


@lru_cache(maxsize=2)
def _dataset(config: DataConfig) -> Dataset:
    """The data, kept from job to job: most jobs of a sweep have the same."""
    return load_dataset(**dataclasses.asdict(config))


def _in_a_line(error: Exception) -> str:
    if isinstance(error, BnnedgeError):
        return f"{error.message}{f' ({error.hint})' if error.hint else ''}"
    return f"{type(error).__name__}: {error}"
