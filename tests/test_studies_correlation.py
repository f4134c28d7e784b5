"""Correlations of measures with the training loss, aggregated over runs."""

from __future__ import annotations

import numpy as np
import pytest

from bnnedge.studies.correlation import AGGREGATIONS, COEFFICIENTS, correlate
from bnnedge.studies.statistics import pearson, prepared, spearman

RNG = np.random.default_rng(0)
LOSSES = [np.exp(-np.arange(n) / 4) + RNG.normal(0, 0.01, n) ** 2 for n in (9, 12, 20, 14)]
MEASURES = [7000 + 400 * loss + RNG.normal(0, 20, len(loss)) for loss in LOSSES]


def test_the_mean_of_runs_is_the_mean_of_their_coefficients() -> None:
    found = correlate(LOSSES, MEASURES, draws=50)
    for name, coefficient in (("pearson", pearson), ("spearman", spearman)):
        of_runs = [coefficient(prepared(x), prepared(y)) for x, y in zip(LOSSES, MEASURES, strict=True)]
        estimate = found.estimates[name, "mean of runs"]
        assert estimate.value == pytest.approx(np.mean(of_runs))
        assert min(of_runs) <= estimate.low <= estimate.value <= estimate.high <= max(of_runs)
    assert found.dropped == 0


def test_the_pooled_coefficient_is_over_all_epochs() -> None:
    found = correlate(LOSSES, MEASURES, draws=10)
    x, y = (np.concatenate([prepared(one) for one in some]) for some in (LOSSES, MEASURES))
    assert found.estimates["pearson", "pooled"].value == pytest.approx(pearson(x, y))


def test_a_measure_that_is_the_loss_correlates_fully_by_every_aggregation() -> None:
    found = correlate(LOSSES, LOSSES, draws=10)
    for key in ((name, aggregation) for name in COEFFICIENTS for aggregation in AGGREGATIONS):
        assert found.estimates[key].low == pytest.approx(1)
    assert found.differences["pearson"].low == pytest.approx(1)


def test_a_shared_trend_alone_is_not_in_the_differences() -> None:
    trend = np.linspace(3, 1, 400)
    losses = [trend + RNG.normal(0, 0.02, 400) for _ in range(8)]
    measures = [trend + RNG.normal(0, 0.02, 400) for _ in range(8)]
    found = correlate(losses, measures, draws=50)
    assert found.estimates["pearson", "mean of runs"].value > 0.99
    assert abs(found.differences["pearson"].value) < 0.1


def test_runs_that_are_short_or_never_change_are_dropped_and_counted() -> None:
    short, constant = LOSSES[0][:4], np.ones(9)
    found = correlate([*LOSSES, short, LOSSES[0]], [*MEASURES, short, constant], draws=10)
    assert found.dropped == 2
    assert found.estimates == correlate(LOSSES, MEASURES, draws=10).estimates
    nothing = correlate([LOSSES[0]], [constant])
    assert nothing.dropped == 1
    for estimate in (*nothing.estimates.values(), *nothing.differences.values()):
        assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
        assert estimate.runs == 0
