"""Bits in words: the layout of packed/bits.py, and PackedMatrix on top of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.errors import DataError
from bnnedge.packed.bits import pack_bits, popcount, unpack_bits

bit_arrays = st.tuples(st.integers(0, 9), st.integers(0, 200)).flatmap(lambda shape: arrays(bool, shape))


@given(bit_arrays)
def test_packing_round_trips_and_pads_with_zeros(bits: NDArray[np.bool_]) -> None:
    matrix = PackedMatrix.from_bits(bits)
    assert matrix.shape == bits.shape
    assert np.array_equal(matrix.to_bits(), bits)
    assert matrix.ones == popcount(matrix.words) == int(bits.sum())
    assert not unpack_bits(matrix.words, 64 * matrix.words.shape[1])[:, bits.shape[1] :].any()


@given(bit_arrays)
def test_every_bit_lies_where_the_contract_says(bits: NDArray[np.bool_]) -> None:
    data = PackedMatrix.from_bits(bits).bytes
    for row, column in np.ndindex(bits.shape):
        assert (data[row, column // 8] >> (7 - column % 8)) & 1 == bits[row, column]


def test_signs_zero_is_minus_one() -> None:
    matrix = PackedMatrix.from_signs([[0.5, 0.0, -0.1], [1, -0.0, 3]])
    assert matrix.to_signs().tolist() == [[1, -1, -1], [1, -1, 1]]


@given(bit_arrays, st.data())
def test_complementing_rows_keeps_padding_clear(bits: NDArray[np.bool_], data: st.DataObject) -> None:
    rows = data.draw(arrays(bool, len(bits)))
    complemented = PackedMatrix.from_bits(bits).complement_rows(rows)
    assert np.array_equal(complemented.to_bits(), bits ^ rows[:, None])
    assert complemented.complement_rows(rows) == PackedMatrix.from_bits(bits)


@given(bit_arrays)
def test_xor_marks_differences(bits: NDArray[np.bool_]) -> None:
    matrix = PackedMatrix.from_bits(bits)
    assert (matrix ^ matrix).ones == 0
    everywhere = np.ones(len(bits), dtype=bool)
    assert (matrix ^ matrix.complement_rows(everywhere)).ones == matrix.bits


def test_from_bytes_is_the_inverse_of_bytes() -> None:
    matrix = PackedMatrix.from_bits(np.random.default_rng(0).random((7, 70)) < 0.5)
    assert PackedMatrix.from_bytes(matrix.bytes, 70) == matrix
    assert matrix != PackedMatrix.from_bytes(matrix.bytes[:6], 70)
    assert matrix != "a matrix"


def test_rejects_what_is_no_packed_matrix() -> None:
    words = pack_bits(np.ones((2, 70), dtype=bool))
    with pytest.raises(DataError, match="beyond its 69 columns"):
        PackedMatrix(words, 69)
    with pytest.raises(DataError, match="cannot hold rows of 200 bits"):
        PackedMatrix(words, 200)
    with pytest.raises(DataError, match="cannot hold rows of 70 bits"):
        PackedMatrix.from_bytes(np.zeros((2, 9), dtype=np.uint8), 70)
    with pytest.raises(DataError, match="is no matrix"):
        PackedMatrix.from_bits(np.ones(3, dtype=bool))
    with pytest.raises(DataError, match="cannot compare"):
        PackedMatrix(words, 70) ^ PackedMatrix(words[:1], 70)


def test_words_that_are_not_contiguous_are_copied() -> None:
    words = pack_bits(np.random.default_rng(1).random((8, 64)) < 0.5)
    assert np.array_equal(PackedMatrix(words[::2], 64).to_bits(), unpack_bits(words, 64)[::2])
