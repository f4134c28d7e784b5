"""A network's geometry as the chain of units that FINN's front end makes of our FINN-ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from bnnedge.hardware.buildable import insist_buildable
from bnnedge.hardware.finns import DEFAULT_FINN, Finn
from bnnedge.hardware.matrix_units import MatrixVector, accumulator_bits
from bnnedge.hardware.units import ElementwiseHead, LabelSelect, Padding, Thresholding, Unit
from bnnedge.hardware.window_units import Pool, StreamingPool, Window
from bnnedge.packed.geometry import Geometry, LayerGeometry

__all__ = ["units_of"]

PIXEL_BITS = 8  # inputs are annotated UINT8, whatever their largest value


def units_of(geometry: Geometry, finn: Finn = DEFAULT_FINN) -> tuple[Unit, ...]:
    """The units in the order of the stream, as ``finn`` names and builds them.

    FINN 0.10 pools in one node, and keeps the input's thresholds at 8 bits. FINN 1.0 (its dev branch of April
    2026 was run) and FINN+ make the same units of every network that both build.

    Raises:
        UnsupportedError: a layer that the FINN leaves out of the accelerator.

    >>> from bnnedge.packed.geometry import LayerGeometry
    >>> layers = (LayerGeometry.untrained("fc1", 64, 10),)
    >>> [type(unit).__name__ for unit in units_of(Geometry((64,), 16, 1, 8, False, layers, True))]
    ['Thresholding', 'MatrixVector', 'LabelSelect']
    """
    return tuple(_units(geometry, finn))


def _units(geometry: Geometry, finn: Finn) -> Iterator[Unit]:
    insist_buildable(geometry, finn)
    first = _with_blank(geometry)
    yield from _input(geometry, first, finn)
    bits = 1 if geometry.bits else PIXEL_BITS
    for layer in (first, *geometry.layers[1:]):
        yield from _layer(layer, bits, finn)
        bits = 1
    end = LabelSelect if geometry.head_keeps_order else ElementwiseHead
    yield end("output", geometry.classes, 1)


def _with_blank(geometry: Geometry) -> LayerGeometry:
    """The first layer; one that pads a single channel has a blank second one, of weights +1.

    FINN would take a single channel for a depthwise convolution (see :mod:`bnnedge.exporters.finn`).
    """
    first = geometry.layers[0]
    sliding = first.convolution
    if sliding is None or not sliding.padding or geometry.bits * geometry.channels > 1:
        return first
    return replace(
        first,
        inputs=2 * first.inputs,
        positives=first.positives + first.inputs,
        convolution=replace(sliding, input_shape=(2, *sliding.input_shape[1:])),
    )


def _input(geometry: Geometry, first: LayerGeometry, finn: Finn) -> Iterator[Unit]:
    """Thresholds of the input: several a feature, or before padding, follow a layer of weights 0 and 1."""
    channels, pixels = geometry.channels, geometry.pixels
    sliding = first.convolution
    pads = sliding is not None and sliding.padding > 0
    if not geometry.bits:
        return
    if geometry.bits == 1 and not pads:
        bits = PIXEL_BITS if finn == "0.10" else max(1, geometry.largest_threshold.bit_length())
        yield Thresholding("input", channels, pixels, bits)
        return
    made = geometry.bits * channels if sliding is None else sliding.input_shape[0]
    yield MatrixVector("input", made, channels, pixels, 1, PIXEL_BITS, PIXEL_BITS)


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
        yield StreamingPool(layer.name, pool) if finn == "0.10" else Pool(layer.name, pool)
