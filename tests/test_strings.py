"""BDM of a matrix as one string, against pybdm 0.1.0."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from bnnedge import PackedMatrix
from bnnedge.complexity.strings import bdm_1d

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pkg_resources is deprecated, and pybdm 0.1.0 imports it
    import pybdm


@pytest.mark.parametrize("shape", [(1, 12), (5, 7), (12, 30)])
def test_equal_to_pybdm_of_the_rows_in_a_row(shape: tuple[int, int]) -> None:
    bits = np.random.default_rng(1).random(shape) < 0.5
    expected = pybdm.BDM(ndim=1).bdm(bits.reshape(-1).astype(int))
    assert bdm_1d(PackedMatrix.from_bits(bits)) == pytest.approx(expected, rel=1e-9)


def test_eleven_bits_have_no_value() -> None:
    assert math.isnan(bdm_1d(PackedMatrix.from_bits(np.zeros((1, 11), dtype=bool))))
