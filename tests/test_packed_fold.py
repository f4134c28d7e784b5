"""Folding a monotone decision into one comparison: exact at every lattice point, ties and constants too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge.errors import DataError
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign

lattices = st.builds(Lattice, st.integers(1, 40), st.sampled_from([1, 2]))
scales = st.sampled_from([0.0, 1.0, -1.0, 0.5, -3.0, 1e-30, -1e-30]) | st.floats(-10, 10, width=32)
offsets = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 100.0, -100.0]) | st.floats(-50, 50, width=32)


def floats(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def points(lattice: Lattice) -> NDArray[np.int32]:
    return np.arange(-lattice.bound, lattice.bound + 1, lattice.step, dtype=np.int32)


def fold(affine: Affine, lattice: Lattice) -> Thresholds:
    directions = np.where(affine.scale < 0, -1, 1).astype(np.int8)
    return fold_sign(lambda a: affine(a) >= 0, directions, lattice)


@given(lattices, st.lists(st.tuples(scales, offsets), min_size=1, max_size=5))
def test_thresholds_equal_the_float_decision_on_the_whole_lattice(
    lattice: Lattice, neurons: list[tuple[float, float]]
) -> None:
    affine = Affine(*(np.array(part, dtype=np.float32) for part in zip(*neurons, strict=True)))
    thresholds = fold(affine, lattice)
    grid = np.repeat(points(lattice)[:, None], len(neurons), axis=1)
    assert np.array_equal(thresholds(grid), affine(grid) >= 0)
    assert set(thresholds.values) <= {*points(lattice), lattice.bound + lattice.step}


@pytest.mark.parametrize(
    ("scale", "offset", "value", "direction"),
    [
        (1.0, -3.0, 3, 1),  # a tie at a = 3 gives +1
        (-1.0, -3.0, 3, -1),  # a negative scale flips the comparison: −a >= 3, a tie at a = −3
        (1.0, -2.5, 3, 1),
        (0.0, 0.0, -5, 1),  # a zero scale is a constant; an offset of 0 gives +1, always
        (0.0, -0.0, -5, 1),
        (0.0, -1e-9, 7, 1),  # … and a negative one never
        (1.0, 100.0, -5, 1),
        (1.0, -100.0, 7, 1),
    ],
)
def test_known_thresholds(scale: float, offset: float, value: int, direction: int) -> None:
    thresholds = fold(Affine(floats([scale]), floats([offset])), Lattice(5, 2))
    assert thresholds.values.tolist() == [value]
    assert thresholds.directions.tolist() == [direction]


def test_rounding_of_the_decision_itself_decides() -> None:
    """The offset −1e8 − 1 rounds to −1e8, so float32 fires one point earlier than the real line."""
    affine = Affine(floats([1e8]), floats([-1e8 - 1]))
    assert fold(affine, Lattice(3, 2)).values.tolist() == [1]


def test_rejects_parts_that_do_not_fit() -> None:
    one = np.ones(1, dtype=np.float32)
    with pytest.raises(DataError, match="not exact in float32"):
        Lattice(2**24, 1)
    with pytest.raises(DataError, match="finite float32"):
        Affine(floats([np.nan]), one)
    with pytest.raises(DataError, match="do not fit"):
        Affine(one, np.ones(2, dtype=np.float32))
    with pytest.raises(DataError, match=r"\+1 or −1"):
        Thresholds(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int8))
    with pytest.raises(DataError, match="int32"):
        Thresholds(np.zeros(1), np.ones(1, dtype=np.int8))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="directions must be int8"):
        Thresholds(np.zeros(1, dtype=np.int32), np.ones(2, dtype=np.int8))
