"""Correlations between courses of training, with intervals by bootstrap over runs.

Runs are what is drawn, whole, not epochs: the epochs of a run are anything but independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnnedge.errors import DataError

__all__ = [
    "Estimate",
    "bootstrap",
    "gaussian_smooth",
    "mean_course",
    "normalised",
    "pearson",
    "prepared",
    "ranks",
    "spearman",
]

Numbers = NDArray[np.float64]
Coefficient = Callable[[Numbers, Numbers], float]

_RADIUS = 4.0  # standard deviations, at which SciPy cuts the Gaussian off too


@dataclass(frozen=True)
class Estimate:
    """A statistic of some runs and its interval.

    Attributes:
        value: of the runs as they are; NaN where it is not defined.
        low: lower end of the interval; NaN likewise.
        high: upper end.
        runs: how many runs it is of.
    """

    value: float
    low: float
    high: float
    runs: int

    def overlaps(self, low: float, high: float) -> bool:
        """Whether the interval has a point in common with another; one that is not defined has none."""
        return self.low <= high and low <= self.high


def gaussian_smooth(series: ArrayLike, sigma: float = 1.0) -> Numbers:
    """A series smoothed with a Gaussian; beyond its ends it goes on mirrored, the end values twice.

    As ``scipy.ndimage.gaussian_filter1d`` with its defaults.

    Args:
        series: (points,) numbers, at least one.
        sigma: standard deviation, in points, above 0.

    >>> gaussian_smooth([0, 0, 1, 0, 0]).round(3)
    array([0.058, 0.242, 0.399, 0.242, 0.058])
    """
    radius = int(_RADIUS * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    padded = np.pad(np.asarray(series, dtype=np.float64), radius, mode="symmetric")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def normalised(series: ArrayLike) -> Numbers:
    """A series scaled to 0 … 1; one that never changes is NaN, as it has no range.

    >>> normalised([1.0, 3.0, 2.0])
    array([0. , 1. , 0.5])
    """
    values = np.asarray(series, dtype=np.float64)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full_like(values, math.nan)


def prepared(series: ArrayLike, *, logarithmic: bool = True) -> Numbers:
    """What Sakabe et al. make of a series: log1p, smoothed over one epoch, scaled to 0 … 1.

    Args:
        series: (epochs,) numbers.
        logarithmic: False leaves log1p out, of a series that comes to −1 or less.
    """
    values = np.asarray(series, dtype=np.float64)
    return normalised(gaussian_smooth(np.log1p(values) if logarithmic else values))


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's coefficient of two series; NaN where one of them never changes or has a NaN.

    >>> pearson([1, 2, 3], [2, 4, 7]) > 0.99
    True
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:  # whose mean may differ from them by rounding
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    product = math.sqrt(float(a @ a) * float(b @ b))
    return float(np.clip(float(a @ b) / product, -1.0, 1.0)) if product else math.nan


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's coefficient: Pearson's of the ranks; NaN where one never changes or has a NaN."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if np.isnan(a).any() or np.isnan(b).any():
        return math.nan
    return pearson(ranks(a), ranks(b))


def ranks(values: ArrayLike) -> Numbers:
    """Ranks from 1; of equals each has the mean of theirs.

    >>> ranks([10, 30, 30, 20])
    array([1. , 3.5, 3.5, 2. ])
    """
    _, place, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    means: Numbers = (last - (count - 1) / 2)[place]
    return means


def mean_course(courses: Sequence[Numbers]) -> Numbers:
    """The mean of several runs' series at each epoch that at least half of them came to.

    Later means would be of a few runs that went on the longest.

    >>> mean_course([np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0]), np.array([5.0])])
    array([3., 3.])
    """
    longest = max(map(len, courses))
    padded = np.full((len(courses), longest), math.nan)
    for row, course in zip(padded, courses, strict=True):
        row[: len(course)] = course
    came = (~np.isnan(padded)).sum(axis=0)
    enough = 2 * came >= len(courses)
    means: Numbers = np.nansum(padded[:, enough], axis=0) / came[enough]
    return means


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    runs: int,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """A statistic of runs with its percentile interval.

    Args:
        statistic: of the runs of these numbers, (runs,), in which one may stand several times.
        runs: how many there are.
        draws: how often as many are drawn, with replacement.
        level: share of the draws' values within the interval.
        seed: of the draws.

    Raises:
        DataError: no runs.
    """
    if not runs:
        raise DataError("there is no run to make statistics of", "train for more epochs, or more runs")
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(0, runs, runs)) for _ in range(draws)])
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = (
        np.quantile(values[~np.isnan(values)], tails) if not np.isnan(values).all() else (math.nan,) * 2
    )
    return Estimate(statistic(np.arange(runs)), float(low), float(high), runs)
