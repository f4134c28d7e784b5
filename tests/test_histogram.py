"""Block histograms against a plain decomposition, block by block, and what must hold of every histogram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity import histogram as module
from bnnedge.complexity.histogram import BLOCK_SHAPES, BOUNDARIES, BlockHistogram, block_histogram
from bnnedge.errors import ConfigError, DataError

Bits = NDArray[np.bool_]
Counted = Counter[tuple[tuple[int, ...], int]]

rules = st.tuples(st.sampled_from(BOUNDARIES), st.sampled_from(BLOCK_SHAPES))
widths = st.one_of(st.integers(0, 20), st.integers(59, 70), st.integers(124, 132))
shapes = st.tuples(st.integers(0, 14), widths)
bit_arrays = shapes.flatmap(lambda shape: arrays(bool, shape))


def blocks(bits: Bits, side: int, boundary: str) -> Iterator[Bits]:
    step = 1 if boundary == "correlated" else side
    for corner in product(*(range(0, length, step) for length in bits.shape)):
        part = bits[tuple(slice(start, start + side) for start in corner)]
        if part.shape == (side,) * bits.ndim:
            yield part
        elif boundary == "recursive" and min(part.shape) >= 2:
            yield from blocks(part, min(part.shape), boundary)


def plainly_counted(bits: Bits, boundary: str, block_shape: tuple[int, ...]) -> Counted:
    laid_out = bits if len(block_shape) == 2 else bits.ravel()
    return Counter(
        (block.shape, int("".join(map(str, block.ravel().astype(int))), base=2))
        for block in blocks(laid_out, block_shape[0], boundary)
    )


def counted(histogram: BlockHistogram) -> Counted:
    return Counter(
        {
            (shape, int(code)): int(counts[code])
            for shape, counts in histogram.counts.items()
            for code in np.flatnonzero(counts)
        }
    )


@given(bit_arrays, rules)
def test_counts_are_those_of_the_plain_decomposition(bits: Bits, rule: tuple[str, tuple[int, ...]]) -> None:
    histogram = block_histogram(PackedMatrix.from_bits(bits), *rule)
    expected = plainly_counted(bits, *rule)
    assert counted(histogram) == expected
    assert histogram.blocks == sum(expected.values())
    assert histogram.distinct == len(expected)


@given(bit_arrays, rules)
def test_every_bit_is_kept_or_dropped(bits: Bits, rule: tuple[str, tuple[int, ...]]) -> None:
    histogram = block_histogram(PackedMatrix.from_bits(bits), *rule)
    assert histogram.bits_kept + histogram.bits_dropped == bits.size
    if rule[0] == "correlated":
        assert histogram.bits_kept in (0, bits.size)
        assert (histogram.bits_kept > 0) == (histogram.blocks > 0)
    else:
        covered = sum(np.prod(shape) * counts.sum() for shape, counts in histogram.counts.items())
        assert histogram.bits_kept == covered


@pytest.mark.parametrize("words", [1, 2, 3, 7])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("block_shape", BLOCK_SHAPES)
def test_slices_meet_without_a_seam(
    monkeypatch: pytest.MonkeyPatch, words: int, boundary: str, block_shape: tuple[int, ...]
) -> None:
    bits = np.random.default_rng(words).random((37, 333)) < 0.5
    whole = block_histogram(PackedMatrix.from_bits(bits), boundary, block_shape)
    monkeypatch.setattr(module, "_SLICE_WORDS", words)
    sliced = block_histogram(PackedMatrix.from_bits(bits), boundary, block_shape)
    assert counted(sliced) == counted(whole)
    assert counted(whole) == plainly_counted(bits, boundary, block_shape)


def test_a_matrix_of_several_slices() -> None:
    bits = np.random.default_rng(5).random((1031, 4117)) < 0.5
    tiles = bits[:1028, :4116].reshape(257, 4, 1029, 4).swapaxes(1, 2).reshape(-1, 16)
    expected = np.bincount(tiles @ (1 << np.arange(15, -1, -1)), minlength=65536)
    histogram = block_histogram(PackedMatrix.from_bits(bits))
    assert np.array_equal(histogram.counts[4, 4], expected)
    assert histogram.bits_dropped == 1031 * 4117 - 1028 * 4116


@given(st.integers(1, 130), st.integers(0, 9))
def test_padding_is_never_counted(columns: int, rows: int) -> None:
    ones = PackedMatrix.from_bits(np.ones((rows, columns), dtype=bool))
    for rule in product(BOUNDARIES, BLOCK_SHAPES):
        for shape, counts in block_histogram(ones, *rule).counts.items():
            assert not counts[:-1].any(), (rule, shape)


@given(bit_arrays, rules)
def test_a_complement_has_the_complements_blocks(bits: Bits, rule: tuple[str, tuple[int, ...]]) -> None:
    histogram = block_histogram(PackedMatrix.from_bits(bits), *rule)
    complement = block_histogram(PackedMatrix.from_bits(~bits), *rule)
    for shape, counts in histogram.counts.items():
        assert np.array_equal(counts[::-1], complement.counts[shape])


@given(arrays(bool, (12, 70)), st.permutations([0, 1, 2]))
def test_the_order_of_bands_does_not_matter(bits: Bits, order: list[int]) -> None:
    reordered = bits.reshape(3, 4, 70)[order].reshape(12, 70)
    histograms = [block_histogram(PackedMatrix.from_bits(each)) for each in (bits, reordered)]
    assert np.array_equal(histograms[0].counts[4, 4], histograms[1].counts[4, 4])


@given(bit_arrays, bit_arrays, st.tuples(rules, st.sampled_from(BOUNDARIES)))
def test_pooling_adds_counts(a: Bits, b: Bits, rule: tuple[tuple[str, tuple[int, ...]], str]) -> None:
    (boundary, block_shape), other_boundary = rule
    one = block_histogram(PackedMatrix.from_bits(a), boundary, block_shape)
    other = block_histogram(PackedMatrix.from_bits(b), other_boundary, block_shape)
    before = counted(one), counted(other)
    pooled = one + other
    assert counted(pooled) == before[0] + before[1]
    assert pooled.blocks == one.blocks + other.blocks
    assert (pooled.bits_kept, pooled.bits_dropped) == (
        one.bits_kept + other.bits_kept,
        one.bits_dropped + other.bits_dropped,
    )
    assert (counted(one), counted(other)) == before


def test_squares_and_strings_do_not_pool() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    with pytest.raises(DataError, match="cannot pool"):
        block_histogram(matrix) + block_histogram(matrix, block_shape=(12,))


@pytest.mark.parametrize(
    ("shape", "dropped"),
    [((10, 300), 600), ((3, 300), 900), ((300, 3), 900), ((0, 9), 0), ((9, 0), 0), ((4, 4), 0), ((5, 7), 19)],
)
def test_ignore_drops_what_no_whole_block_covers(shape: tuple[int, int], dropped: int) -> None:
    histogram = block_histogram(PackedMatrix.from_bits(np.ones(shape, dtype=bool)))
    assert histogram.bits_dropped == dropped
    assert histogram.counts[4, 4].shape == (65536,)


def test_unknown_rules_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    with pytest.raises(ConfigError, match="no boundary rule 'periodic'") as caught:
        block_histogram(matrix, "periodic")
    assert caught.value.hint == "there are ignore, correlated, recursive"
    with pytest.raises(ConfigError, match=r"blocks of shape \(3, 3\)") as caught:
        block_histogram(matrix, block_shape=(3, 3))
    assert caught.value.hint == "there are (4, 4), (12,)"
