"""The front: against the definition, point by point."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bnnedge.studies.pareto import pareto_front

VALUES = st.integers(-3, 3).map(float) | st.just(math.nan) | st.just(math.inf)


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    whole = [point for point in points if not any(map(math.isnan, point))]
    expected = [point in whole and not any(dominates(other, point) for other in whole) for point in points]
    assert pareto_front(points) == expected
