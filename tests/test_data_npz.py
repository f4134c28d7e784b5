"""NumPy archives, and what arrays of one shape or another become."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge.data.arrays import Samples, source_set
from bnnedge.data.digits import load_digits
from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError, DataError, FileError

DIGITS = load_digits()
X, Y = DIGITS.train_inputs, DIGITS.train_labels


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return path


def test_keras_mnist(tmp_path: Path) -> None:
    """The layout of Keras' mnist.npz, from the real files: the same samples as under the name mnist."""
    fetch("mnist")
    real = load_dataset("mnist")
    images = np.concatenate([real.train.inputs, real.validation.inputs])[:3000].reshape(-1, 28, 28)
    labels = np.concatenate([real.train.labels, real.validation.labels])[:3000].astype(np.uint8)
    tests = real.test.inputs[:1000].reshape(-1, 28, 28)
    path = save(tmp_path, x_train=images, y_train=labels, x_test=tests, y_test=real.test.labels[:1000])
    data = load_dataset("npz", path=path)
    assert (data.name, data.shape, data.maximum, data.classes) == ("npz", (1, 28, 28), 255, 10)
    assert (data.scaling, data.verified, data.source) == (None, False, str(path))
    np.testing.assert_array_equal(data.test.inputs, real.test.inputs[:1000])
    np.testing.assert_array_equal(data.test.labels, real.test.labels[:1000])


def test_without_a_test_part_a_fixed_fifth(tmp_path: Path) -> None:
    path = save(tmp_path, X=X, y=Y)
    data, other = (load_dataset("npz", path=path, split_seed=seed) for seed in (0, 1))
    assert len(data.test.labels) == round(0.2 * len(Y))
    np.testing.assert_array_equal(data.test.inputs, other.test.inputs)
    assert not np.array_equal(data.train.inputs, other.train.inputs)


@pytest.mark.parametrize(
    ("inputs", "shape", "maximum", "scaled"),
    [
        (X, (1, 8, 8), 16, 0),
        (X[:, 0], (1, 8, 8), 16, 0),
        (X.reshape(-1, 64), (64,), 16, 0),  # unsigned bytes are whole, table or not
        (X.reshape(-1, 64).astype(np.int64), (64,), 255, 64),  # a table of counts: each with its range
        (X.reshape(-1, 64) > 8, (64,), 1, 0),
        ((X.reshape(-1, 64) > 8).astype(np.float32), (64,), 1, 0),
        (X.astype(np.float32), (1, 8, 8), 16, 0),
        (X / 16, (1, 8, 8), 255, 1),
        (X - 8.0, (1, 8, 8), 255, 1),
        (X.astype(np.float16).reshape(-1, 64) / 16, (64,), 255, 64),
        (np.moveaxis(np.repeat(X, 3, axis=1), 1, 3), (3, 8, 8), 16, 0),  # channels last
        (np.repeat(X, 4, axis=1), (4, 8, 8), 16, 0),
        (np.repeat(X, 5, axis=1), (5, 8, 8), 16, 0),
    ],
)
def test_what_is_whole_stays(
    tmp_path: Path, inputs: Any, shape: tuple[int, ...], maximum: int, scaled: int
) -> None:
    data = load_dataset("npz", path=save(tmp_path, X=inputs, y=Y))
    assert (data.shape, data.maximum) == (shape, maximum)
    assert (0 if data.scaling is None else len(data.scaling.low)) == scaled


def test_channels_first_whatever_the_file_has(tmp_path: Path) -> None:
    colours = np.stack([X[:, 0], 16 - X[:, 0], X[:, 0] // 2], axis=1)
    first = load_dataset("npz", path=save(tmp_path, X=colours, y=Y))
    last = load_dataset("npz", path=save(tmp_path, X=np.moveaxis(colours, 1, 3), y=Y))
    assert first.shape == last.shape == (3, 8, 8)
    np.testing.assert_array_equal(first.train.inputs, last.train.inputs)
    np.testing.assert_array_equal(first.test.inputs, last.test.inputs)


def test_names_and_columns(tmp_path: Path) -> None:
    """Any case of the names; Keras' column of labels; labels of text; a shape for flat samples."""
    names = np.array(["no", "yes"])[(Y > 4).astype(int)][:, None]
    data = load_dataset("npz", path=save(tmp_path, x=X.reshape(-1, 64), Y=names), shape=(1, 8, 8))
    assert data.class_names == ("no", "yes")
    assert data.shape == (1, 8, 8)
    with pytest.raises(ConfigError, match=r"data\.shape has no meaning for digits"):
        load_dataset("digits", shape=(64,))


def test_floats_resize_after_scaling(tmp_path: Path) -> None:
    path = save(tmp_path, X=X / 16, y=Y)
    assert load_dataset("npz", path=path, resize=4).shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"X": X}, FileError, "has the arrays X"),
        ({"x_train": X, "y_train": Y, "x_test": X}, FileError, "expected|has the arrays x_train, y_train"),
        ({"X": X, "y": Y[:-1]}, DataError, "1438 inputs but 1437 labels"),
        ({"X": X, "y": np.stack([Y, Y], 1)}, DataError, "labels are int64 of shape"),
        ({"X": X.astype(complex), "y": Y}, DataError, "inputs are complex"),
        ({"X": Y, "y": Y}, DataError, "inputs are int64 of shape"),
        ({"X": X[:0], "y": Y[:0]}, DataError, "inputs are uint8 of shape"),
        ({"X": np.where(X == 3, np.nan, X), "y": Y}, DataError, "an input is not finite"),
        ({"X": np.zeros((1438, 3, 8, 3), np.uint8), "y": Y}, DataError, "channels first or last"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[..., :5], "y_test": Y},
            DataError,
            r"training samples of \(1, 8, 8\), but test samples of \(1, 8, 5\)",
        ),
    ],
)
def test_sets_that_are_none(
    tmp_path: Path, arrays: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_dataset("npz", path=save(tmp_path, **arrays))


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    path = tmp_path / "own.npz"
    np.savez(path, X=np.array([Runs(proof)], object), y=Y, allow_pickle=True)
    for content in (path.read_bytes(), pickle.dumps(Runs(proof))):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"no whole \.npz of plain arrays"):
            load_dataset("npz", path=path)
    assert not proof.exists()


def test_damaged_archives(tmp_path: Path) -> None:
    """Cut anywhere, or with a byte changed anywhere: an error of ours, or the arrays."""
    path = save(tmp_path, X=X[:60], y=Y[:60] % 2)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        for content in (whole[:place], bytes(changed)):
            path.write_bytes(content)
            try:
                load_dataset("npz", path=path)
            except (FileError, DataError):
                refused += 1
    assert refused > 2 * len(whole) // 97 * 0.9


def test_claims_of_size_are_not_believed(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)}
    )
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    with pytest.raises(FileError, match=r"no whole \.npz"):
        load_dataset("npz", path=path)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file"):
        load_dataset("npz", path=tmp_path / "absent.npz")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(FileError, match="holds one array"):
        load_dataset("npz", path=tmp_path / "one.npy")
    with pytest.raises(ConfigError, match="no path was given"):
        load_dataset("npz")


def test_a_set_from_arrays_at_hand() -> None:
    data = source_set(
        Samples(X, Y), Samples(DIGITS.test_inputs, DIGITS.test_labels), None, "memory", verified=True
    )
    np.testing.assert_array_equal(data.train_inputs, X)
    assert (data.source, data.verified) == ("memory", True)
