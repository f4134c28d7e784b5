"""Users' own NumPy archives: ``X`` and ``y``, or Keras' ``x_train``, ``y_train``, ``x_test``, ``y_test``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bnnedge.archives import open_npz
from bnnedge.data.arrays import Samples, source_set
from bnnedge.data.dataset import SourceSet
from bnnedge.errors import FileError

__all__ = ["read_npz"]

_WANTED = {"x", "y", "x_train", "y_train", "x_test", "y_test"}


def read_npz(path: Path, shape: tuple[int, ...] | None) -> SourceSet:
    """A set in a ``.npz`` of plain arrays; the case of their names does not matter.

    Args:
        path: of the file.
        shape: of a sample; None: as the arrays have it.

    Raises:
        FileError: no such archive, damaged, with Python objects, or without the arrays.
        DataError: arrays that are no set to learn from.
    """
    with open_npz(path) as archive:
        arrays = {name.lower(): archive[name] for name in archive.names if name.lower() in _WANTED}
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        train, test = (Samples(arrays[f"x_{part}"], _flat(arrays[f"y_{part}"])) for part in ("train", "test"))
        return source_set(train, test, shape, str(path))
    if {"x", "y"} <= arrays.keys():
        return source_set(Samples(arrays["x"], _flat(arrays["y"])), None, shape, str(path))
    raise FileError(
        f"{path} has the arrays {', '.join(archive.names) or 'none'}",
        "expected X and y, or x_train, y_train, x_test and y_test",
    )


def _flat(labels: NDArray[Any]) -> NDArray[Any]:
    """Keras has the labels of some sets in a column."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
