"""What every data set becomes: whole numbers, labels, and three splits that do not overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.scaling import Scaling
from bnnedge.errors import DataError

__all__ = ["Dataset", "SourceSet", "Split"]


@dataclass(frozen=True, eq=False)
class Split:
    """Some samples and what they are.

    Attributes:
        inputs: (samples, features) uint8, as the network takes them: not centred.
        labels: (samples,) int64.

    Raises:
        DataError: arrays of the wrong shape or type.

    >>> Split(np.zeros((2, 64), dtype=np.uint8), np.array([3, 1])).inputs.shape
    (2, 64)
    """

    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        inputs, labels = self.inputs, self.labels
        if inputs.ndim != 2 or inputs.dtype != np.uint8:
            raise DataError(
                f"inputs are {inputs.dtype} of shape {inputs.shape}", "expected uint8 of (samples, features)"
            )
        if labels.ndim != 1 or labels.dtype != np.int64:
            raise DataError(
                f"labels are {labels.dtype} of shape {labels.shape}", "expected int64 of (samples,)"
            )
        if len(inputs) != len(labels):
            raise DataError(f"{len(inputs)} inputs but {len(labels)} labels", "expected one label a sample")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, ready for training.

    Attributes:
        name: one of :data:`bnnedge.data.registry.NAMES`.
        shape: (channels, height, width) of an image, channels R, G, B; (features,) of a table's row or of a
            series. A sample's features are this shape, flattened in C order.
        maximum: largest value that an input can have: 1 for bits, 16 for ``digits``, else mostly 255.
        class_names: what label 0, 1, … means.
        train: what is learnt from.
        validation: held out of the official training part, for every decision made in training.
        test: the official test part; looked at once, in the end.
        source: where the bytes came from.
        verified: whether their SHA-256 is the known one of the real set.
        scaling: how measured values became these inputs; None where they were whole numbers already.

    Raises:
        DataError: the parts do not fit one another, or a split is empty.
    """

    name: str
    shape: tuple[int, ...]
    maximum: int
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    source: str
    verified: bool
    scaling: Scaling | None = None

    @property
    def classes(self) -> int:
        """Number of classes; labels are 0 … classes − 1."""
        return len(self.class_names)

    def __post_init__(self) -> None:
        if self.classes < 2 or not 1 <= self.maximum <= 255:
            raise DataError(
                f"{self.name}: a set of {self.classes} classes with values up to {self.maximum} cannot be",
                "expected two classes or more, and values up to at most 255",
            )
        if len(self.shape) not in (1, 3):
            raise DataError(
                f"{self.name}: samples of shape {self.shape}",
                "expected (channels, height, width) or (features,)",
            )
        for split in ("train", "validation", "test"):
            self._check(split, getattr(self, split))

    def _check(self, name: str, split: Split) -> None:
        if not len(split.labels):
            raise DataError(f"{self.name}: the {name} split is empty", "expected at least one sample")
        if not split.inputs.shape[1] == math.prod(self.shape) > 0:
            raise DataError(
                f"{self.name}: {split.inputs.shape[1]} features ({name}) are no sample of "
                f"{' x '.join(map(str, self.shape))}"
            )
        if split.inputs.max() > self.maximum:
            raise DataError(
                f"{self.name}: a value of {split.inputs.max()} ({name}), expected 0 … {self.maximum}"
            )
        if split.labels.min() < 0 or split.labels.max() >= self.classes:
            raise DataError(
                f"{self.name}: labels from {split.labels.min()} to {split.labels.max()} ({name}), "
                f"expected 0 … {self.classes - 1}"
            )


@dataclass(frozen=True, eq=False)
class SourceSet:
    """A set as its source has it, before resizing, scaling and any validation split.

    Attributes:
        train_inputs: (samples, channels, height, width) or (samples, features): uint8, or float64 where a
            scaling has yet to make whole numbers of them.
        train_labels: (samples,) int64, 0 … classes − 1.
        test_inputs: the same for the test part.
        test_labels: the same for the test part.
        class_names: what label 0, 1, … means.
        maximum: largest value that an input can have, after scaling where there is one.
        source: where the bytes came from.
        verified: whether their SHA-256 is the known one of the real set.
    """

    train_inputs: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_inputs: NDArray[Any]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    maximum: int
    source: str
    verified: bool
