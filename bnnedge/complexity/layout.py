"""From a layer's weights to the bit matrix that measures look at.

A dense layer is a matrix already. The kernels of a convolution, (outputs, inputs, height, width), are one in
several ways, and a measure of 4x4 blocks sees what lies side by side: an audit states the layout it used.
"""

from __future__ import annotations

import difflib

from bnnedge.errors import ConfigError
from bnnedge.packed.bits import pack_bits, unpack_bits
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.weights import BitTensor

__all__ = ["DEFAULT_LAYOUT", "LAYOUTS", "lay_out"]

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
