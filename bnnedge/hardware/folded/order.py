"""In which order values travel from layer to layer, and weights therefore lie in memories.

Images travel pixel by pixel, in raster order, all channels of a pixel side by side; of a feature that is
encoded in several bits, all of them side by side. Vectors travel in the order of the model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["sample_order", "weights_in_order"]

Order = NDArray[np.int64]


def sample_order(model: PackedModel) -> Order:
    """(features,) places in the model's samples, in the order in which features enter the hardware."""
    encoding = model.encoding
    numbers = np.arange(encoding.features)
    if model.layers[0].convolution is None:
        return numbers
    return numbers.reshape(encoding.shape).transpose(1, 2, 0).ravel()


def weights_in_order(model: PackedModel) -> Iterator[NDArray[np.bool_]]:
    """For each layer its (outputs, inputs) weights, inputs in the order in which they arrive at neurons."""
    arriving = _encoded_order(model.encoding, model)
    for layer in model.layers:
        bits = layer.weights.to_bits()
        if layer.convolution is None:
            yield bits[:, arriving]
        else:
            channels = arriving[: layer.input_shape[0]] // (layer.input_shape[1] * layer.input_shape[2])
            filters = bits.reshape(layer.weight_shape)[:, channels]
            yield filters.transpose(0, 2, 3, 1).reshape(layer.outputs, -1)
        arriving = _leaving(layer)


def _encoded_order(encoding: InputEncoding, model: PackedModel) -> Order:
    """Places of the encoded values: bit ``b`` of feature ``f`` is place ``b · features + f`` of the model."""
    features = sample_order(model)
    return (features[:, None] + encoding.features * np.arange(encoding.bits)).ravel()


def _leaving(layer: PackedLayer) -> Order:
    numbers = np.arange(int(np.prod(layer.output_shape))).reshape(layer.output_shape)
    return (numbers if layer.convolution is None else numbers.transpose(1, 2, 0)).ravel()
