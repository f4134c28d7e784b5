"""What the C file holds of a layer: rows of weight bits in blocks of eight neurons, and integer limits.

A row's bits lie from the least significant bit of its first ``uint64_t`` up. A pixel's channels lie side by
side, so that the pixels which a row of a window covers do as well; weights are put in that order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.exporters.c_names import layer_names
from bnnedge.packed.bits import words_per_row
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["LANES", "LayerTables", "layer_tables"]

LANES = 8  # neurons of a block: their words lie side by side, which compilers turn into vectors
LARGEST_SUM = 2**31 - 1


@dataclass(frozen=True, eq=False)
class LayerTables:
    """One layer as the C file computes it: a pre-activation is ``bases − step · differing``.

    ``differing`` is Σ 2^plane · (positions where the input's plane and the weights differ). Bits are a single
    plane, and each that differs takes 2 from the sum. Of whole numbers there is a plane a bit, and
    Σ w x = (2^planes − 1) · (weights of +1) − differing, since |x & w| = (|x| + |w| − |x ^ w|) / 2.

    Attributes:
        name: in C.
        layer: with every threshold direction +1.
        planes: bit planes of what enters the layer.
        step: 2 for bits, 1 for whole numbers.
        words: ``uint64_t`` in a row of one plane.
        weights: (blocks, words, LANES) uint64; neurons that fill up the last block have none but 0.
        limits: (blocks · LANES,) int64, a neuron is +1 exactly when ``differing`` is below; 0, that is never,
            for those that fill up. None for the last layer.
        bases: (outputs,) int64.
    """

    name: str
    layer: PackedLayer
    planes: int
    step: int
    words: int
    weights: NDArray[np.uint64]
    limits: NDArray[np.int64] | None
    bases: NDArray[np.int64]


def layer_tables(model: PackedModel) -> tuple[LayerTables, ...]:
    """The tables of every layer, in model order.

    Raises:
        UnsupportedError: pre-activations that do not fit in 32 bits.
    """
    layers = model.canonical().layers
    numbers = model.encoding.kind == "integer"
    planes, step = (model.encoding.maximum.bit_length(), 1) if numbers else (1, 2)
    made: list[LayerTables] = []
    for position, (name, layer) in enumerate(zip(layer_names(model), layers, strict=True)):
        if position:
            planes, step = 1, 2
            bits = _pixel_by_pixel(layer, layers[position - 1].output_shape)
        else:
            bits = _first_bits(layer)
        made.append(_tables(name, layer, bits, planes, step))
    return tuple(made)


def _first_bits(layer: PackedLayer) -> NDArray[np.bool_]:
    """Weights in the order of the encoded sample: as they are, but for filters."""
    return layer.weights.to_bits() if layer.convolution is None else _pixel_by_pixel(layer, ())


def _pixel_by_pixel(layer: PackedLayer, source: tuple[int, ...]) -> NDArray[np.bool_]:
    """(outputs, inputs) weights, a pixel's channels side by side; ``source`` is what enters a dense layer."""
    shape = source if layer.convolution is None else layer.weight_shape[1:]
    bits = layer.weights.to_bits().reshape(layer.outputs, shape[0], -1)
    return bits.transpose(0, 2, 1).reshape(layer.outputs, -1)


def _tables(name: str, layer: PackedLayer, bits: NDArray[np.bool_], planes: int, step: int) -> LayerTables:
    most = (2**planes - 1) * layer.inputs
    if step * most > LARGEST_SUM:
        raise UnsupportedError(
            f"layer {layer.name}: sums over {layer.inputs:,} inputs of {planes} bits do not fit in 32 bits",
            "export a network of fewer inputs",
        )
    ones = (2**planes - 1) * bits.sum(axis=1, dtype=np.int64)
    bases = ones if step == 1 else np.full(layer.outputs, layer.inputs, dtype=np.int64)
    limits = None
    if layer.thresholds is not None:
        limits = np.zeros(_whole_blocks(layer.outputs), dtype=np.int64)
        below = (bases - layer.thresholds.values) // step + 1
        limits[: layer.outputs] = np.clip(below, 0, most + 1)
    return LayerTables(name, layer, planes, step, words_per_row(layer.inputs), _blocks(bits), limits, bases)


def _blocks(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(neurons, inputs) as (blocks, words, LANES)."""
    neurons, inputs = bits.shape
    words = words_per_row(inputs)
    rows = np.zeros((_whole_blocks(neurons), 8 * words), dtype=np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    rows[:neurons, : packed.shape[1]] = packed
    blocks = rows.view("<u8").reshape(-1, LANES, words).transpose(0, 2, 1)
    return np.ascontiguousarray(blocks, dtype=np.uint64)


def _whole_blocks(neurons: int) -> int:
    return -(-neurons // LANES) * LANES
