"""What scripts/reproduce_paper saves by training ten runs as one program: both ways timed in turns."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from bench_rows import Row

from bnnedge.data.dataset import Split
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import change
from bnnedge.studies.batched import train_together
from bnnedge.studies.paper import RUNS_TOGETHER, SETS, config_of, data_of, lesson_of
from bnnedge.training.loop import train

__all__ = ["rows"]

(ROW,) = SETS["mnist"]
RUNS = 200
FEW, MORE = 1, 4


def epoch_seconds(rounds: int = 3) -> tuple[float, float]:
    """CPU seconds of an epoch of one run of the paper's MNIST row: ten together, and ``bnnedge train``.

    Both measure complexity after each step and the validation loss after each epoch; the best of some rounds.
    """
    torch.set_num_threads(1)
    together, alone = math.inf, math.inf
    for _ in range(rounds):
        together = min(together, (_together(MORE) - _together(FEW)) / (MORE - FEW) / RUNS_TOGETHER)
        alone = min(alone, *_alone())
    return together, alone


def _together(epochs: int) -> float:
    """CPU seconds of ten whole runs."""
    config = change(config_of(ROW), {"training.epochs": epochs, "training.patience": 0})
    data = data_of(ROW)
    lessons = [lesson_of(ROW, data, seed) for seed in range(RUNS_TOGETHER)]
    start = time.process_time()
    train_together(config, data, lessons)
    return time.process_time() - start


def _alone() -> list[float]:
    """CPU seconds of each epoch of the first of these runs but for its first, files included."""
    data = data_of(ROW)
    lesson = lesson_of(ROW, data, 0)
    half = dataclasses.replace(data, train=Split(data.train.inputs[lesson.samples], lesson.labels))
    config = change(config_of(ROW), {"training.epochs": MORE, "training.track": "steps"})
    moments: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory.create(Path(scratch) / "run", config)
        train(config, half, run, lambda _: moments.append(time.process_time()))
    return [after - before for before, after in pairwise(moments)]


def rows() -> list[Row]:
    """Runs of the paper's network as scripts/reproduce_paper trains them, beside one by one; in CPU time."""
    ours, theirs = epoch_seconds()
    most = RUNS * config_of(SETS["mnist"][0]).training.epochs

    def row(measure: str, unit: str, factor: float) -> Row:
        name = "bnnedge train, one by one"
        return Row("paper", measure, unit, ours * factor, theirs * factor, name, theirs / ours)

    return [
        row("an epoch of a run, complexity at each step", "ms", 1e3),
        row(f"extrapolated: {RUNS} runs of at most 50 epochs, 2 cores", "min", most / 2 / 60),
    ]
