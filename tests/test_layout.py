"""Layouts against NumPy's own transposes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.complexity.layout import DEFAULT_LAYOUT, LAYOUTS, Reordering, lay_out, reordering_of
from bnnedge.errors import ConfigError
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import BitTensor, weights_of
from tests.networks import conv_models, random_inputs

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5))


def convolution(shape: tuple[int, int, int, int], seed: int = 0) -> tuple[BitTensor, NDArray[np.bool_]]:
    bits = np.random.default_rng(seed).random(shape) < 0.5
    return BitTensor("conv1", PackedMatrix.from_bits(bits.reshape(shape[0], -1)), shape), bits


@given(shapes, st.integers(0, 2**32 - 1))
def test_every_weight_lies_where_the_layout_says(shape: tuple[int, int, int, int], seed: int) -> None:
    tensor, bits = convolution(shape, seed)
    tall = lay_out(tensor, "tall").to_bits()
    for (output, channel, y, x), bit in np.ndenumerate(bits):
        assert tall[output * shape[2] + y, channel * shape[3] + x] == bit
    assert np.array_equal(lay_out(tensor, "flat").to_bits(), bits.reshape(shape[0], -1))
    assert np.array_equal(lay_out(tensor, "kernels").to_bits(), bits.reshape(-1, shape[2] * shape[3]))


def test_a_layer_of_cnv() -> None:
    tensor, bits = convolution((64, 64, 3, 3))
    shapes_of = {layout: lay_out(tensor, layout).shape for layout in LAYOUTS}
    assert shapes_of == {"flat": (64, 576), "tall": (192, 192), "kernels": (4096, 9)}
    assert {lay_out(tensor, layout).ones for layout in LAYOUTS} == {int(bits.sum())}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dense_layers_are_never_copied(layout: str) -> None:
    matrix = PackedMatrix.from_signs(np.ones((3, 70)))
    assert lay_out(BitTensor("fc1", matrix, (3, 70)), layout) is matrix


def test_the_default_copies_nothing() -> None:
    tensor, _ = convolution((2, 3, 4, 5))
    assert DEFAULT_LAYOUT == "flat"
    assert lay_out(tensor) is tensor.matrix


def test_a_layout_nobody_knows() -> None:
    tensor, _ = convolution((1, 1, 1, 1))
    with pytest.raises(ConfigError, match="unknown layout 'kernel'") as caught:
        lay_out(tensor, "kernel")
    assert caught.value.hint == "did you mean 'kernels'? expected flat, tall, kernels"
    with pytest.raises(ConfigError, match="unknown layout 'x'") as caught:
        lay_out(tensor, "x")
    assert caught.value.hint == "expected flat, tall, kernels"


@given(shapes, st.sampled_from(sorted(LAYOUTS)), st.integers(0, 2**32 - 1))
def test_a_reordering_moves_whole_kernels(shape: tuple[int, int, int, int], layout: str, seed: int) -> None:
    tensor, bits = convolution(shape, seed)
    moves = Reordering(shape, layout, shape[1])
    rows, columns = moves.draw(np.random.default_rng(seed), channels=True)
    laid = lay_out(tensor, layout).to_bits()[rows]
    laid = laid if columns is None else laid[:, columns]
    rng = np.random.default_rng(seed)
    moved = bits[rng.permutation(shape[0])][:, rng.permutation(shape[1])]
    expected = BitTensor("conv1", PackedMatrix.from_bits(moved.reshape(shape[0], -1)), shape)
    assert np.array_equal(laid, lay_out(expected, layout).to_bits())


@given(conv_models(), st.integers(0, 2**32 - 1))
def test_reordering_the_neurons_keeps_the_function(model: PackedModel, seed: int) -> None:
    """A layer's filters and the channels of the next are moved by one order, dense layers after included."""
    weights = weights_of(model)
    first, second = model.layers[:2]
    rows, _ = reordering_of(weights, 0).draw(np.random.default_rng(seed), channels=False)
    following = reordering_of(weights, 1)
    assert following.channels == first.outputs
    spots = second.inputs // first.outputs
    columns = (rows[:, None] * spots + np.arange(spots)).ravel()
    assert first.thresholds is not None
    moved = dataclasses.replace(
        first,
        weights=PackedMatrix.from_bits(first.weights.to_bits()[rows]),
        thresholds=Thresholds(first.thresholds.values[rows], first.thresholds.directions[rows]),
    )
    reader: PackedLayer = dataclasses.replace(
        second, weights=PackedMatrix.from_bits(second.weights.to_bits()[:, columns])
    )
    reordered = dataclasses.replace(model, layers=(moved, reader, *model.layers[2:]))
    inputs = random_inputs(model, 10)
    assert np.array_equal(reordered.predict(inputs).scores, model.predict(inputs).scores)
