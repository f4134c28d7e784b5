"""What happens to a sample of whole numbers before the first layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnedge.errors import DataError
from bnnedge.packed.fold import Lattice

__all__ = ["InputEncoding"]


@dataclass(frozen=True, eq=False)
class InputEncoding:
    """How a sample of whole numbers 0 … maximum becomes what the first layer sees.

    With thresholds, each channel is compared with several of them, and the first layer sees one bit a
    comparison: ``bipolar`` is one threshold (as BNN-PYNQ has it: 128 of 255 is the sign of 2x/255 − 1), a
    ``thermometer`` is more. Without, ``integer``, the numbers go as they are into 1-bit weights.

    Attributes:
        shape: (channels, height, width) of an image, (features,) of anything else: features are channels.
        maximum: largest value of a feature, at most 255.
        thresholds: (bits, channels) or, the same for all channels, (bits, 1) int16, 0 … maximum: bit ``b`` of
            a feature of channel ``c`` is +1 exactly when it is >= ``thresholds[b, c]``. None for ``integer``.

    Raises:
        DataError: parts that do not fit one another.

    >>> encoding = InputEncoding.bipolar((1, 8, 8), maximum=16, threshold=8)
    >>> encoding.kind, encoding.features, encoding.encoded_shape
    ('bipolar', 64, (1, 8, 8))
    """

    shape: tuple[int, ...]
    maximum: int
    thresholds: NDArray[np.int16] | None

    def __post_init__(self) -> None:
        if len(self.shape) not in (1, 3) or min(self.shape) < 1 or not 1 <= self.maximum <= 255:
            raise DataError(
                f"an input of shape {self.shape} with values up to {self.maximum} cannot be",
                "expected (features,) or (channels, height, width), with values up to at most 255",
            )
        limits = self.thresholds
        if limits is None:
            return
        if limits.dtype != np.int16 or limits.ndim != 2 or limits.shape[1] not in (1, self.shape[0]):
            raise DataError(
                f"input thresholds are {limits.dtype} of shape {limits.shape}",
                f"expected int16 of shape (bits, 1) or (bits, {self.shape[0]})",
            )
        if not limits.size or not 0 <= int(limits.min()) <= int(limits.max()) <= self.maximum:
            raise DataError(
                f"input thresholds {_listed(limits)} do not fit inputs up to {self.maximum}",
                f"expected at least one, each from 0 to {self.maximum}",
            )

    @classmethod
    def bipolar(cls, shape: tuple[int, ...], maximum: int, threshold: int) -> InputEncoding:
        """One bit a feature: +1 where it is at least the threshold."""
        return cls(shape, maximum, np.array([[threshold]], dtype=np.int16))

    @classmethod
    def thermometer(cls, shape: tuple[int, ...], maximum: int, thresholds: ArrayLike) -> InputEncoding:
        """Several bits a feature, of thresholds (bits, channels) or (bits, 1)."""
        return cls(shape, maximum, np.asarray(thresholds, dtype=np.int16))

    @classmethod
    def integer(cls, shape: tuple[int, ...], maximum: int) -> InputEncoding:
        """The numbers as they are."""
        return cls(shape, maximum, None)

    @property
    def kind(self) -> Literal["bipolar", "thermometer", "integer"]:
        """What the field calls it."""
        if self.thresholds is None:
            return "integer"
        return "bipolar" if self.bits == 1 else "thermometer"

    @property
    def bits(self) -> int:
        """Values that the first layer sees of one feature."""
        return 1 if self.thresholds is None else len(self.thresholds)

    @property
    def features(self) -> int:
        """Number of features of a sample."""
        return prod(self.shape)

    @property
    def encoded_shape(self) -> tuple[int, ...]:
        """Shape of what the first layer sees: bit ``b`` of channel ``c`` is channel ``b · channels + c``."""
        return (self.bits * self.shape[0], *self.shape[1:])

    def lattice(self, fan_in: int) -> Lattice:
        """The values of a first layer's sums over ``fan_in`` encoded inputs."""
        if self.thresholds is None:
            return Lattice(fan_in * self.maximum, 1)
        return Lattice(fan_in, 2)

    def encode(self, samples: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The bits of (samples, features) whole numbers, (samples, encoded_shape …).

        Raises:
            DataError: an ``integer`` encoding has no bits.
        """
        if self.thresholds is None:
            raise DataError("integer inputs are not encoded in bits")
        values = samples.reshape(len(samples), 1, *self.shape)
        limits = self.thresholds.reshape(1, *self.thresholds.shape, *(1,) * (len(self.shape) - 1))
        fires: NDArray[np.bool_] = values >= limits
        return fires.reshape(len(samples), *self.encoded_shape)

    def describe(self) -> str:
        """The encoding in a sentence, for model cards."""
        sample = f"A sample is {' x '.join(map(str, self.shape))} whole numbers 0 … {self.maximum}"
        if self.thresholds is None:
            return f"{sample}; the first layer takes them as they are."
        shared = self.thresholds.shape[1] == 1
        where = f"at least {_listed(self.thresholds)}" if shared else "at least a threshold of its channel"
        if self.bits == 1:
            return f"{sample}; each becomes +1 if it is {where}, else −1."
        return f"{sample}; each becomes {self.bits} bits, +1 where it is {where}, else −1."

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InputEncoding):
            return NotImplemented
        if (self.shape, self.maximum) != (other.shape, other.maximum):
            return False
        if self.thresholds is None or other.thresholds is None:
            return self.thresholds is other.thresholds
        return np.array_equal(self.thresholds, other.thresholds)

    __hash__ = None  # type: ignore[assignment]


def _listed(thresholds: NDArray[np.int16]) -> str:
    values = [str(value) for value in thresholds[:, 0].tolist()] if thresholds.size else ["none"]
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"
