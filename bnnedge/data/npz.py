"""Users' own NumPy archives: ``X`` and ``y``, or Keras' ``x_train``, ``y_train``, ``x_test``, ``y_test``."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.arrays import Samples, source_set
from bnnedge.data.dataset import SourceSet
from bnnedge.errors import FileError

__all__ = ["read_npz"]

_WANTED = {"x", "y", "x_train", "y_train", "x_test", "y_test"}

# What NumPy raises of archives that are damaged, encrypted, too large to be true, or of objects.
_DAMAGE = (
    EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_npz(path: Path, shape: tuple[int, ...] | None) -> SourceSet:
    """A set in a ``.npz`` of plain arrays; the case of their names does not matter.

    Args:
        path: of the file.
        shape: of a sample; None: as the arrays have it.

    Raises:
        FileError: no such archive, damaged, with Python objects, or without the arrays.
        DataError: arrays that are no set to learn from.
    """
    arrays, names = _load(path)
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        train, test = (Samples(arrays[f"x_{part}"], _flat(arrays[f"y_{part}"])) for part in ("train", "test"))
        return source_set(train, test, shape, str(path))
    if {"x", "y"} <= arrays.keys():
        return source_set(Samples(arrays["x"], _flat(arrays["y"])), None, shape, str(path))
    raise FileError(
        f"{path} has the arrays {', '.join(names) or 'none'}",
        "expected X and y, or x_train, y_train, x_test and y_test",
    )


def _load(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """The arrays that a set may consist of, by their names in small letters; and all names there are."""
    try:
        with path.open("rb") as file:  # NumPy leaves a file open that it cannot read
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise FileError(f"{path} holds one array", "expected a .npz with inputs and labels")
            wanted = {name: archive[name] for name in archive.files if name.lower() in _WANTED}
            return {name.lower(): array for name, array in wanted.items()}, archive.files
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except _DAMAGE as error:
        raise FileError(
            f"{path} is no whole .npz of plain arrays: {type(error).__name__}: {error}",
            "the file is damaged, or holds Python objects, which are never loaded; save plain arrays",
        ) from error


def _flat(labels: NDArray[Any]) -> NDArray[Any]:
    """Keras has the labels of some sets in a column."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
