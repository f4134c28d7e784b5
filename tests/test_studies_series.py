"""What runs leave, in memory and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnedge.complexity.trajectory import Course
from bnnedge.errors import FileError
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.studies.series import Scores, SeriesBuilder, read_series, write_series

RNG = np.random.default_rng(0)
STATES = [[PackedMatrix.from_bits(RNG.random(shape) < 0.5) for shape in ((5, 70), (3, 5))] for _ in range(4)]
SIGNS = [np.concatenate([m.words.reshape(-1).view(np.uint8) for m in state]) for state in STATES]


def built(validation: tuple[float, ...] = (3.0, 1.0, 2.0)) -> SeriesBuilder:
    builder = SeriesBuilder(5, SIGNS[0])
    zeros = np.zeros(2, dtype=np.int64)
    for epoch, loss in enumerate(validation):
        courses = [
            Course(np.array([0.0, 2.0]) + 10 * part + epoch, np.array([1.0, 3.0]), zeros, zeros)
            for part in range(3)
        ]
        builder.add(Scores(loss + 1, loss, 1 / loss), courses, SIGNS[epoch + 1])
    return builder


def test_a_series_has_epoch_means_and_all_weights() -> None:
    run = built((4.0, 1.0, 2.0)).finished()
    assert run.epochs == 3
    np.testing.assert_array_equal(run.train_loss, [5, 2, 3])
    np.testing.assert_array_equal(run.test_accuracies, [0.25, 1, 0.5])
    assert (run.test_accuracy, run.last_accuracy) == (1, 0.5)
    np.testing.assert_array_equal(run.bdm, [[1, 2, 3], [11, 12, 13], [21, 22, 23]])
    np.testing.assert_array_equal(run.block_entropy, np.full((3, 3), 2.0))
    for epoch, state in enumerate(STATES):
        assert run.weights(epoch, [(5, 70), (3, 5)]) == state


def test_stale_epochs_are_counted_from_the_smallest_loss_and_a_tie_is_stale() -> None:
    assert built().stale_epochs == 1
    assert built((3.0, 2.0, 1.0)).stale_epochs == 0
    builder = SeriesBuilder(0, SIGNS[0])
    for stale in (0, 1):
        builder.add(Scores(1.0, 1.0, 0.5), [], SIGNS[1])
        assert builder.stale_epochs == stale


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    runs = [built().finished(), built((2.0, 1.0)).finished()]
    write_series(tmp_path / "runs.npz", runs)
    back = read_series(tmp_path / "runs.npz")
    assert [vars(run).keys() for run in back] == [vars(run).keys() for run in runs]
    for run, original in zip(back, runs, strict=True):
        for name, value in vars(original).items():
            np.testing.assert_array_equal(getattr(run, name), value)
            assert type(getattr(run, name)) is type(value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "runs.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=r"runs\.npz"):
        read_series(path)


def test_a_file_without_a_field_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "runs.npz", seed=np.array(1))
    with pytest.raises(FileError, match=r"runs\.npz"):
        read_series(tmp_path / "runs.npz")
