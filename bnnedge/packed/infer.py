"""The golden model: XNOR, popcount and integer comparison define what a network computes.

Every exported artefact is compared with this, bit for bit. Samples are worked through in slices, so that a
slice's pre-activations stay in cache and memory stays bounded however many samples there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel, Prediction

__all__ = ["predict", "trace"]

Int32 = NDArray[np.int32]

SLICE_ENTRIES = 1 << 18  # pre-activations a slice may have, 1 MiB of int32: fits the L2 cache


def predict(model: PackedModel, inputs: NDArray[np.uint8]) -> Prediction:
    """Integer scores, logits and labels of some samples.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers 0 … ``model.encoding.maximum``; more axes are flattened.

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    return _prediction(model, _concatenate([last for *_, last in _slices(model, inputs)], model.classes))


def trace(model: PackedModel, inputs: NDArray[np.uint8]) -> tuple[list[Int32], Prediction]:
    """The pre-activations of every layer in model order, (samples, outputs) int32 each, and the prediction.

    Raises:
        DataError: the inputs do not fit the model's encoding.
    """
    slices = list(_slices(model, inputs))
    preactivations = [
        _concatenate([part[position] for part in slices], layer.outputs)
        for position, layer in enumerate(model.layers)
    ]
    return preactivations, _prediction(model, preactivations[-1])


def check_inputs(encoding: InputEncoding, inputs: NDArray[np.generic]) -> NDArray[np.uint8]:
    """(samples, features) uint8 of inputs that fit the encoding.

    Raises:
        DataError: not whole numbers, the wrong number of features, or values out of range.
    """
    if inputs.ndim < 2 or int(np.prod(inputs.shape[1:])) != encoding.features:
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


def _prediction(model: PackedModel, scores: Int32) -> Prediction:
    logits = model.head(scores)
    return Prediction(scores, logits, logits.argmax(axis=1))


def _concatenate(parts: list[Int32], width: int) -> Int32:
    return np.concatenate(parts) if parts else np.zeros((0, width), dtype=np.int32)


def _slices(model: PackedModel, inputs: NDArray[np.uint8]) -> Iterator[list[Int32]]:
    """Every layer's pre-activations, one slice of the samples after another."""
    inputs = check_inputs(model.encoding, inputs)
    step = max(1, SLICE_ENTRIES // max(layer.outputs for layer in model.layers))
    for start in range(0, len(inputs), step):
        yield _forward(model, inputs[start : start + step])


def _forward(model: PackedModel, inputs: NDArray[np.uint8]) -> list[Int32]:
    if model.encoding.kind == "bipolar":
        preactivation = _xnor_popcount(pack_bits(inputs >= model.encoding.threshold), model.layers[0].weights)
    else:
        preactivation = _bit_planes(inputs, model.encoding.maximum, model.layers[0].weights)
    preactivations = [preactivation]
    for before, layer in pairwise(model.layers):
        preactivations.append(_xnor_popcount(_activations(before, preactivations[-1]), layer.weights))
    return preactivations


def _activations(layer: PackedLayer, preactivation: Int32) -> Words:
    if layer.thresholds is None:
        raise DataError(f"layer {layer.name} has no thresholds")
    return pack_bits(layer.thresholds(preactivation))


def _xnor_popcount(activations: Words, weights: PackedMatrix) -> Int32:
    """Σ w x over ±1: inputs minus twice the positions that differ (padding, 0 on both sides, never does)."""
    differing = np.zeros((len(activations), weights.rows), dtype=np.int32)
    for word in range(weights.words.shape[1]):
        differing += np.bitwise_count(activations[:, word, None] ^ weights.words[None, :, word])
    return np.int32(weights.columns) - 2 * differing


def _bit_planes(inputs: NDArray[np.uint8], maximum: int, weights: PackedMatrix) -> Int32:
    """Σ w x over whole numbers: twice the sum where w is +1, less the sum of all, one bit plane at a time."""
    positive = np.zeros((len(inputs), weights.rows), dtype=np.int32)
    for plane in range(int(maximum).bit_length()):
        bits = pack_bits((inputs >> np.uint8(plane)) & np.uint8(1))
        for word in range(weights.words.shape[1]):
            positive += np.bitwise_count(bits[:, word, None] & weights.words[None, :, word]).astype(
                np.int32
            ) << np.int32(plane)
    everything: Int32 = inputs.sum(axis=1, dtype=np.int32)
    return 2 * positive - everything[:, None]
