"""Entropy of bits and blocks: published values, plain counting, bounds. (pybdm itself judges in test_bdm.)"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnnedge import PackedMatrix, block_entropy
from bnnedge.complexity.entropy import bit_entropy, block_entropy_of, entropy_of_share
from bnnedge.complexity.histogram import BLOCK_SHAPES, BOUNDARIES, block_histogram
from bnnedge.errors import ConfigError, DataError

bit_arrays = st.tuples(st.integers(0, 20), st.integers(0, 70)).flatmap(lambda shape: arrays(bool, shape))


def test_published_values(reference_dir: Path) -> None:
    lines = (reference_dir / "pybdm" / "ent-b2-d4x4-test-input.tsv").read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        rows, expected = line.split(",")
        matrix = PackedMatrix.from_bits([[bit == "1" for bit in row] for row in rows.split("-")])
        assert block_entropy(matrix) == pytest.approx(float(expected), rel=1e-9)


@given(bit_arrays, st.sampled_from(BOUNDARIES), st.sampled_from(BLOCK_SHAPES))
def test_block_entropy_is_bounded(
    bits: NDArray[np.bool_], boundary: str, block_shape: tuple[int, ...]
) -> None:
    histogram = block_histogram(PackedMatrix.from_bits(bits), boundary, block_shape)
    entropy = block_entropy_of(histogram)
    if histogram.blocks:
        assert 0 <= entropy <= math.log2(histogram.distinct) + 1e-12
        assert (entropy == 0) == (histogram.distinct == 1)
    else:
        assert math.isnan(entropy)


def test_block_entropy_of_counted_blocks() -> None:
    quarter = np.zeros((4, 16), dtype=bool)
    quarter[:, 12:] = True
    expected = 0.75 * math.log2(4 / 3) + 0.25 * 2
    assert block_entropy(PackedMatrix.from_bits(quarter)) == pytest.approx(expected, rel=1e-12)


def test_pooled_blocks_are_one_distribution() -> None:
    zeros = block_histogram(PackedMatrix.from_bits(np.zeros((4, 8), dtype=bool)))
    ones = block_histogram(PackedMatrix.from_bits(np.ones((8, 4), dtype=bool)))
    assert (block_entropy_of(zeros), block_entropy_of(ones), block_entropy_of(zeros + ones)) == (0, 0, 1)


def test_a_single_kind_of_block_has_no_entropy_and_no_sign() -> None:
    entropy = block_entropy(PackedMatrix.from_bits(np.ones((40, 40), dtype=bool)))
    assert math.copysign(1, entropy) == 1
    assert entropy == 0


@given(bit_arrays)
def test_bit_entropy_is_that_of_the_share_of_ones(bits: NDArray[np.bool_]) -> None:
    entropy = bit_entropy(PackedMatrix.from_bits(bits))
    if not bits.size:
        assert math.isnan(entropy)
        return
    shares = np.bincount(bits.ravel(), minlength=2) / bits.size
    expected = -sum(share * math.log2(share) for share in shares if share)
    assert entropy == pytest.approx(expected, abs=1e-12)
    assert entropy == pytest.approx(bit_entropy(PackedMatrix.from_bits(~bits)), abs=1e-12)


def test_entropy_of_a_share() -> None:
    assert entropy_of_share(0.5) == 1
    assert entropy_of_share(0) == entropy_of_share(1) == 0
    assert math.isnan(entropy_of_share(math.nan))
    for share in (-0.1, 1.1):
        with pytest.raises(DataError, match="is no share"):
            entropy_of_share(share)


def test_unknown_rules_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.ones((8, 8), dtype=bool))
    with pytest.raises(ConfigError, match="no boundary rule"):
        block_entropy(matrix, "")
    with pytest.raises(ConfigError, match="no histogram"):
        block_entropy(matrix, block_shape=(4,))
