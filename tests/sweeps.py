"""Studies of trainings that take a moment."""

from __future__ import annotations

from pathlib import Path

from bnnedge.studies.jobs import perform
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.study import Study, load_study
from bnnedge.studies.task import Outcome, Task

TINY = """
base = "digits-tfc"
seeds = {seeds}
[set]
data.resize = 4
training.epochs = {epochs}
training.batch_size = 300
training.learning_rate = 0.05
[grid]
net.hidden = {widths}
"""


def write_study(folder: Path, seeds: int = 2, epochs: int = 2, widths: str = "[[4], [8, 4]]") -> Path:
    path = folder / "tiny.toml"
    path.write_text(TINY.format(seeds=seeds, epochs=epochs, widths=widths), encoding="utf-8")
    return path


def a_study(folder: Path, seeds: int = 2, epochs: int = 2, widths: str = "[[4], [8, 4]]") -> Study:
    return load_study(write_study(folder, seeds, epochs, widths))


def place_in(folder: Path) -> SweepPlace:
    return SweepPlace.make(folder / "sweep")


class Here:
    """Runs tasks in this process, one after the other; some are lost, as with their process."""

    capacity = 1

    def __init__(self, lost: dict[int, int] | None = None) -> None:
        self.lost = lost or {}
        self.started: list[int] = []
        self.waiting: list[Task] = []

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *exception: object) -> None:
        assert not self.waiting

    def start(self, task: Task) -> None:
        self.started.append(task.index)
        self.waiting.append(task)

    def wait(self) -> list[Outcome]:
        task = self.waiting.pop()
        if self.lost.get(task.index, 0):
            self.lost[task.index] -= 1
            return [Outcome(task.index, "lost")]
        return [perform(task)]
