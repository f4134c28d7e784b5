"""Whether chains of a sampler have said what they were asked: from traces of one number, (chains, draws)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHANCE", "Diagnosis", "diagnose", "effective_draws", "split_rhat"]

Traces = NDArray[np.float64]

MOST_RHAT = 1.05
LEAST_EFFECTIVE = 100.0
MOST_DRIFT = 0.05
MOST_BELOW = 0.01
CHANCE = 3.0
"""Standard errors by which figures may differ by chance."""


@dataclass(frozen=True)
class Diagnosis:
    """Figures of a sampler's health.

    Attributes:
        mean: of all draws.
        error: standard error of the mean, by effective draws.
        rhat: split R-hat; all chains start at one point, so that it alone misses what is slow in all of them.
        effective: independent draws that would give the same standard error.
        drift: mean of the last quarter of the draws less that of the first.
        below: share of draws with a loss below the start's.
    """

    mean: float
    error: float
    rhat: float
    effective: float
    drift: float
    below: float

    def unmixed(self) -> tuple[str, ...]:
        """What says that the chains have not seen all that there is, in words; empty: nothing does."""
        said = []
        if not self.rhat < MOST_RHAT:
            said.append(f"chains disagree: split R-hat {self.rhat:.3f}, at most {MOST_RHAT}")
        if not self.effective > LEAST_EFFECTIVE:
            said.append(f"too few effective draws: {self.effective:.0f}, at least {LEAST_EFFECTIVE:.0f}")
        if self.drifts():
            said.append(
                f"still drifting: by {self.drift:+.3g} from first to last quarter, "
                f"at most {MOST_DRIFT:.0%} of {self.mean:.4g}"
            )
        return tuple(said)

    def drifts(self) -> bool:
        """Whether the last quarter differs from the first by more than chance and a share of the mean."""
        # Of quarters, the difference has an error of its own.
        chance = CHANCE * self.error * 8**0.5
        return not abs(self.drift) < max(MOST_DRIFT * abs(self.mean), chance)

    def lowered(self) -> tuple[str, ...]:
        """What says that the start is no local minimum."""
        if self.below < MOST_BELOW:
            return ()
        return (f"no local minimum: {self.below:.1%} of the draws have a lower loss than the start",)


def diagnose(traces: Traces, below: float) -> Diagnosis:
    """Read the health of chains off their traces.

    Args:
        traces: (chains, draws) finite numbers, four draws or more, without the burn-in.
        below: share of draws below the start.
    """
    quarter, effective = traces.shape[1] // 4, effective_draws(traces)
    drift = traces[:, -quarter:].mean() - traces[:, :quarter].mean()
    error = traces.std() / np.sqrt(effective)
    return Diagnosis(float(traces.mean()), float(error), split_rhat(traces), effective, float(drift), below)


def split_rhat(traces: Traces) -> float:
    """Potential scale reduction of half chains (Gelman et al., Bayesian Data Analysis, 3rd ed., 11.4).

    >>> float(split_rhat(np.array([[0.0, 1.0, 0.0, 1.0], [10.0, 11.0, 10.0, 11.0]]))) > 5
    True
    """
    half = traces.shape[1] // 2
    halves = np.concatenate((traces[:, :half], traces[:, -half:]))
    within = halves.var(axis=1, ddof=1).mean()
    between = halves.mean(axis=1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else float("inf")
    return float(np.sqrt((half - 1) / half + between / within))


def effective_draws(traces: Traces) -> float:
    """Effective sample size of all chains (Geyer's initial monotone sequence, Vehtari et al. 2021)."""
    chains, draws = traces.shape
    centred = traces - traces.mean(axis=1, keepdims=True)
    size = 1 << (2 * draws - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), size)[:, :draws].mean(axis=0) / draws
    within = covariance[0] * draws / (draws - 1)
    spread = within * (draws - 1) / draws
    if chains > 1:
        spread += traces.mean(axis=1).var(ddof=1)
    if spread == 0:
        return float("nan")
    correlation = 1 - (within - covariance) / spread
    correlation[0] = 1.0
    pairs = correlation[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    return float(chains * draws / max(2 * pairs.sum() - 1, 1 / np.log10(chains * draws)))
