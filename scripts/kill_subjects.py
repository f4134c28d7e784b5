"""What scripts/kill kills: trainings with each kind of state, a sweep in several processes, exports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bnnedge.runs.directory import RunDirectory

__all__ = ["SUBJECTS", "Subject", "write_study"]

ADAM = (
    "training.warmup_epochs=2",
    "net.input=thermometer",
    "net.input_bits=3",
    "net.input_levels=learned",
    "training.label_smoothing=0.1",
)
BOP = ("training.optimiser=bop", "training.teacher=digits-tfc", "training.shift_fill=zero")
BOTH = (
    "training.epochs=60",
    "training.shift=1",
    "training.track=steps",
    "training.track_every=3",
    "training.checkpoint_every=3",
    "net.input_dither=2",
    "net.dropout=0.1",
    "net.conv=[{channels=12,pool=2}]",
    "net.hidden=[24]",
)
STUDY = """
base = "digits-tfc"
seeds = {seeds}
[set]
training.epochs = 4
training.batch_size = 300
[grid]
net.hidden = [[8], [8, 4]]
"""
EXPORTS = (("c",), ("onnx",), ("pynq",), ("rtl", "--style=unrolled"))

Moments = dict[str, int]


@dataclass(frozen=True)
class Subject:
    """A command to be killed.

    Attributes:
        verb: of bnnedge.
        name: of this use of it.
        command: makes its arguments, to begin or to go on in a folder.
        progress: changes once something is written there.
        goes_on: whether the same command goes on with what is there; or else it makes the folder anew, whole.
        drafts: how many may lie about after a kill.
        untouched: when what is finished was finished, once all that was before still says the same.
    """

    verb: str
    name: str
    command: Callable[[Path], list[str]]
    progress: Callable[[Path], object]
    goes_on: bool
    drafts: int
    untouched: Callable[[Path, Moments], Moments] = lambda _out, _before: {}


def write_study(folder: Path, jobs: int) -> None:
    """The sweep's study of so many jobs, an even number, into the folder that the sweep's own goes into."""
    (folder / "study.toml").write_text(STUDY.format(seeds=jobs // 2), encoding="utf-8")


def _training(name: str, settings: tuple[str, ...]) -> Subject:
    def command(out: Path) -> list[str]:
        fresh = [f"--set={one}" for one in (*settings, *BOTH)]
        return ["train", "--out", str(out), *(["--resume"] if (out / "config.toml").exists() else fresh)]

    return Subject(
        "train", f"train, {name}", command, lambda out: _changed(out, out / "checkpoints"), True, 1
    )


def _sweep(out: Path) -> list[str]:
    return ["sweep", str(out.parent / "study.toml"), "--out", str(out)]


def _attempts(out: Path) -> int:
    """Changes whenever a job begins or goes on."""
    return sum(path.stat().st_size for path in out.glob("jobs/*/attempts.json"))


def _jobs_untouched(out: Path, before: Moments) -> Moments:
    now = {
        run.path.name: (run.path / "run.json").stat().st_mtime_ns
        for run in map(RunDirectory, out.glob("jobs/*"))
        if run.finished()
    }
    if changed := [job for job, moment in before.items() if now.get(job) != moment]:
        sys.exit(f"finished jobs were run again: {', '.join(changed)}")
    return now


def _export(target: str, *options: str) -> Subject:
    def command(out: Path) -> list[str]:
        return ["export", "digits-tfc", "--target", target, *options, "--samples=20", "--out", str(out)]

    return Subject("export", f"export, {target}", command, lambda out: _changed(out.parent), False, 2)


def _changed(*folders: Path) -> list[int]:
    """Changes whenever a folder gets or loses a file."""
    return [folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders]


SUBJECTS = (
    _training("adam", ADAM),
    _training("bop", BOP),
    Subject("sweep", "sweep", _sweep, _attempts, True, 1 + (os.cpu_count() or 1), _jobs_untouched),
    *(_export(*each) for each in EXPORTS),
)
