"""Filters over bits: an image in words, every window of it as one row, and pooling by OR.

Images are (samples, height, width, channels) here, channels last, so that the channels of a pixel share
words; a window is then the words of its pixels side by side, and a convolution is the XNOR and popcount of a
dense layer over windows. Bits that pad a pixel's words are 0 in windows and filters alike and never count.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.layer import Convolution, PackedLayer

__all__ = ["filter_words", "pool_bits", "window_words", "windows_of"]

Element = TypeVar("Element", bound=np.generic)


def filter_words(layer: PackedLayer) -> Words:
    """(outputs, words) of filters, in the order of :func:`window_words`; of a dense layer its words."""
    if layer.convolution is None:
        return layer.weights.words
    filters = layer.weights.to_bits().reshape(layer.weight_shape)
    return pack_bits(filters.transpose(0, 2, 3, 1)).reshape(layer.outputs, -1)


def window_words(bits: NDArray[np.bool_], convolution: Convolution) -> Words:
    """Every window of (samples, height, width, channels) bits: (samples · positions, words)."""
    return windows_of(pack_bits(bits), convolution)


def windows_of(pixels: NDArray[Element], convolution: Convolution) -> NDArray[Element]:
    """Every window of (samples, height, width, values): (samples · positions, kernel² · values).

    What is padded with is 0: for words, pixels of −1.
    """
    margin = (convolution.padding,) * 2
    padded = np.pad(pixels, ((0, 0), margin, margin, (0, 0))) if convolution.padding else pixels
    side, stride = convolution.kernel, convolution.stride
    windows = sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    in_rows = windows.transpose(0, 1, 2, 4, 5, 3)  # samples, down, across, kernel row, kernel column, values
    return in_rows.reshape(-1, side * side * pixels.shape[3])


def pool_bits(bits: NDArray[np.bool_], convolution: Convolution) -> NDArray[np.bool_]:
    """Max-pooling of (samples, height, width, channels) bits, which is OR."""
    size = convolution.pool
    if size == 1:
        return bits
    height, width = convolution.pooled
    if bits.shape[1:3] != convolution.positions:
        raise DataError(f"bits of shape {bits.shape} are no outputs of {convolution}")
    whole = bits[:, : height * size, : width * size]
    windows = whole.reshape(len(bits), height, size, width, size, -1)
    return np.asarray(windows.any(axis=(2, 4)), dtype=bool)
