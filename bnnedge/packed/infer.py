"""The golden model: XNOR, popcount and integer comparison define what a network computes.

Every exported artefact is compared with this, bit for bit. Samples are worked through in slices, so that a
slice's pre-activations stay in cache and memory stays bounded however many samples there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel, Prediction
from bnnedge.packed.windows import filter_words, pool_bits, window_words, windows_of

__all__ = ["activations", "check_inputs", "predict", "samples_in", "trace"]

Int32 = NDArray[np.int32]
Bits = NDArray[np.bool_]
Element = TypeVar("Element", bound=np.generic)

SLICE_ENTRIES = 1 << 18  # pre-activations a slice may have, 1 MiB of int32: fits the L2 cache


def predict(model: PackedModel, inputs: NDArray[np.uint8]) -> Prediction:
    """Integer scores, logits and labels of some samples.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers 0 … ``model.encoding.maximum``; more axes are flattened.

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    scores = [sums[-1] for sums in _slices(model, inputs)]
    return _prediction(model, _concatenate(scores, model.layers[-1]))


def trace(model: PackedModel, inputs: NDArray[np.uint8]) -> tuple[list[Int32], Prediction]:
    """The pre-activations of every layer in model order, and the prediction.

    Those of a dense layer are (samples, outputs) int32, those of a convolution, before pooling, (samples,
    outputs, height, width): for many samples of a large network, go on in slices (see :func:`samples_in`).

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    slices = [[_channels_first(sums) for sums in part] for part in _slices(model, inputs)]
    preactivations = [
        _concatenate([part[position] for part in slices], layer)
        for position, layer in enumerate(model.layers)
    ]
    return preactivations, _prediction(model, preactivations[-1])


def samples_in(model: PackedModel, entries: int) -> int:
    """How many samples have at most ``entries`` pre-activations in the widest layer; at least 1."""
    return max(1, entries // max(prod(layer.sum_shape) for layer in model.layers))


def check_inputs(encoding: InputEncoding, inputs: NDArray[np.generic]) -> NDArray[np.uint8]:
    """(samples, features) uint8 of inputs that fit the encoding.

    Raises:
        DataError: not whole numbers, the wrong number of features, or values out of range.
    """
    if inputs.ndim < 2 or prod(inputs.shape[1:]) != encoding.features:
        raise DataError(
            f"inputs of shape {inputs.shape} do not fit a model of {encoding.features} features",
            f"expected (samples, {encoding.features})",
        )
    if not np.issubdtype(inputs.dtype, np.integer):
        raise DataError(
            f"inputs must be whole numbers, not {inputs.dtype}", f"expected 0 … {encoding.maximum}, as stored"
        )
    if inputs.size and (int(inputs.min()) < 0 or int(inputs.max()) > encoding.maximum):
        raise DataError(
            f"inputs run from {inputs.min()} to {inputs.max()}, "
            f"but the model was trained on 0 … {encoding.maximum}"
        )
    return inputs.reshape(len(inputs), encoding.features).astype(np.uint8, copy=False)


def activations(layer: PackedLayer, sums: Int32) -> Bits:
    """What a layer with thresholds makes of its pre-activations: True is +1; pooled, where it pools.

    Args:
        layer: a layer with thresholds.
        sums: (samples, outputs), or (samples, height, width, outputs) of a convolution.

    Raises:
        DataError: the layer has no thresholds.
    """
    if layer.thresholds is None:
        raise DataError(f"layer {layer.name} has no thresholds")
    fired = layer.thresholds(sums)
    return fired if layer.convolution is None else pool_bits(fired, layer.convolution)


def _prediction(model: PackedModel, scores: Int32) -> Prediction:
    logits = model.head(scores)
    return Prediction(scores, logits, logits.argmax(axis=1))


def _concatenate(parts: list[Int32], layer: PackedLayer) -> Int32:
    return np.concatenate(parts) if parts else np.zeros((0, *layer.sum_shape), dtype=np.int32)


def _slices(model: PackedModel, inputs: NDArray[np.uint8]) -> Iterator[list[Int32]]:
    """Every layer's pre-activations, channels last, one slice of the samples after another."""
    inputs = check_inputs(model.encoding, inputs)
    filters = [filter_words(layer) for layer in model.layers]
    step = samples_in(model, SLICE_ENTRIES)
    for start in range(0, len(inputs), step):
        yield _forward(model, filters, inputs[start : start + step])


