"""The Pareto front: what nothing else is better than in every way."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["pareto_front"]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of (value, value) points, both the smaller the better, no other point dominates.

    A point dominates another that it is at most equal to in both and less than in one; equal points stand or
    fall together. A point with NaN is on no front and dominates nothing.

    >>> pareto_front([(1, 3), (2, 2), (2, 3), (3, 1), (2, 2)])
    [True, True, False, True, True]
    """
    best: dict[float, float] = {}
    least: float | None = None
    for first, second in sorted(point for point in points if not any(map(math.isnan, point))):
        if least is None or second < least:
            least = best[first] = second
    return [best.get(first) == second for first, second in points]
