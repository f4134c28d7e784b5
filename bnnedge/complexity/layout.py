"""From a layer's weights to the bit matrix that measures look at.

A dense layer is a matrix already. The kernels of a convolution, (outputs, inputs, height, width), are one in
several ways, and a measure of 4x4 blocks sees what lies side by side: an audit states the layout it used.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import ConfigError
from bnnedge.packed.bits import pack_bits, unpack_bits
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.weights import BitTensor, WeightSet

__all__ = ["DEFAULT_LAYOUT", "LAYOUTS", "Reordering", "lay_out", "reordering_of"]

Order = NDArray[np.intp]

LAYOUTS = {
    "flat": "(outputs, inputs x height x width): one row a filter, as matrix-vector units and FINN have it",
    "tall": "(outputs x height, inputs x width): kernels side by side, as pictures",
    "kernels": "(outputs x inputs, height x width): one row a kernel",
}
"""What a convolution becomes in each layout; a dense layer is (outputs, inputs) in all."""

DEFAULT_LAYOUT = "flat"


def lay_out(tensor: BitTensor, layout: str = DEFAULT_LAYOUT) -> PackedMatrix:
    """A layer's bits as a matrix; dense layers, and the flat layout, without a copy.

    Raises:
        ConfigError: an unknown layout.

    >>> signs = PackedMatrix.from_signs([[1, 1, -1, -1] * 2, [-1, -1, 1, 1] * 2])
    >>> conv = BitTensor("conv1", signs, (2, 2, 2, 2))
    >>> [lay_out(conv, layout).shape for layout in LAYOUTS]
    [(2, 8), (4, 4), (4, 4)]
    >>> lay_out(conv, "tall").to_signs()[:2]
    array([[ 1,  1,  1,  1],
           [-1, -1, -1, -1]], dtype=int8)
    """
    if layout not in LAYOUTS:
        near = difflib.get_close_matches(layout, LAYOUTS, n=1)
        suggestion = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"unknown layout {layout!r}", f"{suggestion}expected {', '.join(LAYOUTS)}")
    if layout == "flat" or not tensor.is_convolution:
        return tensor.matrix
    outputs, inputs, height, width = tensor.shape
    kernels = unpack_bits(tensor.matrix.words, tensor.matrix.columns).reshape(tensor.shape)
    if layout == "tall":
        rows = kernels.transpose(0, 2, 1, 3).reshape(outputs * height, inputs * width)
    else:
        rows = kernels.reshape(outputs * inputs, height * width)
    return PackedMatrix(pack_bits(rows), rows.shape[1])


@dataclass(frozen=True)
class Reordering:
    """How rows and columns of a laid-out matrix move when neurons and channels change places.

    A channel is what one neuron or filter of the layer before puts out, or one feature; its weights lie
    together, one for each pixel that the layer sees of it.

    Attributes:
        shape: of the layer, as :class:`~bnnedge.packed.weights.BitTensor` has it.
        layout: of the matrix.
        channels: number of channels that the layer's inputs belong to.
    """

    shape: tuple[int, ...]
    layout: str
    channels: int

    def draw(self, rng: np.random.Generator, *, channels: bool) -> tuple[Order, Order | None]:
        """A random order of rows and one of columns, None for the present one.

        Neurons are permuted; channels only if asked for, as those of samples cannot be.
        """
        neurons = rng.permutation(self.shape[0])
        moved = rng.permutation(self.channels) if channels else np.arange(self.channels)
        match self.layout:
            case "tall" if len(self.shape) == 4:
                rows, columns = _spread(neurons, self.shape[2]), _spread(moved, self.shape[3])
            case "kernels" if len(self.shape) == 4:
                return (neurons[:, None] * self.channels + moved).ravel(), None
            case _:
                rows, columns = neurons, _spread(moved, prod(self.shape[1:]) // self.channels)
        return rows, columns if channels else None


def reordering_of(weights: WeightSet, position: int, layout: str = DEFAULT_LAYOUT) -> Reordering:
    """The reorderings of a layer: of a dense one that follows a convolution, a channel has all its pixels."""
    shape = weights.tensors[position].shape
    channels = shape[1]
    before = weights.tensors[position - 1] if position else None
    if before is not None and before.is_convolution and len(shape) == 2 and not channels % before.shape[0]:
        channels = before.shape[0]
    return Reordering(shape, layout, channels)


def _spread(order: Order, size: int) -> Order:
    """An order of groups of ``size``, as one of their members."""
    return (order[:, None] * size + np.arange(size)).ravel()
