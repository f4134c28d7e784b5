"""What a step of a sampler is scaled by: a constant positive M, which leaves the density as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from bnnedge.errors import ConfigError

__all__ = ["CurvatureMetric", "DiagonalMetric", "Metric", "curvature_metric"]

MOST_PARAMETERS = 6000
"""For a Hessian: 300 MB in float64, and a minute or two for its eigenvectors."""

COLUMNS = 256  # of a Hessian at a time


class Metric(Protocol):
    """M, and its root; both of (chains, parameters)."""

    def times(self, vectors: Tensor) -> Tensor:
        """``M v`` of each row."""

    def root_times(self, vectors: Tensor) -> Tensor:
        """``√M v`` of each row."""


@dataclass(frozen=True)
class DiagonalMetric:
    """A factor a parameter.

    Attributes:
        scale: (1, parameters), above 0.
    """

    scale: Tensor

    def times(self, vectors: Tensor) -> Tensor:
        """``M v`` of each row."""
        return vectors * self.scale

    def root_times(self, vectors: Tensor) -> Tensor:
        """``√M v`` of each row."""
        return vectors * self.scale.sqrt()


@dataclass(frozen=True)
class CurvatureMetric:
    """``γ / (nβ |h| + γ)``, h the loss's curvature: 1 where it is flat, small where it is steep.

    Attributes:
        directions: (parameters, steep), orthonormal.
        factors: (steep,) of M along them.
    """

    directions: Tensor
    factors: Tensor

    def times(self, vectors: Tensor) -> Tensor:
        """``M v`` of each row."""
        return self._times(vectors, self.factors)

    def root_times(self, vectors: Tensor) -> Tensor:
        """``√M v`` of each row."""
        return self._times(vectors, self.factors.sqrt())

    def _times(self, vectors: Tensor, factors: Tensor) -> Tensor:
        steep = vectors @ self.directions
        return vectors + (steep * (factors - 1)) @ self.directions.T


def curvature_metric(
    loss: Callable[[Tensor], Tensor], start: Tensor, inverse_temperature: float, localisation: float
) -> CurvatureMetric:
    """The metric in which U has curvature γ in all directions at the start.

    Args:
        loss: of (parameters,).
        start: (parameters,) w*.
        inverse_temperature: nβ.
        localisation: γ.

    Raises:
        ConfigError: more parameters than a Hessian is worked out for.
    """
    many = start.numel()
    if many > MOST_PARAMETERS:
        raise ConfigError(
            f"{many:,} parameters are too many for their Hessian",
            f"expected at most {MOST_PARAMETERS:,}; or another preconditioner",
        )
    pull = vjp(grad(loss), start)[1]
    columns = vmap(lambda direction: pull(direction)[0])
    identity = torch.eye(many, dtype=start.dtype, device=start.device)
    hessian = torch.cat([columns(part) for part in torch.split(identity, COLUMNS)]).double()
    curvatures, directions = torch.linalg.eigh((hessian + hessian.T) / 2)
    factors = localisation / (inverse_temperature * curvatures.abs() + localisation)
    steep = factors < 0.5
    return CurvatureMetric(directions[:, steep].to(start), factors[steep].to(start))
