"""Arrays of samples and labels, from whatever file, to a set: what is whole stays, what is measured waits.

Inputs stay as they are where they are whole numbers already: bits, arrays of unsigned bytes, and images of
0 … 255. Everything else is real numbers to be scaled, feature by feature for tables and series, all pixels
alike for images; so are the whole numbers of a table, whose columns (an age, a count, a flag) each have a
range of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import SourceSet
from bnnedge.data.labels import number_labels
from bnnedge.data.scaling import LEVELS
from bnnedge.data.splits import fixed_test_part
from bnnedge.errors import DataError

__all__ = ["Samples", "source_set"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs as read, and their labels, as read too.

    Attributes:
        inputs: (samples, …) real or whole numbers.
        labels: (samples,) of any kind that :func:`bnnedge.data.labels.number_labels` takes.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]


def source_set(
    train: Samples,
    test: Samples | None,
    shape: tuple[int, ...] | None,
    source: str,
    *,
    verified: bool = False,
) -> SourceSet:
    """A set of samples; without a test part, a fixed stratified fifth becomes one.

    Args:
        train: the training part, or all there is.
        test: the test part; None: there is none.
        shape: of a sample, whose features are this shape flattened; None: as the arrays have it. Images of
            two axes get one channel; of images with channels last, the channels come first.
        source: where the samples came from.
        verified: whether they are known to be the real ones.

    Raises:
        DataError: no samples, parts that do not fit, values that are not finite, or shapes that cannot be.
    """
    parts = [_checked(part, shape) for part in (train, test) if part is not None]
    labels = [part.labels for part in (train, test) if part is not None]
    if len(parts) == 2:
        train_labels, test_labels, names = number_labels(labels[0], labels[1])
        train_inputs, test_inputs = parts
    else:
        everything, _, names = number_labels(labels[0], labels[0])
        rest, held = fixed_test_part(everything)
        train_inputs, test_inputs = parts[0][rest], parts[0][held]
        train_labels, test_labels = everything[rest], everything[held]
    if train_inputs.shape[1:] != test_inputs.shape[1:]:
        raise DataError(
            f"training samples of {train_inputs.shape[1:]}, but test samples of {test_inputs.shape[1:]}",
            "the two parts are of different sets",
        )
    train_inputs, test_inputs, maximum = _whole_or_real(train_inputs, test_inputs)
    return SourceSet(train_inputs, train_labels, test_inputs, test_labels, names, maximum, source, verified)


def _checked(samples: Samples, shape: tuple[int, ...] | None) -> NDArray[Any]:
    """(samples, channels, height, width) or (samples, features), finite numbers."""
    inputs = samples.inputs
    if inputs.dtype.kind not in "biuf" or not 2 <= inputs.ndim <= 4 or not inputs.size:
        raise DataError(
            f"inputs are {inputs.dtype} of shape {inputs.shape}",
            "expected numbers of (samples, features), (samples, height, width) or images with channels",
        )
    if len(inputs) != len(samples.labels):
        raise DataError(
            f"{len(inputs)} inputs but {len(samples.labels)} labels", "expected one label a sample"
        )
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise DataError("an input is not finite", "leave out or fill in what is missing or infinite")
    if shape is not None:
        if math.prod(shape) != math.prod(inputs.shape[1:]):
            raise DataError(
                f"a sample of shape {inputs.shape[1:]} is no {' x '.join(map(str, shape))}",
                "data.shape is (channels, height, width) or (features,), and has as many values as a sample",
            )
        return inputs.reshape(len(inputs), *shape)
    if inputs.ndim == 3:
        return inputs[:, None]
    return _channels_first(inputs) if inputs.ndim == 4 else inputs


def _channels_first(images: NDArray[Any]) -> NDArray[Any]:
    first, last = (images.shape[axis] in (1, 3, 4) for axis in (1, 3))
    if first and last:
        raise DataError(
            f"images of shape {images.shape[1:]} may have their channels first or last",
            "expected 1, 3 or 4 channels on one of these axes alone; give images without a channel axis",
        )
    return np.moveaxis(images, 3, 1) if last else images


def _whole_or_real(train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Both parts as uint8, with the largest value of either; or as float64, with that after scaling."""
    low, high = min(train.min(), test.min()), max(train.max(), test.max())
    bytes_or_pixels = train.dtype == test.dtype == np.uint8 or train.ndim == 4
    in_range = low >= 0 and high <= (LEVELS if bytes_or_pixels else 1)
    if in_range and _whole(train) and _whole(test):
        return train.astype(np.uint8, copy=False), test.astype(np.uint8, copy=False), max(1, int(high))
    return train.astype(np.float64), test.astype(np.float64), LEVELS


def _whole(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool((values == np.rint(values)).all())
