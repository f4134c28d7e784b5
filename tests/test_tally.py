"""Tallies: counts that move, one lot at a time or through many steps, with both measures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import BlockHistogram
from bnnedge.complexity.tally import Tally

# Few codes, the first and the last among them, so that their counts often fall to 0 and rise again.
CODES = np.array([0, 1, 40_000, 65_535])


def histogram(blocks: np.ndarray) -> BlockHistogram:
    return BlockHistogram({(4, 4): np.bincount(blocks, minlength=1 << 16)}, 16 * blocks.size, 0)


def check(tally: Tally, blocks: np.ndarray) -> None:
    expected = histogram(blocks)
    assert np.array_equal(tally.counts, expected.counts[4, 4])
    assert tally.bdm == pytest.approx(bdm_of(expected), rel=1e-12)
    assert tally.block_entropy == pytest.approx(block_entropy_of(expected), rel=1e-12, abs=1e-14)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_moves_by_lots_and_by_steps_are_full_counts(blocks: int, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    walk = rng.choice(CODES, (steps + 1, blocks))
    by_lots, by_steps = Tally(histogram(walk[0])), Tally(histogram(walk[0]))
    step, block = np.nonzero(walk[1:] != walk[:-1])
    order = rng.permutation(step.size)
    step, block = step[order], block[order]
    bits, entropies = by_steps.follow(steps, step, walk[step, block], walk[step + 1, block])
    for now in range(steps):
        moved = block[step == now]
        by_lots.move(walk[now, moved], walk[now + 1, moved])
        check(by_lots, walk[now + 1])
        start = histogram(walk[0])
        assert bdm_of(start) + bits[: now + 1].sum() == pytest.approx(by_lots.bdm, rel=1e-12)
        entropy = block_entropy_of(start) + entropies[: now + 1].sum()
        assert entropy == pytest.approx(by_lots.block_entropy, abs=1e-12)
    check(by_steps, walk[-1])


def test_blocks_all_alike_have_no_entropy_at_all() -> None:
    tally = Tally(histogram(np.arange(1000)))
    tally.move(np.arange(1000), np.full(1000, 7))
    assert tally.block_entropy == 0


def test_no_blocks_have_no_measures() -> None:
    tally = Tally(histogram(np.arange(0)))
    assert math.isnan(tally.bdm)
    assert math.isnan(tally.block_entropy)
    nothing = np.arange(0)
    assert [change.tolist() for change in tally.follow(2, nothing, nothing, nothing)] == [[0, 0], [0, 0]]