def _forward(model: PackedModel, filters: list[Words], inputs: NDArray[np.uint8]) -> list[Int32]:
    first = model.layers[0]
    if model.encoding.kind == "integer":
        sums = [_sums_of_numbers(model.encoding, first, inputs)]
    else:
        bits = _channels_last(model.encoding.encode(inputs))
        sums = [_sums(first, filters[0], bits)]
    for position, layer in enumerate(model.layers[1:], start=1):
        sums.append(_sums(layer, filters[position], activations(model.layers[position - 1], sums[-1])))
    return sums


def _sums(layer: PackedLayer, filters: Words, bits: Bits) -> Int32:
    """A layer's pre-activations, channels last, of (samples, channels) or channels-last bits."""
    if layer.convolution is None:
        flat = _channels_first(bits).reshape(len(bits), -1)
        return _xnor_popcount(pack_bits(flat), filters, layer.inputs)
    sums = _xnor_popcount(window_words(bits, layer.convolution), filters, layer.inputs)
    return sums.reshape(len(bits), *layer.convolution.positions, layer.outputs)


def _sums_of_numbers(encoding: InputEncoding, layer: PackedLayer, inputs: NDArray[np.uint8]) -> Int32:
    """The first layer's pre-activations of whole numbers, channels last."""
    if layer.convolution is None:
        return _bit_planes(inputs, encoding.maximum, layer.weights.words)
    pixels = _channels_last(inputs.reshape(len(inputs), *encoding.shape))
    windows = windows_of(pixels, layer.convolution)
    filters = layer.weights.to_bits().reshape(layer.weight_shape).transpose(0, 2, 3, 1)
    words = pack_bits(filters.reshape(layer.outputs, -1))
    sums = _bit_planes(windows.astype(np.uint8, copy=False), encoding.maximum, words)
    return sums.reshape(len(inputs), *layer.convolution.positions, layer.outputs)


def _xnor_popcount(rows: Words, filters: Words, inputs: int) -> Int32:
    """Σ w x over ±1: inputs minus twice the positions that differ (padding, 0 on both sides, never does)."""
    differing = np.zeros((len(rows), len(filters)), dtype=np.int32)
    for word in range(filters.shape[1]):
        differing += np.bitwise_count(rows[:, word, None] ^ filters[None, :, word])
    return np.int32(inputs) - 2 * differing


def _bit_planes(inputs: NDArray[np.uint8], maximum: int, filters: Words) -> Int32:
    """Σ w x over whole numbers: twice the sum where w is +1, less the sum of all, one bit plane at a time."""
    positive = np.zeros((len(inputs), len(filters)), dtype=np.int32)
    for plane in range(int(maximum).bit_length()):
        bits = pack_bits((inputs >> np.uint8(plane)) & np.uint8(1))
        for word in range(filters.shape[1]):
            ones = np.bitwise_count(bits[:, word, None] & filters[None, :, word])
            positive += ones.astype(np.int32) << np.int32(plane)
    everything: Int32 = inputs.sum(axis=1, dtype=np.int32)
    return 2 * positive - everything[:, None]


def _channels_last(values: NDArray[Element]) -> NDArray[Element]:
    return np.moveaxis(values, 1, -1)


def _channels_first(values: NDArray[Element]) -> NDArray[Element]:
    return np.moveaxis(values, -1, 1)
