"""Stochastic gradient Langevin dynamics around a trained model, for many chains at once.

The density is ``exp(−nβ L(w) − γ/2 |w − w*|²)``, the local posterior of Lau et al. 2023 (arXiv 2308.12108).
With U its negative logarithm, a step of size ε, of a diagonal preconditioner M that stays as it is:

* ``leimkuhler-matthews``: ``w ← w − ε/2 M ∇U + √(ε M) (ξ_k + ξ_{k+1}) / 2`` (Leimkuhler and Matthews 2013);
  on a quadratic its stationary variance is right at every stable step;
* ``euler``: ``w ← w − ε/2 M ∇U + √(ε M) ξ_k`` (Welling and Teh 2011), whose variance is too large by
  ``1 / (1 − ε λ / 4)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnnedge.llc.objective import Objective, Parameters

__all__ = ["Chains", "Integrator", "Posterior", "top_eigenvalue"]

Integrator = Literal["leimkuhler-matthews", "euler"]


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
        preconditioner: M, by parameter, or None for the identity.
    """

    def __init__(
        self,
        posterior: Posterior,
        generators: list[torch.Generator],
        step: float,
        integrator: Integrator,
        preconditioner: Parameters | None,
    ) -> None:
        self.posterior, self.step = posterior, step
        self._generators, self._average = generators, integrator == "leimkuhler-matthews"
        start = posterior.objective.start
        # One vector a chain, of which the parameters are views: a few operations move them all.
        self._flat = _flat(start).repeat(len(generators), 1)
        self._start = self._flat[:1].clone()
        places = torch.split(self._flat, [value.numel() for value in start.values()], dim=1)
        self.at = {
            name: place.view(len(generators), *value.shape)
            for (name, value), place in zip(start.items(), places, strict=True)
        }
        self._scale = None if preconditioner is None else _flat(preconditioner)
        self._noise = self._normal()

    @torch.no_grad()
    def run(self, steps: int) -> NDArray[np.float64]:
        """(chains, steps): the excess loss of a batch before each step."""
        seen = []
        for _ in range(steps):
            with torch.enable_grad():
                excess, gradient = self.posterior.slope(self.at, self._generators)
            seen.append(excess.detach().double())
            self._move(torch.cat([value.flatten(1) for value in gradient.values()], dim=1))
        return torch.stack(seen, dim=1).cpu().numpy()

    def _move(self, drift: Tensor) -> None:
        posterior = self.posterior
        drift.mul_(posterior.inverse_temperature).add_(self._flat - self._start, alpha=posterior.localisation)
        after = self._normal()
        kick = self._noise.add_(after).mul_(0.5) if self._average else self._noise
        if self._scale is not None:
            drift.mul_(self._scale)
            kick = kick.mul_(self._scale.sqrt())
        self._flat.sub_(drift, alpha=self.step / 2).add_(kick, alpha=self.step**0.5)
        self._noise = after

    def _normal(self) -> Tensor:
        """Standard normal numbers for all chains, each chain's of its own generator."""
        noise = torch.empty_like(self._flat)
        for row, generator in zip(noise, self._generators, strict=True):
            row.normal_(generator=generator)
        return noise


def top_eigenvalue(
    posterior: Posterior,
    at: Parameters,
    preconditioner: Parameters | None,
    generator: torch.Generator,
    iterations: int = 20,
) -> float:
    """The largest eigenvalue of ``√M ∇²U √M`` on one batch, by power iteration on differences of gradients.

    Args:
        posterior: of U.
        at: parameters of one chain, with their axis of chains.
        preconditioner: M.
        generator: of the first direction and of the batch.
        iterations: of the power method.
    """
    batch = [posterior.objective.batch(generator)]
    roots = None if preconditioner is None else {name: value.sqrt() for name, value in preconditioner.items()}
    direction = {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype, device=value.device)
        for name, value in at.items()
    }
    size = max(1e-6, _norm(at) / sum(value.numel() for value in at.values()) ** 0.5)
    largest = 0.0
    for _ in range(iterations):
        length = _norm(direction)
        if not length > 0:
            break
        moved = {name: value / length for name, value in direction.items()}
        ahead = moved if roots is None else {name: moved[name] * roots[name] for name in at}
        # A step that is a thousandth of the parameters' size in the direction's largest entry at most.
        reach = 1e-3 * size / max(float(value.abs().max()) for value in ahead.values())
        slopes = [
            posterior.objective.excess_and_gradient(
                {name: value + sign * reach * ahead[name] for name, value in at.items()}, batch
            )[1]
            for sign in (1, -1)
        ]
        direction = {}
        for name, value in ahead.items():
            change = (slopes[0][name] - slopes[1][name]) * (posterior.inverse_temperature / (2 * reach))
            change = change + posterior.localisation * value
            direction[name] = change if roots is None else change * roots[name]
        largest = _norm(direction)
    return largest


def _norm(values: Parameters) -> float:
    return float(sum(value.double().square().sum() for value in values.values()) ** 0.5)


def _flat(values: Parameters) -> Tensor:
    """(1, parameters) of parameters without an axis of chains."""
    return torch.cat([value.flatten() for value in values.values()])[None]
