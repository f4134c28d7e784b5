"""Images made smaller or larger: bilinear, antialiased, and exact to the last bit on every machine.

Output pixel i of n sees input pixel j of m through a triangle as wide as the coarser of the two grids. Over
a common denominator its weight is a whole number, max(0, 2 max(m, n) − |(2j + 1) n − (2i + 1) m|). Sums of
such numbers times pixels stay below 2^53 for sides up to 1024, so float64 holds them exactly, in whatever
order a matrix product adds them up; one division and one rounding follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError

__all__ = ["LARGEST_SIDE", "resize", "triangle_weights"]

LARGEST_SIDE = 1024

_CHUNK_PIXELS = 1 << 20  # of input at a time: 8 MiB of float64


def resize(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Scale images to ``size`` x ``size``, separably, with a triangle filter, rounded half to even.

    What ``torch.nn.functional.interpolate(mode="bilinear", antialias=True, align_corners=False)`` computes,
    which is also Pillow's ``BILINEAR``, but for their own rounding.

    Args:
        images: (samples, channels, height, width) uint8, sides of 1 to 1024 pixels.
        size: side of the result in pixels, 1 to 1024.

    Returns:
        (samples, channels, size, size) uint8; no value lies outside the range of its channel.

    Raises:
        ConfigError: a size out of range.
        DataError: images of another shape or type, or too large.

    >>> resize(np.array([[[[0, 100], [50, 250]]]], dtype=np.uint8), 1)
    array([[[[100]]]], dtype=uint8)
    """
    if not 1 <= size <= LARGEST_SIDE:
        raise ConfigError(f"cannot resize images to {size} pixels", f"expected 1 to {LARGEST_SIDE}")
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(
            f"images are {images.dtype} of shape {images.shape}",
            "expected uint8 of (samples, channels, height, width)",
        )
    samples, channels, height, width = images.shape
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise DataError(
            f"cannot resize images of {height} x {width}", f"expected sides of 1 to {LARGEST_SIDE}"
        )
    down, across = triangle_weights(height, size), triangle_weights(width, size)
    divisor = np.outer(down.sum(axis=1), across.sum(axis=1))
    result = np.empty((samples, channels, size, size), dtype=np.uint8)
    step = max(1, _CHUNK_PIXELS // (max(channels, 1) * max(height, size) * max(width, size)))
    for start in range(0, samples, step):
        chunk = images[start : start + step].astype(np.float64)
        result[start : start + step] = np.rint(down @ (chunk @ across.T) / divisor)
    return result


def triangle_weights(before: int, after: int) -> NDArray[np.float64]:
    """(after, before) weights of input pixels in output pixels: whole numbers, not yet divided by row sums.

    >>> triangle_weights(4, 2)
    array([[6., 6., 2., 0.],
           [0., 2., 6., 6.]])
    """
    centres_after = (2 * np.arange(after) + 1)[:, None] * before
    centres_before = (2 * np.arange(before) + 1)[None, :] * after
    weights = np.maximum(2 * max(before, after) - np.abs(centres_before - centres_after), 0)
    return np.asarray(weights, dtype=np.float64)
