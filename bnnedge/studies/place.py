"""Where a sweep leaves what it made: the only code that knows what the files in its directory are called.

::

    runs/sweep-widths/
        jobs/3f2a9c01d4e58b67/    a run directory for each job, named by its configuration's hash, with
            attempts.json         who began or went on with it, and what went wrong
            costs.json            what its hardware costs, where that was asked for
        locks/                    who is at work
        table.csv                 what came out, a row a job; table.parquet where asked for
        report.html
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bnnedge.errors import FileError, OutputError
from bnnedge.files import write_atomically, writing
from bnnedge.runs.directory import RunDirectory

__all__ = ["JobPlace", "SweepPlace", "held"]

Status = Literal["waiting", "interrupted", "failed", "finished"]
Record = dict[str, Any]

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
        for folder in ("jobs", "locks"):
            with writing(path / folder):
                (path / folder).mkdir(parents=True, exist_ok=True)
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
        return JobPlace(RunDirectory(self.path / "jobs" / key), self.path / "locks" / key)

    @contextmanager
    def held(self, *, alone: bool) -> Iterator[None]:
        """Keep others out: all of them, or those who want to be alone.

        Raises:
            OutputError: somebody is there.
        """
        hint = "wait until it has ended, or name another --out"
        with held(
            self.path / "locks" / "sweep", f"another sweep is at work in {self.path}", hint, alone=alone
        ):
            yield


@dataclass(frozen=True)
class JobPlace:
    """A job's run directory, and the file whose lock says that it is being worked on."""

    run: RunDirectory
    lock: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others off this job; one whose process was killed lets go at once.

        Raises:
            OutputError: somebody has it, and keeps it.
        """
        message, hint = f"{self.run.path} is being trained by another process", "wait until it has ended"
        with held(self.lock, message, hint, patience=PATIENCE):
            yield

    def attempts(self) -> list[Record]:
        """Each beginning: host, process, the epoch it went on from, and the error it ended with, if any.

        Raises:
            FileError: the file is damaged.
        """
        attempts = _read(self.run.path / "attempts.json")
        return [] if attempts is None else list(attempts["attempts"])

    def write_attempts(self, attempts: list[Record]) -> None:
        """Write them."""
        _write(self.run.path / "attempts.json", {"attempts": attempts})

    def costs(self) -> Record:
        """What was measured of the hardware: by name a number, or the reason why there is none.

        Raises:
            FileError: the file is damaged.
        """
        return (_read(self.run.path / "costs.json") or {"costs": {}})["costs"]  # type: ignore[no-any-return]

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


@contextmanager
def held(path: Path, message: str, hint: str, *, alone: bool = True, patience: float = 0.0) -> Iterator[None]:
    """Lock a file, as the system does, which unlocks it when its holder ends, however that may be.

    Args:
        path: made if it is not there; its content is not touched.
        message: of the error.
        hint: of the error.
        alone: nobody else may have it; else others may who do not want to be alone either.
        patience: seconds to wait for it.

    Raises:
        OutputError: somebody has it, or it cannot be written.
    """
    with writing(path):
        handle = path.open("a")
    with handle:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise OutputError(message, hint) from error
            time.sleep(0.05)
        yield


def _read(path: Path) -> Record | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {path}: {error}", "delete it: it is written anew") from error
    if not isinstance(record, dict):
        raise FileError(f"{path} is no JSON object", "delete it: it is written anew")
    return record


def _write(path: Path, record: Record) -> None:
    write_atomically(path, json.dumps(record, indent=1) + "\n")
