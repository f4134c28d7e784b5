"""How closely a measure of complexity follows the training loss, aggregated over runs in three ways.

Which of them the paper's intervals are of is not known here, so all are given:

- ``mean of runs``: the mean of each run's coefficient;
- ``mean course``: the coefficient of the two courses averaged over runs, epoch by epoch;
- ``pooled``: the coefficient over all epochs of all runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.studies.series import RunSeries
from bnnedge.studies.statistics import (
    Estimate,
    bootstrap,
    mean_course,
    pearson,
    prepared,
    spearman,
)

__all__ = ["AGGREGATIONS", "COEFFICIENTS", "Correlation", "correlate", "trimmed"]

AGGREGATIONS = ("mean of runs", "mean course", "pooled")
COEFFICIENTS: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64]], float]] = {
    "pearson": pearson,
    "spearman": spearman,
}
FEWEST_EPOCHS = 5
_NOTHING = Estimate(math.nan, math.nan, math.nan, 0)

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """Coefficients of a measure with the training loss.

    Attributes:
        estimates: by coefficient and aggregation.
        differences: by coefficient: mean over runs of that of the steps from epoch to epoch, of log1p of
            both and not smoothed, in which a trend that both share has no part.
        dropped: runs without a coefficient: too short, or the measure never changed.
    """

    estimates: Mapping[tuple[str, str], Estimate]
    differences: Mapping[str, Estimate]
    dropped: int


def trimmed(run: RunSeries, patience: int) -> int:
    """Epochs of a run that count: all but those it waited in vain; 0 where fewer than five are left."""
    epochs = run.epochs - patience
    return epochs if epochs >= FEWEST_EPOCHS else 0


def correlate(
    losses: Sequence[Numbers], measures: Sequence[Numbers], *, draws: int = 1000, logarithmic: bool = True
) -> Correlation:
    """Correlate a measure with the training loss, over runs.

    Args:
        losses: for each run (epochs,), trimmed.
        measures: likewise.
        draws: of the bootstrap.
        logarithmic: False takes the measure itself, not its log1p; for one that comes to −1 or less.

    Returns:
        Every coefficient; where the measure changes in no run, NaN, of 0 runs.
    """
    pairs = [
        (x, y)
        for x, y in zip(losses, measures, strict=True)
        if len(x) >= FEWEST_EPOCHS and np.isfinite(y).all() and np.ptp(y) > 0
    ]
    courses = [(prepared(x), prepared(y, logarithmic=logarithmic)) for x, y in pairs]
    steps = [(np.diff(np.log1p(x)), np.diff(np.log1p(y) if logarithmic else y)) for x, y in pairs]
    estimates = {
        (name, aggregation): estimate
        for name in COEFFICIENTS
        for aggregation, estimate in _aggregated(courses, name, draws).items()
    }
    differences = {name: _mean_of_runs(steps, name, draws) for name in COEFFICIENTS}
    return Correlation(estimates, differences, len(losses) - len(pairs))


def _aggregated(courses: Sequence[tuple[Numbers, Numbers]], name: str, draws: int) -> dict[str, Estimate]:
    if not courses:
        return dict.fromkeys(AGGREGATIONS, _NOTHING)
    coefficient = COEFFICIENTS[name]

    def of_mean(chosen: NDArray[np.intp]) -> float:
        x, y = (mean_course([courses[run][side] for run in chosen]) for side in (0, 1))
        return coefficient(x, y)

    def of_all(chosen: NDArray[np.intp]) -> float:
        x, y = (np.concatenate([courses[run][side] for run in chosen]) for side in (0, 1))
        return coefficient(x, y)

    return {
        "mean of runs": _mean_of_runs(courses, name, draws),
        "mean course": bootstrap(of_mean, len(courses), draws=draws),
        "pooled": bootstrap(of_all, len(courses), draws=draws),
    }


def _mean_of_runs(courses: Sequence[tuple[Numbers, Numbers]], name: str, draws: int) -> Estimate:
    of_runs = np.array([COEFFICIENTS[name](x, y) for x, y in courses])
    of_runs = of_runs[~np.isnan(of_runs)]
    if not of_runs.size:
        return _NOTHING
    return bootstrap(lambda chosen: float(of_runs[chosen].mean()), len(of_runs), draws=draws)
