"""BDM per bit on tiles: bits outside blocks do not count, and chance scores as the docstring says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bnnedge import PackedMatrix, bdm
from bnnedge.complexity.tiled import bdm_per_bit


def test_a_bit_of_the_only_block() -> None:
    bits = np.random.default_rng(0).random((7, 5)) < 0.5
    whole = bdm(PackedMatrix.from_bits(bits[:4, :4]))
    assert bdm_per_bit(PackedMatrix.from_bits(bits)) == pytest.approx(whole / 16, rel=1e-12)


@pytest.mark.parametrize("size", [64, 256])
def test_chance_is_as_complex_at_any_size_that_a_tile_has(size: int) -> None:
    bits = np.random.default_rng(size).random((size, size)) < 0.5
    assert 1.79 < bdm_per_bit(PackedMatrix.from_bits(bits)) < 1.91


def test_without_a_block_there_is_no_value() -> None:
    assert math.isnan(bdm_per_bit(PackedMatrix.from_bits(np.zeros((3, 100), dtype=bool))))
