"""Where a sweep leaves what it made: the only code that knows what the files in its directory are called.

::

    runs/sweep-widths/
        jobs/3f2a9c01d4e58b67/    a run directory for each job, named by its configuration's hash, with
            attempts.json         who began or went on with it, and what went wrong
            costs.json            what its hardware costs, where that was asked for
        table.csv                 what came out, a row a job; table.parquet where asked for
        report.html
        .lock                     who is at work, while somebody is
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.files import write_atomically, writing
from bnnedge.locks import held
from bnnedge.runs.directory import RunDirectory

__all__ = ["JobPlace", "SweepPlace"]

Status = Literal["waiting", "interrupted", "failed", "finished"]
Record = dict[str, Any]

_HINT = "delete it: it is written anew"
PATIENCE = 30.0  # seconds that a job waits for one who has it and is about to die


@dataclass(frozen=True)
class SweepPlace:
    """A sweep's directory."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> SweepPlace:
        """The directory, made where it is not there yet.

        Raises:
            OutputError: it cannot be written.
        """
        with writing(path):
            (path / "jobs").mkdir(parents=True, exist_ok=True)
        return cls(path)

    @property
    def table_file(self) -> Path:
        """The table, comma-separated."""
        return self.path / "table.csv"

    @property
    def parquet_file(self) -> Path:
        """The table in columns."""
        return self.path / "table.parquet"

    @property
    def page_file(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def job(self, key: str) -> JobPlace:
        """Where one job is."""
        return JobPlace(RunDirectory(self.path / "jobs" / key))

    @contextmanager
    def held(self, *, alone: bool) -> Iterator[None]:
        """Keep others out: all of them, or those who want to be alone.

        Raises:
            OutputError: somebody is there.
        """
        hint = "wait until that has ended, or name another --out"
        with held(self.path / ".lock", f"{self.path} is being worked on", hint, alone=alone):
            yield


@dataclass(frozen=True)
class JobPlace:
    """A job's run directory."""

    run: RunDirectory

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others off this job; one whose process was killed lets go at once.

        Raises:
            OutputError: somebody has it, and keeps it.
        """
        with self.run.held(PATIENCE):
            yield

    def attempts(self) -> list[Record]:
        """Each beginning: host, process, the epoch it went on from, and the error it ended with, if any.

        Raises:
            FileError: the file is damaged.
        """
        attempts = _read(self.run.path / "attempts.json")
        found = [] if attempts is None else attempts.get("attempts")
        if not isinstance(found, list) or not all(isinstance(attempt, dict) for attempt in found):
            raise FileError(f"{self.run.path / 'attempts.json'} lists no attempts", _HINT)
        return found

    def write_attempts(self, attempts: list[Record]) -> None:
        """Write them."""
        _write(self.run.path / "attempts.json", {"attempts": attempts})

    def costs(self) -> Record:
        """What was measured of the hardware: by name a number, or the reason why there is none.

        Raises:
            FileError: the file is damaged.
        """
        costs = (_read(self.run.path / "costs.json") or {"costs": {}}).get("costs")
        if not isinstance(costs, dict) or not all(
            isinstance(cost, int | float | str) for cost in costs.values()
        ):
            raise FileError(f"{self.run.path / 'costs.json'} lists no costs", _HINT)
        return costs

    def write_costs(self, costs: Record) -> None:
        """Write them."""
        _write(self.run.path / "costs.json", {"costs": costs})

    def status(self) -> Status:
        """How far the job has come."""
        if self.run.finished():
            return "finished"
        if not (attempts := self.attempts()):
            return "waiting"
        return "failed" if attempts[-1].get("error") else "interrupted"


def _read(path: Path) -> Record | None:
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {path}: {error}", _HINT) from error
    if not isinstance(record, dict):
        raise FileError(f"{path} is no JSON object", _HINT)
    return record


def _write(path: Path, record: Record) -> None:
    write_atomically(path, json.dumps(record, indent=1) + "\n")
