"""What is found out before chains are drawn: how long a step may be, and how to scale the parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bnnedge.llc.metric import DiagonalMetric, Metric, curvature_metric
from bnnedge.llc.objective import flat
from bnnedge.llc.sampler import Chains, Integrator, Posterior, top_eigenvalue

__all__ = ["Pilot"]

STEPS = 50
PILOTS = 12
FLOOR = 0.1
"""Of RMSprop, as a share of the gradients' root mean square: it bounds the scale of what does not matter."""


@dataclass(frozen=True)
class Pilot:
    """One chain at a time, whose draws nothing keeps.

    Attributes:
        posterior: what it samples.
        integrator: how it moves.
        most_steps: that it takes.
        courant: half the step times the largest curvature.
        seed: of everything that is random.
    """

    posterior: Posterior
    integrator: Integrator
    most_steps: int
    courant: float
    seed: int

    def safe_step(self, metric: Metric | None) -> float:
        """ε of the largest curvature, at the start and at the end of a pilot; 0 if none is stable."""
        generator = self.posterior.generator(self.seed, 2)
        at = flat({name: value[None] for name, value in self.posterior.objective.start.items()})
        step = self._step_at(at, metric, generator)
        for _ in range(PILOTS):
            chain = self._chain(step, 3, metric)
            fine = np.isfinite(chain.run(self._steps)).all()
            at = chain.flat
            del chain  # what else it holds is four times as much
            wanted = self._step_at(at, metric, generator) if fine else step / 10
            if fine and wanted > step / 1.5:
                return min(step, wanted)
            step = min(wanted, step / 1.5)
        return 0.0

    def mean_squares(self, step: float) -> Metric:
        """RMSprop's, 1 / (δ + √v), of mean 1: v of the loss's gradients on a pilot of this step."""
        chain, generators = self._chain(step, 4, None), [self.posterior.generator(self.seed, 5)]
        squares = torch.zeros_like(chain.flat)
        for _ in range(self._steps):
            chain.run(1)
            _, slope = self.posterior.slope(chain.at, generators)
            squares += flat(slope).square()
        roots = squares.sqrt()
        scale = 1 / (roots + FLOOR * roots.square().mean().sqrt())
        return DiagonalMetric(scale / scale.mean())

    def curvature(self) -> Metric:
        """That of all samples at the start."""
        posterior = self.posterior
        start = flat({name: value[None] for name, value in posterior.objective.start.items()})[0]
        return curvature_metric(
            posterior.objective.of_all, start, posterior.inverse_temperature, posterior.localisation
        )

    @property
    def _steps(self) -> int:
        return min(STEPS, self.most_steps)

    def _chain(self, step: float, purpose: int, metric: Metric | None) -> Chains:
        generators = [self.posterior.generator(self.seed, purpose, 0)]
        return Chains(self.posterior, generators, step, self.integrator, metric)

    def _step_at(self, at: Tensor, metric: Metric | None, generator: torch.Generator) -> float:
        top = top_eigenvalue(self.posterior, at, metric, generator)
        return 2 * self.courant / top if 0 < top < math.inf else math.inf
