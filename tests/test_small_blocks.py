"""Entropy of small blocks: plain counting block by block, what must hold of it, edges, frozen values."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import bnnedge
from bnnedge import PackedMatrix
from bnnedge.complexity import small_blocks as module
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.small_blocks import (
    MEASURES,
    SMALL_BLOCKS,
    block_entropy_1x4,
    block_entropy_2x2,
    block_entropy_3x3,
    entropy_1x4_of_blocks,
    entropy_2x2_of_blocks,
    small_block_histogram,
)
from bnnedge.errors import ConfigError

Bits = NDArray[np.bool_]
Shape = tuple[int, int]

ENTROPY = {(1, 4): block_entropy_1x4, (2, 2): block_entropy_2x2, (3, 3): block_entropy_3x3}

widths = st.one_of(st.integers(0, 20), st.integers(59, 70), st.integers(124, 132), st.integers(190, 194))
bit_arrays = st.tuples(st.integers(0, 10), widths).flatmap(lambda shape: arrays(bool, shape))
small_shapes = st.sampled_from(SMALL_BLOCKS)


def plainly_counted(bits: Bits, shape: Shape) -> Counter[int]:
    height, width = shape
    return Counter(
        int(
            "".join("01"[bit] for bit in bits[row : row + height, column : column + width].ravel().tolist()),
            base=2,
        )
        for row in range(0, bits.shape[0] - height + 1, height)
        for column in range(0, bits.shape[1] - width + 1, width)
    )


def counted(bits: Bits, shape: Shape) -> Counter[int]:
    counts = small_block_histogram(PackedMatrix.from_bits(bits), shape).counts[shape]
    assert counts.shape == (1 << shape[0] * shape[1],)
    return Counter({int(code): int(counts[code]) for code in np.flatnonzero(counts)})


@given(bit_arrays, small_shapes)
def test_counts_and_entropy_are_those_of_plain_counting(bits: Bits, shape: Shape) -> None:
    expected = plainly_counted(bits, shape)
    assert counted(bits, shape) == expected
    histogram = small_block_histogram(PackedMatrix.from_bits(bits), shape)
    assert histogram.bits_kept == shape[0] * shape[1] * expected.total()
    assert histogram.bits_kept + histogram.bits_dropped == bits.size
    entropy = ENTROPY[shape](PackedMatrix.from_bits(bits))
    if expected:
        shares = np.array(list(expected.values())) / expected.total()
        assert entropy == pytest.approx(-np.sum(shares * np.log2(shares)), abs=1e-12)
    else:
        assert math.isnan(entropy)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", SMALL_BLOCKS)
def test_slices_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch, size: int, shape: Shape) -> None:
    bits = np.random.default_rng(size).random((37, 335)) < 0.5
    monkeypatch.setattr(module, "_SLICE", size)
    assert counted(bits, shape) == plainly_counted(bits, shape)


@pytest.mark.parametrize("shape", [(1, 4), (2, 2)])
def test_blocks_that_fill_a_4x4_block_are_counted_alike(shape: Shape) -> None:
    bits = np.random.default_rng(3).random((1028, 1092)) < 0.3
    codes = block_histogram(PackedMatrix.from_bits(bits)).counts[4, 4]
    blocks = np.flatnonzero(codes)
    expected: Counter[int] = Counter()
    for block, times in zip(blocks.tolist(), codes[blocks].tolist(), strict=True):
        square = np.array([int(bit) for bit in f"{block:016b}"], dtype=bool).reshape(4, 4)
        for code, more in plainly_counted(square, shape).items():
            expected[code] += times * more
    assert counted(bits, shape) == expected


@given(bit_arrays, small_shapes)
def test_a_complement_has_the_complements_blocks(bits: Bits, shape: Shape) -> None:
    last = (1 << shape[0] * shape[1]) - 1
    assert counted(~bits, shape) == {last - code: count for code, count in counted(bits, shape).items()}


@given(bit_arrays, st.sampled_from([(2, 2), (3, 3)]))
def test_transposition_keeps_the_entropy_of_squares(bits: Bits, shape: Shape) -> None:
    matrix, transposed = PackedMatrix.from_bits(bits), PackedMatrix.from_bits(bits.T)
    assert ENTROPY[shape](matrix) == pytest.approx(ENTROPY[shape](transposed), abs=1e-12, nan_ok=True)


@given(arrays(bool, (12, 70)), small_shapes)
def test_the_order_of_bands_does_not_matter(bits: Bits, shape: Shape) -> None:
    bands = bits.reshape(12 // shape[0], shape[0], 70)
    assert counted(bands[::-1].reshape(12, 70), shape) == counted(bits, shape)


@given(st.integers(1, 200), st.integers(0, 9), small_shapes)
def test_padding_is_never_counted(columns: int, rows: int, shape: Shape) -> None:
    assert counted(np.ones((rows, columns), dtype=bool), shape).keys() <= {(1 << shape[0] * shape[1]) - 1}


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((0, 0), (0, 0, 0)),
        ((0, 9), (0, 0, 0)),
        ((9, 0), (0, 0, 0)),
        ((1, 3), (0, 0, 0)),
        ((1, 100), (100, 0, 0)),
        ((100, 1), (0, 0, 0)),
        ((2, 2), (0, 4, 0)),
        ((3, 3), (0, 4, 9)),
        ((2, 64), (128, 128, 0)),
        ((5, 67), (320, 264, 198)),
    ],
)
def test_edges_are_in_no_block(size: Shape, kept: tuple[int, ...]) -> None:
    matrix = PackedMatrix.from_bits(np.zeros(size, dtype=bool))
    for shape, bits in zip(SMALL_BLOCKS, kept, strict=True):
        assert small_block_histogram(matrix, shape).bits_kept == bits
        entropy = ENTROPY[shape](matrix)
        assert entropy == 0 if bits else math.isnan(entropy)


def test_other_blocks_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    with pytest.raises(ConfigError, match=r"no small blocks of shape \(4, 4\)") as caught:
        small_block_histogram(matrix, (4, 4))
    assert caught.value.hint == "there are (1, 4), (2, 2), (3, 3)"


def test_frozen_values() -> None:
    seeded = PackedMatrix.from_bits(np.random.default_rng(7).random((61, 133)) < 0.4)
    trained = bnnedge.load("digits-tfc").layers[0].weights
    assert [measure.key for measure in MEASURES] == [
        "block_entropy_1x4_bits",
        "block_entropy_2x2_bits",
        "block_entropy_3x3_bits",
    ]
    assert [measure.of(seeded) for measure in MEASURES] == pytest.approx(
        [3.8917981744634367, 3.891795018743346, 8.268020878469573], rel=1e-12
    )
    assert [measure.of(trained) for measure in MEASURES] == pytest.approx(
        [3.944296720450344, 3.9704925376155016, 7.917978382776253], rel=1e-12
    )


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), columns=st.integers(1, 40))
def test_small_blocks_off_the_4x4_histogram(seed: int, rows: int, columns: int) -> None:
    """Exact where both sides are multiples of four: no bit is outside a 4x4 block."""
    rng = np.random.default_rng(seed)
    matrix = PackedMatrix.from_bits(rng.random((4 * rows, 4 * columns)) < rng.random())
    blocks = block_histogram(matrix)
    assert entropy_1x4_of_blocks(blocks) == pytest.approx(block_entropy_1x4(matrix), rel=1e-12, abs=1e-12)
    assert entropy_2x2_of_blocks(blocks) == pytest.approx(block_entropy_2x2(matrix), rel=1e-12, abs=1e-12)
