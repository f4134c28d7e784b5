"""The transpose of packed bits against that of unpacked ones, over every edge of bytes, words and tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity.transpose import transpose

bit_arrays = st.tuples(st.integers(0, 70), st.integers(0, 140)).flatmap(lambda shape: arrays(bool, shape))


@given(bit_arrays)
def test_equal_to_that_of_unpacked_bits(bits: NDArray[np.bool_]) -> None:
    flipped = transpose(PackedMatrix.from_bits(bits))
    assert flipped == PackedMatrix.from_bits(bits.T)
    assert transpose(flipped) == PackedMatrix.from_bits(bits)


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (9, 0), (1, 1), (1, 130), (130, 1), (8, 8), (64, 64)])
def test_edges(shape: tuple[int, int]) -> None:
    bits = np.random.default_rng(1).random(shape) < 0.5
    assert transpose(PackedMatrix.from_bits(bits)) == PackedMatrix.from_bits(bits.T)


@pytest.mark.parametrize("shape", [(4096, 512), (4097, 513), (8199, 70), (70, 1531)])
def test_beyond_a_tile(shape: tuple[int, int]) -> None:
    bits = np.random.default_rng(2).random(shape) < 0.5
    assert transpose(PackedMatrix.from_bits(bits)) == PackedMatrix.from_bits(bits.T)
