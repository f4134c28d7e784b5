"""Small networks in which every kind of finding occurs often, and all the inputs they have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix, PackedModel
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Lattice, Thresholds
from bnnedge.packed.infer import trace
from bnnedge.packed.layer import Convolution, PackedLayer
from tests.networks import Filters

HEAD = Affine(np.array([0.3], dtype=np.float32), np.array([0.1], dtype=np.float32))


def planted_model(
    seed: int,
    encoding: InputEncoding,
    filters: Sequence[Filters] = (),
    widths: Sequence[int] = (4, 3),
) -> PackedModel:
    """A model of few different rows, channels and thresholds: convolutions, then dense layers."""
    rng = np.random.default_rng(seed)
    layers: list[PackedLayer] = []
    shape = encoding.encoded_shape
    for position, outputs in enumerate([*(asked.channels for asked in filters), *widths]):
        convolution = None
        if position < len(filters):
            asked, (channels, height, width) = filters[position], shape
            places = (asked.kernel, asked.stride, asked.padding, asked.pool)
            convolution = Convolution((channels, height, width), *places)
        pixels = convolution.kernel**2 if convolution else int(np.prod(shape[1:]))
        bits = _bits(rng, outputs, shape[0], pixels)
        lattice = Lattice(bits.shape[1], 2) if layers else encoding.lattice(bits.shape[1])
        last = position == len(filters) + len(widths) - 1
        thresholds = None if last else _thresholds(rng, outputs, lattice)
        name = f"{'conv' if convolution else 'fc'}{position + 1}"
        layers.append(PackedLayer(name, PackedMatrix.from_bits(bits), thresholds, convolution))
        shape = layers[-1].output_shape
    return PackedModel(encoding, tuple(layers), HEAD)


def planted_models(features: int = 6, width: int = 7) -> st.SearchStrategy[PackedModel]:
    """Dense and convolutional ones, over every kind of input."""
    return st.one_of(_dense(features, width), conv_models())


def encodings(*, images: bool, features: int = 6) -> st.SearchStrategy[InputEncoding]:
    """Inputs of which there are few enough to try them all."""
    shapes: st.SearchStrategy[tuple[int, ...]] = st.tuples(st.integers(1, features))
    narrow: st.SearchStrategy[tuple[int, ...]] = st.tuples(st.integers(1, 3))
    if images:
        shapes = st.sampled_from([(1, 3, 3), (1, 2, 3), (2, 2, 2), (2, 3, 1), (3, 1, 2)])
        narrow = st.sampled_from([(1, 2, 2), (2, 1, 2), (1, 1, 3), (3, 1, 1)])
    return st.one_of(
        st.builds(InputEncoding.bipolar, shapes, st.just(1), st.sampled_from([0, 1, 1, 1])),
        st.builds(InputEncoding.integer, narrow, st.integers(1, 3)),
        st.builds(_thermometer, narrow, st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans()),
    )


def conv_models() -> st.SearchStrategy[PackedModel]:
    """One to three convolutions with padding, strides and pooling, then one or two dense layers."""
    return st.builds(
        _conv_model,
        st.integers(0, 2**32 - 1),
        encodings(images=True),
        st.lists(
            st.builds(
                Filters, st.integers(1, 6), *(st.integers(*ends) for ends in ((1, 3), (1, 2), (0, 2), (1, 2)))
            ),
            min_size=1,
            max_size=3,
        ),
        st.lists(st.integers(1, 6), min_size=1, max_size=2),
    )


def every_input(model: PackedModel) -> NDArray[np.uint8]:
    """(inputs, features): all there are."""
    values = range(model.encoding.maximum + 1)
    return np.array(list(product(values, repeat=model.encoding.features)), dtype=np.uint8)


def sums_on(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Each layer's pre-activations, (samples · places, outputs)."""
    sums, _ = trace(model, inputs)
    return [np.moveaxis(each, 1, -1).reshape(-1, each.shape[1]).astype(np.int64) for each in sums]


def outputs_on(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Each layer's activations before pooling as ±1, the last layer's scores: (samples · places, outputs)."""
    return [
        sums if layer.thresholds is None else np.where(layer.thresholds(sums.astype(np.int32)), 1, -1)
        for layer, sums in zip(model.layers, sums_on(model, inputs), strict=True)
    ]


def layer_of(
    rows: list[str],
    thresholds: list[tuple[int, int]] | None = None,
    name: str = "fc1",
    convolution: Convolution | None = None,
) -> PackedLayer:
    """Rows as strings of + and −, thresholds as (value, direction)."""
    bits = [[sign == "+" for sign in row] for row in rows]
    folded = None
    if thresholds is not None:
        values, directions = zip(*thresholds, strict=True)
        folded = Thresholds(np.array(values, dtype=np.int32), np.array(directions, dtype=np.int8))
    return PackedLayer(name, PackedMatrix.from_bits(bits), folded, convolution)


def model_of(*layers: PackedLayer, threshold: int = 1) -> PackedModel:
    """Layers over inputs 0 and 1."""
    return PackedModel(InputEncoding.bipolar(layers[0].input_shape, 1, threshold), layers, HEAD)


def _dense(features: int, width: int) -> st.SearchStrategy[PackedModel]:
    widths = st.lists(st.integers(1, width), min_size=1, max_size=4)
    inputs = encodings(images=False, features=features)
    return st.builds(planted_model, st.integers(0, 2**32 - 1), inputs, st.just(()), widths)


def _conv_model(seed: int, encoding: InputEncoding, filters: list[Filters], widths: list[int]) -> PackedModel:
    """With what does not fit an image made smaller."""
    fitting: list[Filters] = []
    height, width = encoding.shape[1:]
    for asked in filters:
        least = min(height, width)
        padding = 0 if encoding.kind == "integer" and not fitting else asked.padding
        kernel = min(asked.kernel, least + 2 * min(padding, asked.kernel - 1))
        padding = min(padding, kernel - 1)
        pool = min(asked.pool, (least + 2 * padding - kernel) // asked.stride + 1)
        fitting.append(Filters(asked.channels, kernel, asked.stride, padding, pool))
        height, width = (
            ((side + 2 * padding - kernel) // asked.stride + 1) // pool for side in (height, width)
        )
    return planted_model(seed, encoding, fitting, widths)


def _thermometer(shape: tuple[int, ...], seed: int, bits: int, shared: bool) -> InputEncoding:
    limits = np.random.default_rng(seed).integers(0, 4, (bits, 1 if shared else shape[0]))
    return InputEncoding.thermometer(shape, 3, limits)


def _bits(rng: np.random.Generator, outputs: int, channels: int, pixels: int) -> NDArray[np.bool_]:
    bits: NDArray[np.bool_] = rng.random((outputs, channels, pixels)) < 0.5
    bits = bits[rng.integers(0, max(1, outputs // 2), outputs)] ^ (rng.random((outputs, 1, 1)) < 0.5)
    chosen = rng.integers(0, max(1, channels // 2), channels)
    return (bits[:, chosen] ^ (rng.random((1, channels, 1)) < 0.5)).reshape(outputs, -1)


def _thresholds(rng: np.random.Generator, outputs: int, lattice: Lattice) -> Thresholds:
    """Three values, some of which no sum reaches, in two directions."""
    positions = rng.integers(0, 2 * lattice.bound // lattice.step + 2, 3)[rng.integers(0, 3, outputs)]
    values = (lattice.step * positions - lattice.bound).astype(np.int32)
    return Thresholds(values, np.where(rng.random(outputs) < 0.5, -1, 1).astype(np.int8))
