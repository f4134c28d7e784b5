"""Labels of any kind to 0 … classes − 1, in sorted order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError

__all__ = ["number_labels"]

Labels = NDArray[np.int64]

_MOST_CLASSES = 4096  # more are a measured quantity, not classes


def number_labels(train: NDArray[Any], test: NDArray[Any]) -> tuple[Labels, Labels, tuple[str, ...]]:
    """Whole numbers for labels, and what each of them means.

    Args:
        train: (samples,) labels of the training part: integers, truth values, real numbers or text.
        test: (samples,) labels of the test part.

    Returns:
        (samples,) int64 of either part, 0 … classes − 1 in the order of the values (text that is numbers
        throughout is ordered as numbers), and the names of the classes.

    Raises:
        DataError: labels of another kind, too many different ones, or one that only the test part has.

    >>> number_labels(np.array(["10", "9", "10"]), np.array(["9"]))
    (array([1, 0, 1]), array([0]), ('9', '10'))
    """
    for labels in (train, test):
        if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
            raise DataError(
                f"labels are {labels.dtype} of shape {labels.shape}",
                "expected (samples,) whole numbers or text, one label a sample",
            )
    values = np.unique(train)
    if len(values) > _MOST_CLASSES or (values.dtype.kind == "f" and not np.isfinite(values).all()):
        raise DataError(
            f"{len(values):,} different labels are no classes",
            f"expected at most {_MOST_CLASSES:,} classes; is the label column the right one?",
        )
    if len(strangers := np.setdiff1d(test, values)):
        raise DataError(
            f"no training sample is of the class {strangers[0]}, but a test sample is",
            "bring training samples of every class",
        )
    if values.dtype.kind in "US":
        values = values[_order(values)]
    position = np.argsort(values, kind="stable")
    numbered = [position[np.searchsorted(values, labels, sorter=position)] for labels in (train, test)]
    return numbered[0], numbered[1], tuple(_name(value) for value in values.tolist())


def _order(texts: NDArray[Any]) -> Labels:
    """How to sort texts: as numbers where all of them are some, else as they are."""
    try:
        return np.argsort(texts.astype(np.float64), kind="stable")
    except ValueError:
        return np.arange(len(texts))


def _name(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return format(value, "g") if isinstance(value, float) else str(value)
