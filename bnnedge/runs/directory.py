"""Run directories: the only code that knows what the files in one are called.

::

    runs/0001-digits-tfc/
        config.toml                           resolved configuration
        metrics.jsonl                         one line an epoch
        trajectory/epoch-000001.safetensors   measures between epochs, where the configuration asks for them
        checkpoints/step-00001080.safetensors packed models
        state.safetensors                     latent weights and optimiser, to resume from
        state-before.safetensors              the same an epoch earlier, should that one be damaged
        run.json                              status, best and last checkpoint, test result
        .lock                                 who is training it, while somebody is

Everything is written whole or not at all, so a run can be killed, copied or read at any moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnedge.bounded import parse_json
from bnnedge.errors import BnnedgeError, FileError, OutputError
from bnnedge.files import clear_drafts, is_draft, write_atomically, writing
from bnnedge.locks import held
from bnnedge.runs.config import Config
from bnnedge.runs.metrics import append_record, keep_records, read_records
from bnnedge.runs.toml import load_config, to_toml
from bnnedge.runs.trajectory import Steps, join_steps, read_steps

__all__ = ["RunDirectory", "newest_run", "next_run"]

SCHEMA = 1
_MOST_STEPS = 10**18
_NUMBERED = re.compile(r"(\d{4,})-.+")
_STEPS = re.compile(r"epoch-(\d{6,})\.safetensors")
_CHECKPOINT = re.compile(r"step-(\d{8,})\.safetensors")


@dataclass(frozen=True)
class RunDirectory:
    """One training's folder. Attributes are paths; methods read and write them."""

    path: Path

    @classmethod
    def create(cls, path: Path, config: Config) -> RunDirectory:
        """Make the folder and its configuration.

        Raises:
            OutputError: the place holds something already, or cannot be written.
        """
        run = cls(path)
        with writing(path):
            if path.exists() and not (path.is_dir() and run._untouched()):
                raise OutputError(
                    f"{path} is not empty", "name another --out, or go on with that run: --resume"
                )
            run.checkpoint_folder.mkdir(parents=True, exist_ok=True)
        write_atomically(run.config_file, to_toml(config))
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run.

        Raises:
            FileError: the folder is no run directory.
        """
        run = cls(path)
        if not run.config_file.is_file() or not run.checkpoint_folder.is_dir():
            raise FileError(
                f"{path} is no run directory", "expected a folder that bnnedge train made, with config.toml"
            )
        return run

    @property
    def config_file(self) -> Path:
        """Resolved configuration."""
        return self.path / "config.toml"

    @property
    def state_file(self) -> Path:
        """Everything a resumed training needs."""
        return self.path / "state.safetensors"

    @property
    def state_before_file(self) -> Path:
        """The state before that one."""
        return self.path / "state-before.safetensors"

    def states(self) -> list[Path]:
        """The states that are there, the newest first."""
        return [path for path in (self.state_file, self.state_before_file) if path.exists()]

    @contextmanager
    def held(self, patience: float = 0.0) -> Iterator[None]:
        """Keep others from training into this folder, which is made where it is not there yet.

        Whoever creates a run here, or goes on with one, has it held all the while; a process that is killed
        lets go of it.

        Args:
            patience: seconds to wait for one who has it.

        Raises:
            OutputError: somebody has it, or the folder cannot be written.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        hint = "wait until that has ended, or name another --out"
        with held(self._lock_file, f"{self.path} is being trained", hint, patience=patience):
            yield

    @property
    def checkpoint_folder(self) -> Path:
        """Where the packed models are."""
        return self.path / "checkpoints"

    def config(self) -> Config:
        """The resolved configuration."""
        return load_config(self.config_file)

    def checkpoint(self, step: int) -> Path:
        """The packed model after ``step`` optimiser steps."""
        return self.checkpoint_folder / f"step-{step:08d}.safetensors"

    def checkpoints(self) -> dict[int, Path]:
        """All packed models by optimiser step, in that order."""
        return _numbered_files(self.checkpoint_folder, _CHECKPOINT)

    def checkpoint_names(self) -> dict[str, Path]:
        """The checkpoints by the name of their epoch, the best one marked."""
        epochs = {0: 0} | {record["step"]: record["epoch"] for record in self.records()}
        best = self._step("best")
        return {
            f"epoch {epochs.get(step, '?')}" + (" (best)" if step == best else ""): path
            for step, path in self.checkpoints().items()
        }

    def records(self) -> list[dict[str, Any]]:
        """The metrics, one record an epoch."""
        return read_records(self.path / "metrics.jsonl")

    def append(self, record: dict[str, Any]) -> None:
        """Add one epoch's metrics."""
        append_record(self.path / "metrics.jsonl", record)

    def steps_file(self, epoch: int) -> Path:
        """Where the measures of one epoch's steps go; the folder is made."""
        folder = self.path / "trajectory"
        with writing(folder):
            folder.mkdir(exist_ok=True)
        return folder / f"epoch-{epoch:06d}.safetensors"

    def trajectory(self) -> Steps | None:
        """The measures of all steps so far; None where there are none.

        Raises:
            FileError: a damaged file.
        """
        files = self.steps_files()
        return join_steps(map(read_steps, files.values())) if files else None

    def steps_files(self) -> dict[int, Path]:
        """The files of measures by epoch, in that order; none where nothing was measured between epochs."""
        folder = self.path / "trajectory"
        return _numbered_files(folder, _STEPS) if folder.is_dir() else {}

    def rewind(self, epoch: int, step: int) -> None:
        """Forget what was written after an epoch, and drafts; a resumed run writes it again."""
        for folder in (self.path, self.checkpoint_folder):
            clear_drafts(folder)
        keep_records(self.path / "metrics.jsonl", epoch)
        for later, path in self.checkpoints().items():
            if later > step:
                path.unlink()
        for later, path in self.steps_files().items():
            if later > epoch:
                path.unlink()

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write run.json: status, best and last checkpoint, test result."""
        write_atomically(
            self.path / "run.json",
            json.dumps({"schema": SCHEMA, **summary}, indent=2, allow_nan=False) + "\n",
        )

    def summary(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            FileError: missing, damaged or of another schema.
        """
        path = self.path / "run.json"
        try:
            summary = parse_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise FileError(
                f"{self.path} has no finished epoch yet", "start it again: bnnedge train --resume --out RUN"
            ) from error
        except (OSError, ValueError) as error:
            raise FileError(f"cannot read {path}: {error}") from error
        if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
            raise FileError(f"{path} is not of schema {SCHEMA}")
        return summary

    def best_checkpoint(self) -> Path:
        """The checkpoint of the best epoch by validation accuracy.

        Raises:
            FileError: no epoch has finished yet, or run.json is damaged.
        """
        return self._marked("best")

    def first_checkpoint(self) -> Path:
        """The network before its first step."""
        return self.checkpoint(0)

    def last_checkpoint(self) -> Path:
        """The newest checkpoint that is marked whole."""
        return self._marked("last")

    def finished(self) -> bool:
        """Whether the training came to its end."""
        try:
            return bool(self.summary().get("status") == "finished")
        except BnnedgeError:
            return False

    @property
    def _lock_file(self) -> Path:
        return self.path / ".lock"

    def _untouched(self) -> bool:
        """Whether the folder holds no more than a run that was killed before it had a configuration."""
        return all(
            is_draft(path)
            or path == self._lock_file
            or (path == self.checkpoint_folder and path.is_dir() and not any(path.iterdir()))
            for path in self.path.iterdir()
        )

    def _marked(self, mark: str) -> Path:
        return self.checkpoint(self._step(mark))

    def _step(self, mark: str) -> int:
        """The step of the checkpoint that run.json marks so."""
        marked = self.summary().get(mark)
        step = marked.get("step") if isinstance(marked, dict) else None
        if type(step) is not int or not 0 <= step < _MOST_STEPS:
            raise FileError(f"{self.path / 'run.json'} does not say which checkpoint is {mark}")
        return step


