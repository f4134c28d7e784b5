"""What a layer computes of the bits that reach it: whole-number weights, and bounds to compare sums with.

A neuron that never changes, and one that says what another says, or the opposite, need not be read by the
next layer: its weights are added to a constant, or to those of the other. So a weight may become 0 or ±2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.hardware.unrolled.trees import Weights
from bnnedge.packed.layer import PackedLayer

__all__ = ["LayerMatrix", "Sources", "matrix_of"]


@dataclass(frozen=True, eq=False)
class Sources:
    """Which neuron, or input bit, to read for each input of a layer.

    Attributes:
        read: (inputs,) its own position, that of an earlier one that says the same, or −1 of a constant.
        inverted: (inputs,) whether to read the complement; of a constant, whether it is −1.
    """

    read: NDArray[np.int64]
    inverted: NDArray[np.bool_]

    @classmethod
    def straight(cls, inputs: int) -> Sources:
        """Every input is read."""
        return cls(np.arange(inputs), np.zeros(inputs, dtype=bool))


@dataclass(frozen=True, eq=False)
class LayerMatrix:
    """Pre-activations are ``scale · weights · x + offsets``, of bits 0 and 1 or of whole numbers.

    Attributes:
        weights: (outputs, inputs) whole numbers, 0 for inputs that need not be read.
        scale: 2 for bits that stand for −1 and +1, 1 for whole numbers.
        offsets: (outputs,).
        maximum: of an input: 1 for bits.
        bounds: (outputs,), a neuron is +1 exactly where ``weights · x`` is at least this; None for the last
            layer.
    """

    weights: Weights
    scale: int
    offsets: NDArray[np.int64]
    maximum: int
    bounds: NDArray[np.int64] | None

    @property
    def planes(self) -> int:
        """Bits of an input."""
        return self.maximum.bit_length()

    @property
    def sum_bits(self) -> int:
        """Bits that tell the values of a sum apart; as many as a score has, in the last layer."""
        if self.bounds is None:
            return int(self.maximum * self.weights.shape[1]).bit_length() + (self.scale == 1)
        least, most = self.ranges()
        return max(1, int((most - least).max()).bit_length())

    def ranges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(outputs,) the least and the most that ``weights · x`` can be."""
        least = self.maximum * np.minimum(self.weights, 0).sum(axis=1, dtype=np.int64)
        most = self.maximum * np.maximum(self.weights, 0).sum(axis=1, dtype=np.int64)
        return least, most

    def constants(self) -> list[bool | None]:
        """Whether each neuron is always or never +1; None: neither."""
        if self.bounds is None:
            return [None] * len(self.weights)
        return [
            True if bound <= low else False if bound > high else None
            for bound, low, high in zip(self.bounds, *self.ranges(), strict=True)
        ]

    def sources(self) -> Sources:
        """What the next layer has to read."""
        read = np.arange(len(self.weights))
        inverted = np.zeros(len(self.weights), dtype=bool)
        bounds = np.zeros(len(self.weights), dtype=np.int64) if self.bounds is None else self.bounds
        seen: dict[tuple[bytes, int], tuple[int, bool]] = {}
        for neuron, (constant, row, bound) in enumerate(
            zip(self.constants(), self.weights, bounds, strict=True)
        ):
            if constant is not None:
                read[neuron], inverted[neuron] = -1, not constant
                continue
            negative = bool(row[np.flatnonzero(row)[:1]].sum() < 0)
            # −sum >= 1 − bound exactly where sum < bound.
            key = ((-row if negative else row).tobytes(), int(1 - bound if negative else bound))
            first, opposite = seen.setdefault(key, (neuron, negative))
            read[neuron], inverted[neuron] = first, negative != opposite
        return Sources(read, inverted)


def matrix_of(layer: PackedLayer, sources: Sources, maximum: int | None) -> LayerMatrix:
    """What a dense layer in canonical form computes.

    Args:
        layer: thresholds, if any, all of direction +1.
        sources: what to read for each of its inputs.
        maximum: of whole numbers that reach it; None where bits do.
    """
    signs = layer.weights.to_signs().astype(np.int16)
    signed = np.where(sources.inverted, -signs, signs)
    read = sources.read >= 0
    weights = np.zeros_like(signs)
    np.add.at(weights.T, sources.read[read], signed.T[read])
    constant = signed[:, ~read].sum(axis=1, dtype=np.int64)
    # ±1 is 2 x − 1 of a bit x.
    scale, offsets = (2, constant - weights.sum(axis=1, dtype=np.int64)) if maximum is None else (1, constant)
    bounds = None
    if layer.thresholds is not None:
        bounds = -((offsets - layer.thresholds.values) // scale)
    return LayerMatrix(weights, scale, offsets, 1 if maximum is None else maximum, bounds)
