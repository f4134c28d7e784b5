"""Incremental histograms: equal to a full count, whatever changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity import incremental as module
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.incremental import IncrementalHistogram
from bnnedge.errors import DataError

Bits = NDArray[np.bool_]

widths = st.one_of(st.integers(0, 20), st.integers(59, 70), st.integers(124, 132))
shapes = st.tuples(st.integers(0, 14), widths)
shares = st.sampled_from([0.0, 0.002, 0.05, 0.5, 1.0])
seeds = st.integers(0, 2**32 - 1)


def packed(bits: Bits) -> PackedMatrix:
    return PackedMatrix.from_bits(bits)


def blocks_that_differ(a: Bits, b: Bits) -> int:
    down, across = a.shape[0] // 4, a.shape[1] // 4
    differ = (a ^ b)[: 4 * down, : 4 * across]
    return int(differ.reshape(down, 4, across, 4).any(axis=(1, 3)).sum())


def same(a: BlockHistogram, b: BlockHistogram) -> bool:
    counts = a.counts.keys() == b.counts.keys() and np.array_equal(a.counts[4, 4], b.counts[4, 4])
    return counts and (a.bits_kept, a.bits_dropped) == (b.bits_kept, b.bits_dropped)


@given(shapes, st.lists(shares, max_size=4), seeds)
def test_updates_equal_full_counts(shape: tuple[int, int], steps: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random(shape) < 0.5
    tracked = IncrementalHistogram(packed(bits))
    assert same(tracked.histogram, block_histogram(packed(bits)))
    for share in steps:
        flipped = bits ^ (rng.random(shape) < share)
        assert tracked.update(packed(flipped)) == blocks_that_differ(bits, flipped)
        assert same(tracked.histogram, block_histogram(packed(flipped)))
        bits = flipped


@given(shapes, shares, seeds)
def test_told_rows_are_enough(shape: tuple[int, int], share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random(shape) < 0.5
    rows = np.flatnonzero(rng.random(shape[0]) < 0.3)
    flipped = bits.copy()
    flipped[rows] ^= rng.random((rows.size, shape[1])) < share
    tracked = IncrementalHistogram(packed(bits))
    assert tracked.update(packed(flipped), rows=rng.permutation(rows)) == blocks_that_differ(bits, flipped)
    assert same(tracked.histogram, block_histogram(packed(flipped)))
    assert tracked.update(packed(bits)) == blocks_that_differ(bits, flipped)
    assert same(tracked.histogram, block_histogram(packed(bits)))


@pytest.mark.parametrize("quads", [1, 2, 3, 7])
def test_slices_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch, quads: int) -> None:
    rng = np.random.default_rng(quads)
    before, after = rng.random((37, 333)) < 0.5, rng.random((37, 333)) < 0.5
    monkeypatch.setattr(module, "_SLICE_QUADS", quads)
    tracked = IncrementalHistogram(packed(before))
    assert tracked.update(packed(after)) == blocks_that_differ(before, after)
    assert same(tracked.histogram, block_histogram(packed(after)))


def test_a_matrix_of_several_slices() -> None:
    rng = np.random.default_rng(5)
    before = rng.random((1031, 1117)) < 0.5
    after = before ^ (rng.random(before.shape) < 0.01)
    tracked = IncrementalHistogram(packed(before))
    assert tracked.update(packed(after)) == blocks_that_differ(before, after)
    assert same(tracked.histogram, block_histogram(packed(after)))


def test_every_single_flip_of_a_matrix_with_edges() -> None:
    bits = np.random.default_rng(2).random((9, 70)) < 0.5
    tracked = IncrementalHistogram(packed(bits))
    for place in np.ndindex(bits.shape):
        flipped = bits.copy()
        flipped[place] ^= True
        in_a_block = place[0] < 8 and place[1] < 68
        assert tracked.update(packed(flipped)) == in_a_block
        assert same(tracked.histogram, block_histogram(packed(flipped)))
        assert tracked.update(packed(bits)) == in_a_block


def test_what_was_handed_in_or_out_may_be_written_over() -> None:
    bits = np.random.default_rng(3).random((16, 80)) < 0.5
    matrix = packed(bits)
    tracked = IncrementalHistogram(matrix)
    matrix.words[:] = 0
    assert tracked.update(packed(bits)) == 0
    handed_out = tracked.histogram
    handed_out.counts[4, 4][:] = 0
    assert same(tracked.histogram, block_histogram(packed(bits)))

    second = packed(~bits)
    assert tracked.update(second) == 80
    second.words[:] = 0
    assert tracked.update(packed(~bits)) == 0
    assert same(tracked.histogram, block_histogram(packed(~bits)))


def test_another_shape_is_refused() -> None:
    tracked = IncrementalHistogram(packed(np.ones((8, 70), dtype=bool)))
    for shape in ((8, 71), (9, 70)):
        with pytest.raises(DataError, match=r"of shape \(8, 70\) with one of shape") as caught:
            tracked.update(packed(np.ones(shape, dtype=bool)))
        assert caught.value.hint == "start a histogram of its own for each layer"


def test_rows_outside_are_refused() -> None:
    matrix = packed(np.ones((9, 8), dtype=bool))
    tracked = IncrementalHistogram(matrix)
    assert tracked.update(matrix, rows=[8]) == 0
    assert tracked.update(matrix, rows=[]) == 0
    for row in (-1, 9):
        with pytest.raises(DataError, match=rf"no rows {row} to {row} in a matrix of 9 rows"):
            tracked.update(matrix, rows=[row])
