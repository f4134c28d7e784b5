"""Input encodings: what a sample becomes, and which parts do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from bnnedge.errors import DataError
from bnnedge.packed.encoding import InputEncoding


def test_encodings_that_cannot_be_are_refused() -> None:
    for shape, maximum in (((0,), 16), ((2, 2), 16), ((1, 0, 2), 16), ((4,), 256), ((4,), 0)):
        with pytest.raises(DataError, match="cannot be"):
            InputEncoding.integer(shape, maximum)
    for thresholds in ([17], [-1], []):
        with pytest.raises(DataError, match="do not fit inputs up to 16"):
            InputEncoding.thermometer((4,), 16, np.array(thresholds).reshape(-1, 1))
    for shaped in (np.zeros(1), np.zeros((2, 3)), np.zeros((1, 1, 1))):
        with pytest.raises(DataError, match="input thresholds are int16 of shape"):
            InputEncoding.thermometer((4,), 16, shaped)
    with pytest.raises(DataError, match="input thresholds are float64"):
        InputEncoding((4,), 16, np.zeros((1, 1)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="not encoded in bits"):
        InputEncoding.integer((4,), 16).encode(np.zeros((1, 4), np.uint8))


def test_what_encodings_say_of_themselves() -> None:
    bipolar = InputEncoding.bipolar((1, 2, 2), 16, 8)
    levels = InputEncoding.thermometer((2, 1, 2), 16, [[4, 5], [8, 9], [12, 13]])
    assert (bipolar.kind, levels.kind, InputEncoding.integer((3,), 1).kind) == (
        "bipolar", "thermometer", "integer"
    )  # fmt: skip
    assert (levels.bits, levels.features, levels.encoded_shape) == (3, 4, (6, 1, 2))
    bits = levels.encode(np.array([[4, 8, 4, 9]], dtype=np.uint8))[0]
    assert (
        bits.reshape(6, 2).tolist()
        == [[True, True], [False, True], [False, True], [False, True]] + [[False, False]] * 2
    )
    assert bipolar == InputEncoding.bipolar((1, 2, 2), 16, 8)
    assert bipolar != InputEncoding.bipolar((1, 2, 2), 16, 9)
    assert bipolar != InputEncoding.integer((1, 2, 2), 16)
    assert (bipolar.lattice(9).bound, InputEncoding.integer((3,), 16).lattice(9).bound) == (9, 144)
