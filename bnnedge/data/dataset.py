"""What every data set becomes: whole numbers, labels, and three splits that do not overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError

__all__ = ["Dataset", "ImageSet", "Split"]


@dataclass(frozen=True, eq=False)
class Split:
    """Some samples and what they are.

    Attributes:
        inputs: (samples, features) uint8, as stored: not scaled, not centred.
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
        name: ``digits``, ``mnist``, ``fashion-mnist`` or ``idx``.
        image_shape: (height, width) in pixels; a sample's features are its rows, one after another.
        maximum: largest value that an input can have: 16 for ``digits``, 255 for other images.
        classes: number of classes; labels are 0 … classes − 1.
        train: what is learnt from.
        validation: held out of the official training part, for every decision made in training.
        test: the official test part; looked at once, in the end.
        source: where the bytes came from.
        verified: whether their SHA-256 is the known one of the real set.

    Raises:
        DataError: the parts do not fit one another, or a split is empty.
    """

    name: str
    image_shape: tuple[int, int]
    maximum: int
    classes: int
    train: Split
    validation: Split
    test: Split
    source: str
    verified: bool

    def __post_init__(self) -> None:
        if self.classes < 2 or not 1 <= self.maximum <= 255:
            raise DataError(
                f"{self.name}: a set of {self.classes} classes with values up to {self.maximum} cannot be",
                "expected two classes or more, and values up to at most 255",
            )
        for split in ("train", "validation", "test"):
            self._check(split, getattr(self, split))

    def _check(self, name: str, split: Split) -> None:
        height, width = self.image_shape
        if not len(split.labels):
            raise DataError(f"{self.name}: the {name} split is empty", "expected at least one sample")
        if not split.inputs.shape[1] == height * width > 0:
            raise DataError(
                f"{self.name}: {split.inputs.shape[1]} features ({name}) are no image of {height} x {width}"
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
class ImageSet:
    """A set as its source has it, before resizing and before any validation split.

    Attributes:
        train_images: (samples, height, width) uint8.
        train_labels: (samples,) int64.
        test_images: (samples, height, width) uint8.
        test_labels: (samples,) int64.
        maximum: largest value that a pixel can have.
        source: where the bytes came from.
        verified: whether their SHA-256 is the known one of the real set.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    maximum: int
    source: str
    verified: bool
