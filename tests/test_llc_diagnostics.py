"""What is read off traces, on processes of which it is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bnnedge.llc.diagnostics import diagnose, effective_draws, split_rhat


def autoregression(
    correlation: float, chains: int = 4, draws: int = 4000, seed: int = 0
) -> NDArray[np.float64]:
    """Stationary x ← φ x + √(1 − φ²) ξ around 10."""
    rng = np.random.default_rng(seed)
    values = np.empty((chains, draws))
    now = rng.normal(size=chains)
    for draw in range(draws):
        now = correlation * now + np.sqrt(1 - correlation**2) * rng.normal(size=chains)
        values[:, draw] = now
    return values + 10


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, -0.5])
def test_effective_draws_of_an_autoregression(correlation: float) -> None:
    found = effective_draws(autoregression(correlation))
    assert found == pytest.approx(16000 * (1 - correlation) / (1 + correlation), rel=0.2)


def test_the_standard_error_is_that_of_repeated_chains() -> None:
    many = [diagnose(autoregression(0.8, draws=1000, seed=seed), 0.0) for seed in range(60)]
    assert np.mean([one.error for one in many]) == pytest.approx(
        np.std([one.mean for one in many], ddof=1), rel=0.25
    )


def test_healthy_chains_have_nothing_said_of_them() -> None:
    found = diagnose(autoregression(0.5), 0.0)
    assert found.unmixed() == () == found.lowered()
    assert found.rhat == pytest.approx(1, abs=0.01)


def test_chains_that_disagree_drift_or_are_few_are_told() -> None:
    traces = autoregression(0.5)
    apart = diagnose(traces + np.arange(4)[:, None], 0.0)
    assert split_rhat(traces + np.arange(4)[:, None]) > 1.5
    assert "chains disagree" in apart.unmixed()[0]
    drifting = diagnose(traces + np.linspace(0, 1, traces.shape[1]), 0.0)
    assert any("drifting" in said for said in drifting.unmixed())
    few = diagnose(autoregression(0.99, draws=200), 0.0)
    assert any("too few" in said for said in few.unmixed())


def test_draws_below_the_start() -> None:
    assert "5.0% of the draws" in diagnose(autoregression(0.0), 0.05).lowered()[0]


def test_draws_that_never_change_have_no_effective_number() -> None:
    assert np.isnan(effective_draws(np.ones((2, 100))))
    assert split_rhat(np.ones((2, 100))) == 1.0
    assert diagnose(np.ones((2, 100)), 0.0).unmixed() != ()
