"""Pairs of blocks under a byte of four rows: the codes that a histogram counts."""

from __future__ import annotations

import numpy as np
import pytest

from bnnedge import PackedMatrix
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.pairs import bits_in_blocks, codes_that_moved, pairs_of
from bnnedge.packed.bits import unpack_bits


def test_pairs_are_the_codes_of_the_histogram() -> None:
    matrix = PackedMatrix.from_bits(np.random.default_rng(0).random((24, 192)) < 0.3)
    pairs = pairs_of(matrix.bytes.reshape(6, 4, -1).swapaxes(0, 1))
    counts = np.bincount(pairs.view(np.uint16).ravel(), minlength=1 << 16)
    assert np.array_equal(counts, block_histogram(matrix).counts[4, 4])


def test_only_halves_that_differ_moved() -> None:
    before = np.array([0x0001_0002, 0x0003_0004, 0x0005_0006], dtype=np.uint32)
    after = np.array([0x0001_0009, 0x0003_0004, 0x0007_0008], dtype=np.uint32)
    pair, old, new = codes_that_moved(before, after)
    assert sorted(zip(pair.tolist(), old.tolist(), new.tolist(), strict=True)) == [
        (0, 2, 9),
        (2, 5, 7),
        (2, 6, 8),
    ]


@pytest.mark.parametrize(
    ("columns", "inside"),
    [(0, 0), (3, 0), (4, 4), (63, 60), (64, 64), (65, 0), (70, 4), (128, 64), (131, 0)],
)
def test_bits_in_whole_blocks_of_the_last_word(columns: int, inside: int) -> None:
    assert unpack_bits(bits_in_blocks(columns), 64).tolist() == [True] * inside + [False] * (64 - inside)
