"""Stochastic gradient Langevin dynamics around a trained model, for many chains at once.

The density is ``exp(−nβ L(w) − γ/2 |w − w*|²)``, the local posterior of Lau et al. 2023 (arXiv 2308.12108).
With U its negative logarithm, a step of size ε, of a metric M that stays as it is:

* ``leimkuhler-matthews``: ``w ← w − ε/2 M ∇U + √ε √M (ξ_k + ξ_{k+1}) / 2`` (Leimkuhler and Matthews 2013);
  on a quadratic its stationary variance is right at every stable step;
* ``baoab``: the same with a momentum that is kept, ``v' = a (v − √ε √M ∇U) + √(1 − a²) ξ``, the step being
  ``√ε √M (v − √ε √M ∇U + v') / 2`` (the same authors); a = 0 is the one above, of infinite friction. Where
  some directions are κ times as steep as others, about √κ steps then do instead of κ;
* ``euler``: ``w ← w − ε/2 M ∇U + √ε √M ξ_k`` (Welling and Teh 2011), whose variance is too large by
  ``1 / (1 − ε λ / 4)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnnedge.llc.metric import Metric
from bnnedge.llc.objective import Objective, Parameters, flat, views

__all__ = ["Chains", "Integrator", "Posterior", "top_eigenvalue"]

Integrator = Literal["leimkuhler-matthews", "baoab", "euler"]

FRICTION = 2.0
"""Of BAOAB, in frequencies of a flat direction, √γ: what damps this critically."""


@dataclass(frozen=True)
class Posterior:
    """What is sampled.

    Attributes:
        objective: the loss L.
        inverse_temperature: nβ.
        localisation: γ.
    """

    objective: Objective
    inverse_temperature: float
    localisation: float

    def generator(self, seed: int, *purpose: int) -> torch.Generator:
        """Random numbers on the parameters' device, the same for the same seed and purpose."""
        drawn = np.random.default_rng((seed, *purpose)).integers(2**63)
        return torch.Generator(device=self.objective.device).manual_seed(int(drawn))

    def slope(self, at: Parameters, generators: list[torch.Generator]) -> tuple[Tensor, Parameters]:
        """The excess loss of each chain's batch, and ∇L there."""
        batches = [self.objective.batch(generator) for generator in generators]
        return self.objective.excess_and_gradient(at, batches)


class Chains:
    """Walkers that begin at the model's own parameters.

    Args:
        posterior: what they sample.
        generators: one a chain: of its noise and of its batches.
        step: ε.
        integrator: how they move.
        metric: M, or None for the identity.
    """

    def __init__(
        self,
        posterior: Posterior,
        generators: list[torch.Generator],
        step: float,
        integrator: Integrator,
        metric: Metric | None,
    ) -> None:
        self.posterior, self.step = posterior, step
        self._generators, self._euler = generators, integrator == "euler"
        start = posterior.objective.start
        # One vector a chain, of which the parameters are views: a few operations move them all.
        self.flat = flat({name: value[None] for name, value in start.items()}).repeat(len(generators), 1)
        self._start = self.flat[:1].clone()
        self.at = views(self.flat, start)
        self._metric = metric
        self._velocity = self._normal(torch.empty_like(self.flat))
        # Of large models fresh tensors would cost more than what is done with them.
        self._drift, self._spare = torch.empty_like(self.flat), torch.empty_like(self.flat)
        friction = FRICTION * posterior.localisation**0.5
        self._kept = math.exp(-friction * step**0.5) if integrator == "baoab" else 0.0

    @torch.no_grad()
    def run(self, steps: int) -> NDArray[np.float64]:
        """(chains, steps): the excess loss of a batch before each step."""
        seen = []
        for _ in range(steps):
            with torch.enable_grad():
                excess, gradient = self.posterior.slope(self.at, self._generators)
            seen.append(excess.detach().double())
            self._move(flat(gradient, out=self._drift))
        return torch.stack(seen, dim=1).cpu().numpy()

    def _move(self, drift: Tensor) -> None:
        posterior, root = self.posterior, self.step**0.5
        away = torch.sub(self.flat, self._start, out=self._spare)
        drift.mul_(posterior.inverse_temperature).add_(away, alpha=posterior.localisation)
        kick = self._normal(self._spare)
        if self._euler:
            if self._metric is not None:
                drift, kick = self._metric.times(drift), self._metric.root_times(kick)
            self.flat.sub_(drift, alpha=self.step / 2).add_(kick, alpha=root)
            return
        if self._metric is not None:
            drift = self._metric.root_times(drift)
        before = self._velocity.sub_(drift, alpha=root)
        after = kick.mul_((1 - self._kept**2) ** 0.5).add_(before, alpha=self._kept)
        way = before.add_(after)
        self.flat.add_(way if self._metric is None else self._metric.root_times(way), alpha=root / 2)
        self._velocity, self._spare = after, before

    def _normal(self, noise: Tensor) -> Tensor:
        """Standard normal numbers for all chains, each chain's of its own generator, into a tensor."""
        for row, generator in zip(noise, self._generators, strict=True):
            row.normal_(generator=generator)
        return noise


def top_eigenvalue(
    posterior: Posterior,
    at: Tensor,
    metric: Metric | None,
    generator: torch.Generator,
    iterations: int = 20,
) -> float:
    """The largest eigenvalue of ``√M ∇²U √M`` on one batch, by power iteration on differences of gradients.

    Args:
        posterior: of U.
        at: (1, parameters) of one chain.
        metric: M.
        generator: of the first direction and of the batch.
        iterations: of the power method, at most; it ends where what it finds changes by less than such
            differences can tell.
    """
    batch = [posterior.objective.batch(generator)]
    direction = torch.randn(at.shape, generator=generator, dtype=at.dtype, device=at.device)
    size = max(1e-6, float(at.norm()) / at.numel() ** 0.5)
    largest, resolution = 0.0, torch.finfo(at.dtype).eps ** 0.5
    for _ in range(iterations):
        length = float(direction.norm())
        if not length > 0:
            break
        ahead = direction / length
        if metric is not None:
            ahead = metric.root_times(ahead)
        # A step that is a thousandth of the parameters' size in the direction's largest entry at most.
        reach = 1e-3 * size / float(ahead.abs().max())
        slopes = [
            flat(
                posterior.objective.excess_and_gradient(
                    views(at + sign * reach * ahead, posterior.objective.start), batch
                )[1]
            )
            for sign in (1, -1)
        ]
        change = (slopes[0] - slopes[1]) * (posterior.inverse_temperature / (2 * reach))
        direction = change + posterior.localisation * ahead
        if metric is not None:
            direction = metric.root_times(direction)
        found = float(direction.norm())
        if abs(found - largest) <= resolution * found:
            break
        largest = found
    return largest
