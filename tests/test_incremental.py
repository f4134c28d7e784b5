"""Incremental histograms: equal to a full count, whatever changed."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix
from bnnedge.complexity import incremental as module
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
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


def flips(a: Bits, b: Bits) -> int:
    return int(np.count_nonzero(a != b))


def same(tracked: IncrementalHistogram, b: BlockHistogram) -> bool:
    a = tracked.histogram
    assert tracked.bdm == pytest.approx(bdm_of(b), rel=1e-12, nan_ok=True)
    assert tracked.block_entropy == pytest.approx(block_entropy_of(b), rel=1e-9, abs=1e-12, nan_ok=True)
    counts = a.counts.keys() == b.counts.keys() and np.array_equal(a.counts[4, 4], b.counts[4, 4])
    return counts and (a.bits_kept, a.bits_dropped) == (b.bits_kept, b.bits_dropped)


@settings(deadline=None)
@given(shapes, st.lists(shares, max_size=4), seeds, st.sampled_from([0, 4]))
def test_updates_equal_full_counts(shape: tuple[int, int], steps: list[float], seed: int, few: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random(shape) < 0.5
    tracked = IncrementalHistogram(packed(bits))
    assert same(tracked, block_histogram(packed(bits)))
    for share in steps:
        flipped = bits ^ (rng.random(shape) < share)
        with patch.object(module, "_FEW", few):  # with 0, nothing is ever counted anew
            assert tracked.update(packed(flipped)) == flips(bits, flipped)
        assert same(tracked, block_histogram(packed(flipped)))
        bits = flipped


@settings(deadline=None)
@given(shapes, shares, seeds)
def test_told_rows_are_enough(shape: tuple[int, int], share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.random(shape) < 0.5
    rows = np.flatnonzero(rng.random(shape[0]) < 0.3)
    flipped = bits.copy()
    flipped[rows] ^= rng.random((rows.size, shape[1])) < share
    tracked = IncrementalHistogram(packed(bits))
    with patch.object(module, "_FEW", 0):
        told = tracked.update(packed(flipped), rows=rng.permutation(rows))
    assert told == flips(bits, flipped)
    assert same(tracked, block_histogram(packed(flipped)))
    assert tracked.update(packed(bits)) == flips(bits, flipped)
    assert same(tracked, block_histogram(packed(bits)))


@pytest.mark.parametrize("words", [1, 2, 3, 7])
def test_slices_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    rng = np.random.default_rng(words)
    before, after = rng.random((37, 333)) < 0.5, rng.random((37, 333)) < 0.5
    monkeypatch.setattr(module, "_SLICE_WORDS", words)
    monkeypatch.setattr(module, "_FEW", 0)
    tracked = IncrementalHistogram(packed(before))
    assert tracked.update(packed(after)) == flips(before, after)
    assert same(tracked, block_histogram(packed(after)))


def test_a_matrix_of_several_slices() -> None:
    rng = np.random.default_rng(5)
    before = rng.random((1031, 1117)) < 0.5
    after = before ^ (rng.random(before.shape) < 0.0005)
    tracked = IncrementalHistogram(packed(before))
    assert tracked.update(packed(after)) == flips(before, after)
    assert same(tracked, block_histogram(packed(after)))


def test_every_single_flip_of_a_matrix_with_edges() -> None:
    bits = np.random.default_rng(2).random((9, 70)) < 0.5  # 18 words: a single one is few
    tracked = IncrementalHistogram(packed(bits))
    for place in np.ndindex(bits.shape):
        flipped = bits.copy()
        flipped[place] ^= True
        assert tracked.update(packed(flipped)) == 1
        assert same(tracked, block_histogram(packed(flipped)))
        assert tracked.update(packed(bits)) == 1


def test_what_was_handed_in_or_out_may_be_written_over() -> None:
    bits = np.random.default_rng(3).random((16, 80)) < 0.5
    matrix = packed(bits)
    tracked = IncrementalHistogram(matrix)
    matrix.words[:] = 0
    assert tracked.update(packed(bits)) == 0
    handed_out = tracked.histogram
    handed_out.counts[4, 4][:] = 0
    assert same(tracked, block_histogram(packed(bits)))

    second = packed(~bits)
    assert tracked.update(second) == 1280
    second.words[:] = 0
    assert tracked.update(packed(~bits)) == 0
    assert same(tracked, block_histogram(packed(~bits)))


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
