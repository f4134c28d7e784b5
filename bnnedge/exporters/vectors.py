"""Test vectors of a build folder: the inputs that FINN runs between its steps, and the labels it must get."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.archives import read_npy
from bnnedge.errors import FileError, VerificationError
from bnnedge.exporters.graph import image_shape
from bnnedge.files import write_atomically
from bnnedge.packed.model import PackedModel

__all__ = ["EXPECTED", "INPUT", "SAMPLES", "check_vectors", "write_vectors"]

INPUT = "input.npy"
EXPECTED = "expected_output.npy"
SAMPLES = 10  # FINN simulates each one in C++ and in RTL: minutes, where the graph's own check has them all


def write_vectors(folder: Path, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    """Write the first inputs, samples of the graph's shape in float32, and their labels, (N, 1) int64."""
    chosen = inputs[:SAMPLES]
    _save(folder / INPUT, chosen.reshape(-1, *image_shape(model)).astype(np.float32))
    _save(folder / EXPECTED, model.predict(chosen).labels[:, None])


def check_vectors(folder: Path, model: PackedModel) -> None:
    """Compare the stored labels with the golden model's.

    Raises:
        VerificationError: a label differs.
        FileError: the arrays are damaged, or do not fit the model or one another.
    """
    inputs, expected = _load(folder / INPUT), _load(folder / EXPECTED)
    whole = (inputs >= 0) & (inputs <= model.encoding.maximum) & (inputs == np.floor(inputs))
    sample = image_shape(model)
    if inputs.shape[1:] != sample or not whole.all():
        raise FileError(
            f"{folder / INPUT} holds {inputs.dtype} of shape {inputs.shape}, not samples of this model",
            f"expected (N, {', '.join(map(str, sample))}) whole numbers 0 … {model.encoding.maximum}",
        )
    labels = model.predict(inputs.astype(np.uint8)).labels[:, None]
    if expected.shape != labels.shape:
        raise FileError(f"{folder / EXPECTED} is of shape {expected.shape}, expected {labels.shape}")
    if (wrong := np.flatnonzero(expected != labels)).size:
        first = int(wrong[0])
        raise VerificationError(
            f"{folder / EXPECTED}: label of sample {first} is {expected[first, 0]}, "
            f"but the golden model has {labels[first, 0]}",
            "export the folder again",
        )


def _save(path: Path, array: NDArray[np.generic]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomically(path, buffer.getvalue())


def _load(path: Path) -> NDArray[Any]:
    array = read_npy(path)
    if array.dtype.kind not in "iuf":
        raise FileError(f"{path} holds no numbers", "export the folder again")
    return array
