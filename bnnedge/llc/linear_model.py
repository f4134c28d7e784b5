"""Deep linear networks as models: what an estimator is held against :mod:`bnnedge.llc.deep_linear` on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bnnedge.llc.objective import Batch

__all__ = ["DeepLinear", "half_squares"]


class DeepLinear(nn.Module):
    """A product of matrices.

    Args:
        matrices: W_1, …, W_L, each (H_i, H_{i−1}).
    """

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        super().__init__()
        self.layers = nn.ParameterList([nn.Parameter(matrix) for matrix in matrices])

    @classmethod
    def orthonormal(cls, widths: Sequence[int]) -> DeepLinear:
        """One of widths H_0, …, H_L whose layers have orthonormal rows or columns, always the same."""
        generator = torch.Generator().manual_seed(0)
        shapes = zip(widths[1:], widths[:-1], strict=True)
        return cls([nn.init.orthogonal_(torch.empty(shape), generator=generator) for shape in shapes])

    def forward(self, inputs: Tensor) -> Tensor:
        """(samples, H_L) of (samples, H_0)."""
        for weight in self.layers:
            inputs = inputs @ weight.T
        return inputs

    def matrices(self) -> list[NDArray[Any]]:
        """The layers' weights, in NumPy."""
        return [weight.detach().numpy() for weight in self.layers]

    @torch.no_grad()
    def answers(self) -> Batch:
        """Whitened inputs, of which a mean is that of a normal population, and what the network says."""
        width = self.layers[0].shape[1]
        inputs = torch.eye(width, dtype=self.layers[0].dtype) * math.sqrt(width)
        return inputs, self(inputs)


def half_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error of a sample, in the mean: the negative log-likelihood of unit noise."""
    return (outputs - targets).square().sum(dim=-1).mean() / 2
