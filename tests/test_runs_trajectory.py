"""Trajectory files: read back as written, joined in order, forgotten when a run is rewound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnedge.errors import FileError
from bnnedge.runs.config import Config
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.trajectory import Steps, read_steps, write_steps


def steps(*numbers: int) -> Steps:
    rng = np.random.default_rng(numbers)
    shape = 2, len(numbers)
    return Steps(
        ("fc1", "all"),
        np.array(numbers, dtype=np.int64),
        rng.random(len(numbers)).astype(np.float32),
        np.where(rng.random(shape) < 0.3, np.nan, rng.random(shape)),
        rng.random(shape),
        rng.integers(0, 99, shape),
        rng.integers(0, 99, shape),
    )


def same(one: Steps, other: Steps) -> bool:
    arrays = ("step", "loss", "bdm", "block_entropy", "flips", "changed_blocks")
    return one.names == other.names and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in arrays
    )


def test_files_are_read_back_joined_and_forgotten(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", Config())
    assert run.trajectory() is None
    for epoch in (1, 2, 10):
        write_steps(run.steps_file(epoch), steps(2 * epoch - 1, 2 * epoch))
    assert same(read_steps(run.steps_file(2)), steps(3, 4))
    whole = run.trajectory()
    assert whole is not None
    assert whole.step.tolist() == [1, 2, 3, 4, 19, 20]
    assert np.array_equal(whole.flips[:, 2:4], steps(3, 4).flips)
    run.rewind(1, 2)
    left = run.trajectory()
    assert left is not None
    assert same(left, steps(1, 2))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "epoch-000001.safetensors"
    write_steps(path, steps(1, 2))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FileError, match="cannot read"):
        read_steps(path)
    with pytest.raises(FileError, match="cannot read"):
        read_steps(tmp_path / "missing")
