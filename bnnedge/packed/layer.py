"""One layer of bits: dense, or filters that slide over an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from bnnedge.errors import DataError
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Convolution", "PackedLayer"]


@dataclass(frozen=True)
class Convolution:
    """How the filters of a layer slide over an image, and what pools their outputs.

    A filter looks at ``kernel`` x ``kernel`` pixels of every channel at a time. Around the image lie
    ``padding`` pixels of −1 on every side. After the thresholds, max-pooling takes the largest of ``pool`` x
    ``pool`` outputs, side by side: of bits, their OR; rows and columns that fill no window are left out.

    Attributes:
        input_shape: (channels, height, width) that reach the layer.
        kernel: side of a filter, in pixels.
        stride: pixels from one place of a filter to the next.
        padding: pixels of −1 on every side.
        pool: side of a pooling window, in outputs; 1: no pooling.

    Raises:
        DataError: no filter or no pooling window fits.

    >>> Convolution((64, 30, 30), kernel=3, pool=2).positions
    (28, 28)
    """

    input_shape: tuple[int, int, int]
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def __post_init__(self) -> None:
        if min(*self.input_shape, self.kernel, self.stride, self.pool) < 1 or self.padding < 0:
            raise DataError(f"a convolution of {self} cannot be", "sizes are at least 1, padding at least 0")
        if self.padding >= self.kernel:
            raise DataError(
                f"a padding of {self.padding} around kernels of {self.kernel} lets filters see padding alone",
                f"expected at most {self.kernel - 1}",
            )
        if min(self.positions) < self.pool:
            height, width = self.input_shape[1:]
            raise DataError(
                f"an image of {height} x {width} is too small for kernels of {self.kernel} "
                f"and pooling of {self.pool}",
                "fewer or smaller layers, less pooling, or padding",
            )

    @property
    def positions(self) -> tuple[int, int]:
        """(height, width) of a filter's outputs before pooling."""
        height, width = (
            (side + 2 * self.padding - self.kernel) // self.stride + 1 for side in self.input_shape[1:]
        )
        return height, width

    @property
    def pooled(self) -> tuple[int, int]:
        """(height, width) of a filter's outputs after pooling."""
        height, width = (side // self.pool for side in self.positions)
        return height, width

    @property
    def fan_in(self) -> int:
        """Inputs of one output."""
        return self.input_shape[0] * self.kernel**2


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """``a = W x``, then, unless it is the last layer, a comparison: dense, or at every place of an image.

    Attributes:
        name: unique in the model; letters, digits, ``_``, ``-`` and ``.``.
        weights: (outputs, inputs), as trained; the inputs of a filter are (channel, row, column) in C order.
        thresholds: what makes activations of the pre-activations; None for the last layer.
        convolution: how filters slide; None for a dense layer, which takes whatever reaches it flattened in C
            order.

    Raises:
        DataError: parts that do not fit one another.
    """

    name: str
    weights: PackedMatrix
    thresholds: Thresholds | None = None
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        if not self.name or not all(c.isascii() and (c.isalnum() or c in "_-.") for c in self.name):
            raise DataError(f"bad layer name {self.name!r}", "use letters, digits, '_', '-' and '.'")
        if not self.weights.rows or not self.weights.columns:
            raise DataError(f"layer {self.name} has an empty weight matrix {self.weights.shape}")
        if self.thresholds is not None and self.thresholds.values.size != self.outputs:
            raise DataError(
                f"layer {self.name}: {self.thresholds.values.size} thresholds for {self.outputs} neurons"
            )
        if self.convolution is not None and self.convolution.fan_in != self.inputs:
            raise DataError(
                f"layer {self.name}: filters of {self.inputs} weights do not fit "
                f"{self.convolution.fan_in} inputs",
                "a filter has a weight for each pixel of its kernel in each channel",
            )

    @property
    def inputs(self) -> int:
        """Number of inputs of one neuron or filter."""
        return self.weights.columns

    @property
    def outputs(self) -> int:
        """Number of neurons or filters."""
        return self.weights.rows

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width), or (features,) of a dense layer."""
        return (self.inputs,) if self.convolution is None else self.convolution.input_shape

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(outputs, inputs), or (outputs, channels, kernel, kernel)."""
        if self.convolution is None:
            return self.weights.shape
        side = self.convolution.kernel
        return (self.outputs, self.convolution.input_shape[0], side, side)

    @property
    def sum_shape(self) -> tuple[int, ...]:
        """Shape of a sample's pre-activations: (outputs,) or (outputs, height, width)."""
        return (self.outputs, *(self.convolution.positions if self.convolution else ()))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of what a sample leaves the layer with: after pooling."""
        return (self.outputs, *(self.convolution.pooled if self.convolution else ()))

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether values of this shape can enter the layer."""
        return self.input_shape == shape or (self.convolution is None and self.inputs == prod(shape))

    def canonical(self) -> PackedLayer:
        """The same function with every threshold direction +1."""
        if self.thresholds is None or (self.thresholds.directions > 0).all():
            return self
        negative = self.thresholds.directions < 0
        upright = Thresholds(self.thresholds.values, np.ones_like(self.thresholds.directions))
        return replace(self, weights=self.weights.complement_rows(negative), thresholds=upright)
