"""A network's geometry as the chain of units that FINN's front end makes of our FINN-ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Literal

from bnnedge.hardware.matrix_units import MatrixVector, VectorVector, accumulator_bits
from bnnedge.hardware.units import ElementwiseHead, LabelSelect, Padding, Thresholding, Unit
from bnnedge.hardware.window_units import Pool, StreamingPool, Window
from bnnedge.packed.geometry import Geometry, LayerGeometry

__all__ = ["Finn", "units_of"]

Finn = Literal["0.10", "1.0", "plus"]
"""Which FINN; they differ in how max-pooling is built."""

PIXEL_BITS = 8  # inputs are annotated UINT8, whatever their largest value


def units_of(geometry: Geometry, finn: Finn = "plus") -> tuple[Unit, ...]:
    """The units in the order of the stream.

    >>> from bnnedge.packed.geometry import LayerGeometry
    >>> layers = (LayerGeometry.untrained("fc1", 64, 10),)
    >>> [type(unit).__name__ for unit in units_of(Geometry((64,), 16, 1, 8, False, layers, True))]
    ['Thresholding', 'MatrixVector', 'LabelSelect']
    """
    return tuple(_units(geometry, finn))


def _units(geometry: Geometry, finn: Finn) -> Iterator[Unit]:
    yield from _input(geometry)
    bits = 1 if geometry.bits else PIXEL_BITS
    for layer in geometry.layers:
        yield from _layer(layer, bits, finn)
        bits = 1
    end = LabelSelect if geometry.head_keeps_order else ElementwiseHead
    yield end("output", geometry.classes, 1)


def _input(geometry: Geometry) -> Iterator[Unit]:
    """Thresholds of the input: several a feature, or before padding, follow a layer of weights 0 and 1."""
    channels, pixels = geometry.channels, geometry.pixels
    first = geometry.layers[0].convolution
    pads = first is not None and first.padding > 0
    if not geometry.bits:
        return
    if geometry.bits == 1 and not pads:
        yield Thresholding("input", channels, pixels, max(1, geometry.largest_threshold.bit_length()))
    elif geometry.bits == channels == 1:
        yield VectorVector("input", pixels, PIXEL_BITS)
    else:
        yield MatrixVector("input", geometry.bits * channels, channels, pixels, 1, PIXEL_BITS, PIXEL_BITS)


def _layer(layer: LayerGeometry, input_bits: int, finn: Finn) -> Iterator[Unit]:
    largest = 2**input_bits - 1
    sum_bits = accumulator_bits(-layer.negatives * largest, layer.positives * largest)
    weight_bits = 1 if input_bits == 1 else 2
    sliding = layer.convolution
    places = (1,) if sliding is None else sliding.positions
    if sliding is not None and sliding.padding:
        channels, *sides = sliding.input_shape
        yield Padding(layer.name, channels, prod(side + 2 * sliding.padding for side in sides))
    if sliding is not None and (sliding.kernel, sliding.stride) != (1, 1):
        yield Window.of(layer.name, sliding, input_bits)
    yield MatrixVector(
        layer.name, layer.outputs, layer.inputs, prod(places), weight_bits, input_bits, sum_bits
    )
    if sliding is not None and sliding.pool > 1:
        pool = Window(
            layer.name, layer.outputs, sliding.positions, sliding.pooled, sliding.pool, sliding.pool, 1
        )
        yield Pool(layer.name, pool) if finn == "plus" else StreamingPool(layer.name, pool)