def next_run(root: Path, name: str) -> RunDirectory:
    """A new numbered folder under ``root`` for a run to be created in; two that ask at once get two.

    Raises:
        OutputError: ``root`` cannot be written.
    """
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        number = max((number for number, _ in _numbered(root)), default=0) + 1
        while True:
            path = root / f"{number:04d}-{name}"
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return RunDirectory(path)


def newest_run(root: Path) -> RunDirectory:
    """The run directory with the highest number; one that was killed before it had a configuration is none.

    Raises:
        FileError: there is none.
    """
    numbered = _numbered(root) if root.is_dir() else []
    runs = [each for each in numbered if RunDirectory(each[1]).config_file.exists()]
    if not runs:
        raise FileError(f"no run in {root}", "train one first: bnnedge train; or name a checkpoint")
    return RunDirectory.open(max(runs)[1])


def _numbered_files(folder: Path, name: re.Pattern[str]) -> dict[int, Path]:
    """Files by the number in their names, in that order."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := name.fullmatch(path.name))}
    return dict(sorted(found.items()))


def _numbered(root: Path) -> list[tuple[int, Path]]:
    return [
        (int(match[1]), path)
        for path in root.iterdir()
        if path.is_dir() and (match := _NUMBERED.fullmatch(path.name))
    ]
