"""Statistics of studies beside SciPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnnedge.errors import DataError
from bnnedge.studies.statistics import (
    bootstrap,
    gaussian_smooth,
    mean_course,
    normalised,
    pearson,
    prepared,
    ranks,
    spearman,
)

numbers = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
series = st.integers(1, 40).flatmap(lambda n: arrays(np.float64, n, elements=numbers))
pairs = st.integers(3, 40).flatmap(lambda n: arrays(np.float64, (2, n), elements=numbers))


@given(series, st.sampled_from([0.5, 1.0, 2.3]))
def test_smoothing_is_scipys(values: np.ndarray, sigma: float) -> None:
    expected = scipy.ndimage.gaussian_filter1d(values, sigma)
    np.testing.assert_allclose(gaussian_smooth(values, sigma), expected, rtol=1e-10, atol=1e-10)


@given(pairs)
def test_coefficients_are_scipys(pair: np.ndarray) -> None:
    x, y = pair
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(pearson(x, y))
        assert math.isnan(spearman(x, y))
    else:
        assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y)[0], abs=1e-9)
        assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y)[0], abs=1e-9)


@given(series)
def test_ranks_are_scipys(values: np.ndarray) -> None:
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))


def test_a_nan_gives_no_coefficient() -> None:
    assert math.isnan(pearson([1, 2, math.nan], [1, 2, 3]))
    assert math.isnan(spearman([1, 2, 3], [1, math.nan, 3]))


def test_prepared_is_log1p_smoothed_and_scaled() -> None:
    values = np.random.default_rng(0).random(30) * 100
    smooth = scipy.ndimage.gaussian_filter1d(np.log1p(values), 1)
    expected = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    np.testing.assert_allclose(prepared(values), expected, atol=1e-12)
    assert np.isnan(normalised([2.0, 2.0])).all()


def test_the_mean_course_ends_where_fewer_than_half_the_runs_came() -> None:
    courses = [np.ones(5), np.full(4, 3.0), np.full(2, 5.0), np.full(1, 7.0)]
    np.testing.assert_array_equal(mean_course(courses), [4.0, 3.0, 2.0, 2.0])


def test_the_bootstrap_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(1).normal(3, 2, 50)
    ours = bootstrap(lambda chosen: float(values[chosen].mean()), 50, draws=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert ours.runs == 50


def test_the_bootstrap_is_the_same_for_the_same_seed_and_narrower_for_a_lower_level() -> None:
    values = np.arange(20.0)

    def mean(chosen: np.ndarray) -> float:
        return float(values[chosen].mean())

    wide, half = bootstrap(mean, 20), bootstrap(mean, 20, level=0.5)
    assert wide == bootstrap(mean, 20)
    assert wide != bootstrap(mean, 20, seed=1)
    assert wide.low < half.low < half.high < wide.high
    assert wide.overlaps(0, wide.low)
    assert not wide.overlaps(wide.high + 1, 99)


def test_a_statistic_that_is_nowhere_defined_has_no_interval() -> None:
    nothing = bootstrap(lambda _: math.nan, 3, draws=10)
    assert math.isnan(nothing.low)
    assert not nothing.overlaps(-1, 1)
    with pytest.raises(DataError, match="no run"):
        bootstrap(lambda _: 0.0, 0)
