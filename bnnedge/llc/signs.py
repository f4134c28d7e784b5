"""Losses that do not follow their gradient, as those of sign weights: there is nothing to estimate."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bnnedge.errors import UnsupportedError
from bnnedge.llc.sampler import Posterior

__all__ = ["refuse_signs"]

TRIALS = 5


def refuse_signs(posterior: Posterior, seed: int) -> None:
    """See that the loss moves when the parameters do, as little as that is.

    Weights that are used by their signs leave it exactly as it is, whatever their gradients say: its level
    sets are full-dimensional, λ is 0, and what a chain returns is a property of the prior alone.

    Raises:
        UnsupportedError: it stays as it is.
    """
    objective = posterior.objective
    generator = torch.Generator(device=objective.device).manual_seed(seed)
    batch = [objective.batch(generator)]
    still = 0
    for _ in range(TRIALS):
        at = {name: _near(value, 0.05, generator)[None] for name, value in objective.start.items()}
        excess, slope = objective.excess_and_gradient(at, batch)
        size = max(float(value.abs().max()) for value in slope.values())
        if not (math.isfinite(size) and excess.isfinite().all()):
            continue  # it moves, and how
        if size > 0:
            at = {name: value + 1e-5 * _spread(value) * slope[name] / size for name, value in at.items()}
            still += bool(objective.excess_and_gradient(at, batch)[0] == excess)
        else:
            still += 1
    if still > TRIALS // 2:
        raise UnsupportedError(
            "the loss does not change with the parameters, which are used by their signs or not at all: its "
            "local learning coefficient is 0",
            "bnnedge llc CHECKPOINT measures the discrete one, over flips of the deployed bits",
        )


def _near(value: Tensor, share: float, generator: torch.Generator) -> Tensor:
    noise = torch.randn(value.shape, generator=generator, dtype=value.dtype, device=value.device)
    return value + share * _spread(value) * noise


def _spread(value: Tensor) -> float:
    """Root mean square of a parameter; 1 of one that is 0."""
    return float(value.double().square().mean().sqrt()) or 1.0
