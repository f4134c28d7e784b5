"""Batch-norm and sign, folded into one integer comparison per neuron, exactly.

A neuron's pre-activation ``a`` is a whole number on a known lattice: a sum of n products of ±1 takes the
values −n, −n + 2, …, n. Whatever floating-point arithmetic follows it up to the sign is a monotone function
of ``a``, so the set of ``a`` that give +1 is a half-line, and one comparison says the same. The end of that
half-line is found here by bisection on that function itself, as the trained network evaluates it, rounding
and fused operations included. Solving ``γ(a − μ)/σ + β >= 0`` for ``a`` is off by one lattice step where the
solution falls within rounding of a lattice point, which a promise of bit-exactness cannot afford.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError

__all__ = ["Affine", "Lattice", "Thresholds", "fold_sign"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Lattice:
    """The values that a pre-activation can take: −bound, −bound + step, …, bound."""

    bound: int
    step: int

    def __post_init__(self) -> None:
        if self.bound >= 2**24:
            raise DataError(
                f"pre-activations up to {self.bound} are not exact in float32",
                "a layer may sum to less than 2^24 in absolute value",
            )


@dataclass(frozen=True, eq=False)
class Affine:
    """``scale * a + offset`` in float32, one multiplication and one addition, each rounded.

    Attributes:
        scale: (outputs,) or (1,) float32.
        offset: the same shape.
    """

    scale: Float32
    offset: Float32

    def __post_init__(self) -> None:
        for name in ("scale", "offset"):
            values = getattr(self, name)
            if values.dtype != np.float32 or values.ndim != 1 or not np.isfinite(values).all():
                raise DataError(
                    f"{name} must be finite float32 values, one an output; "
                    f"got {values.dtype} of shape {values.shape}",
                    "a network whose training diverged has no thresholds",
                )
        if self.scale.shape != self.offset.shape:
            raise DataError(f"{self.scale.size} scales do not fit {self.offset.size} offsets")

    def __call__(self, preactivations: NDArray[np.int32]) -> Float32:
        """(..., outputs) whole numbers below 2^24 to float32 of the same shape."""
        product = preactivations.astype(np.float32) * self.scale
        logits: Float32 = np.add(product, self.offset, dtype=np.float32)
        return logits


@dataclass(frozen=True, eq=False)
class Thresholds:
    """A neuron is +1 exactly when ``direction * a >= value``, with equality giving +1.

    Attributes:
        values: (outputs,) int32, on the pre-activation's lattice; −bound means always +1, and one step
            above the bound never.
        directions: (outputs,) int8 of +1 and −1; −1 where the batch-norm's scale was negative.
    """

    values: NDArray[np.int32]
    directions: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.values.dtype != np.int32 or self.values.ndim != 1:
            raise DataError(f"thresholds must be int32 of shape (outputs,), not {self.values.dtype}")
        if self.directions.dtype != np.int8 or self.directions.shape != self.values.shape:
            raise DataError(
                f"directions must be int8 of shape {self.values.shape}, "
                f"not {self.directions.dtype} of shape {self.directions.shape}"
            )
        if not (np.abs(self.directions) == 1).all():
            raise DataError("directions must be +1 or −1")

    def __call__(self, preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(samples, outputs) int32 to booleans; True is the activation +1."""
        fires: NDArray[np.bool_] = preactivations * self.directions.astype(np.int32) >= self.values
        return fires


def fold_sign(
    fires: Callable[[NDArray[np.int32]], NDArray[np.bool_]],
    directions: NDArray[np.int8],
    lattice: Lattice,
) -> Thresholds:
    """Thresholds that equal ``fires`` at every point of the lattice.

    Args:
        fires: takes (outputs,) pre-activations, one for each neuron, to (outputs,) booleans; neuron j must
            be monotone: non-decreasing in ``directions[j] * a``. A constant neuron is monotone too.
        directions: (outputs,) of +1 and −1, the sign of the scale that follows the pre-activation.
        lattice: the values that pre-activations can take.
    """
    # Positions 0 … points − 1 stand for direction * a = −bound + step * position; find the first that
    # fires, or `points` where none does. A search that has ended sits at low = high and stays there.
    points = 2 * lattice.bound // lattice.step + 1
    low = np.zeros(directions.size, dtype=np.int64)
    high = np.full(directions.size, points, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        fired = fires((directions * (lattice.step * middle - lattice.bound)).astype(np.int32))
        searching = low < high
        high = np.where(searching & fired, middle, high)
        low = np.where(searching & ~fired, middle + 1, low)
    return Thresholds((lattice.step * low - lattice.bound).astype(np.int32), directions)
