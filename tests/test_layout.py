"""Layouts against NumPy's own transposes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.complexity.layout import DEFAULT_LAYOUT, LAYOUTS, lay_out
from bnnedge.errors import ConfigError
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.weights import BitTensor

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
