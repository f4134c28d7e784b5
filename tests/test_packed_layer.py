"""Layers: filters that cannot slide are refused."""

from __future__ import annotations

import numpy as np
import pytest

from bnnedge import PackedMatrix
from bnnedge.errors import DataError
from bnnedge.packed.layer import Convolution, PackedLayer


def test_convolutions_that_cannot_be_are_refused() -> None:
    for wrong in ({"stride": 0}, {"pool": 0}, {"padding": -1}, {"kernel": 0}):
        with pytest.raises(DataError, match="cannot be"):
            Convolution((1, 8, 8), **({"kernel": 3} | wrong))
    with pytest.raises(DataError, match="padding alone"):
        Convolution((1, 8, 8), 3, padding=3)
    for small in ({"kernel": 9}, {"kernel": 3, "pool": 7}):
        with pytest.raises(DataError, match="too small"):
            Convolution((1, 8, 8), **small)
    with pytest.raises(DataError, match="filters of 8 weights do not fit 9 inputs"):
        PackedLayer("c", PackedMatrix.from_bits(np.zeros((2, 8), bool)), None, Convolution((1, 8, 8), 3))
