"""How far the sums of a layer can go: bounds that hold for every input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.rows import WeightRows, ones_under
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import PackedLayer

__all__ = ["reach_of_inputs", "reach_of_signals"]

Int64 = NDArray[np.int64]


def reach_of_signals(rows: WeightRows, constants: Int64) -> tuple[Int64, Int64]:
    """(outputs,) least and greatest sums over signals of ±1, each taken to be free.

    Args:
        rows: weights over the signals.
        constants: (outputs,) what constant inputs add.
    """
    radius = np.bitwise_count(rows.mask).sum(dtype=np.int64) + np.abs(rows.sums).sum(axis=1)
    return constants - radius, constants + radius


def reach_of_inputs(layer: PackedLayer, encoding: InputEncoding) -> tuple[Int64, Int64]:
    """(outputs,) least and greatest sums of a first layer over whole numbers, or over a thermometer's bits.

    The bits of one feature are not free: as it grows, they turn +1 in the order of their thresholds. So a sum
    is bounded feature by feature, over the bits that each value gives; without padding, the bounds are met.
    """
    if encoding.thresholds is None:
        positive = ones_under(layer.weights, np.full(layer.weights.words.shape[1], ~np.uint64(0)))
        return encoding.maximum * (positive - layer.inputs), encoding.maximum * positive
    channels = encoding.shape[0]
    limits = np.broadcast_to(encoding.thresholds, (encoding.bits, channels))
    signs = layer.weights.to_signs().reshape(layer.outputs, encoding.bits, channels, -1)
    low, high = np.zeros((2, layer.outputs), dtype=np.int64)
    for channel in range(channels):
        values = np.union1d(0, limits[:, channel])
        bits = np.where(values[:, None] >= limits[:, channel], 1, -1)
        if layer.convolution is not None and layer.convolution.padding:
            bits = np.concatenate([bits, np.full((1, encoding.bits), -1)])
        sums = np.tensordot(bits, signs[:, :, channel].astype(np.int64), axes=(1, 1))
        low += sums.min(axis=0).sum(axis=1)
        high += sums.max(axis=0).sum(axis=1)
    return low, high
