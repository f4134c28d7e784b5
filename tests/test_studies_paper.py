"""The paper's configurations, on the digits that are embedded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnnedge.errors import FileError
from bnnedge.runs.toml import to_toml
from bnnedge.studies.paper import (
    SETS,
    Row,
    chunks,
    config_of,
    data_of,
    is_trained,
    lesson_of,
    runs_of,
    train_chunk,
)

DIGITS = Row("digits", "digits", hidden=(8, 4), control="permuted labels")


def test_the_preset_is_the_papers_protocol() -> None:
    config = config_of(SETS["mnist"][0])
    assert (config.data.name, config.data.resize) == ("mnist", 10)
    assert round(60_000 * config.data.validation) == 10_000
    assert (config.net.hidden, config.net.head, config.net.input) == ((32, 16), "batchnorm", "integer")
    training = config.training
    assert (training.batch_size, training.learning_rate, training.epochs, training.patience) == (
        128,
        1e-3,
        50,
        5,
    )


@pytest.mark.parametrize("name", ["permuted", "random"])
def test_controls_are_trained_for_a_fixed_number_of_epochs(name: str) -> None:
    (row,) = SETS[name]
    assert (config_of(row).training.epochs, config_of(row).training.patience) == (14, 0)


def test_names_of_rows_are_folders_of_one_configuration_each() -> None:
    rows = {row for rows in SETS.values() for row in rows}
    assert len({row.name for row in rows}) == len(rows)
    assert len({(to_toml(config_of(row)), row.control, row.standardised) for row in rows}) == len(rows)


def test_a_chunk_is_trained_into_a_file_and_read_back(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="digits"):
        runs_of(DIGITS, 4, tmp_path)
    (seeds,) = chunks(4)
    assert not is_trained(DIGITS, seeds, tmp_path)
    train_chunk(DIGITS, seeds, tmp_path)
    assert is_trained(DIGITS, seeds, tmp_path)
    assert not is_trained(Row("digits", "digits", hidden=(8, 8)), seeds, tmp_path)
    runs = runs_of(DIGITS, 4, tmp_path)
    assert [run.seed for run in runs] == [0, 1, 2, 3]
    assert {run.epochs for run in runs} == {14}
    assert len({run.train_loss[0] for run in runs}) == 4


def test_a_run_learns_from_a_stratified_half_of_its_own() -> None:
    row = Row("digits", "digits")
    data = data_of(row)
    one, two = (lesson_of(row, data, seed) for seed in (0, 1))
    assert len(one.samples) == round(len(data.train.labels) / 2)
    assert set(one.samples) != set(two.samples)
    np.testing.assert_array_equal(one.labels, data.train.labels[one.samples])
    counts = np.bincount(data.train.labels) / 2
    assert (np.abs(np.bincount(one.labels) - counts) <= 1).all()


def test_permuted_labels_are_the_same_labels_elsewhere() -> None:
    data = data_of(DIGITS)
    lesson, true = (lesson_of(row, data, 0) for row in (DIGITS, Row("digits", "digits")))
    np.testing.assert_array_equal(lesson.samples, true.samples)
    np.testing.assert_array_equal(np.bincount(lesson.labels), np.bincount(true.labels))
    assert np.mean(lesson.labels == true.labels) < 0.3


def test_random_data_has_the_shape_of_the_set_and_nothing_else() -> None:
    real, noise = data_of(DIGITS), data_of(Row("random-digits", "digits", control="random data"))
    assert noise.train.inputs.shape == real.train.inputs.shape
    assert (noise.maximum, noise.verified, noise.source) == (16, False, "random numbers")
    counts = np.bincount(noise.train.inputs.reshape(-1))
    assert counts.max() / counts.min() < 1.1
    assert np.bincount(noise.train.labels).min() > 0.7 * len(noise.train.labels) / 10
