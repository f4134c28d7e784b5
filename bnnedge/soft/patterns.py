"""Soft number of distinct aligned patterns: partial sums that an unrolled layer cannot share.

Cut a layer's inputs into groups of consecutive columns. With p = P(weight = +1), two neurons agree on a group
with the probability ``Π p_i p_k + (1 − p_i)(1 − p_k)`` over its inputs, and one agrees with the other's
complement with ``Π p_i (1 − p_k) + (1 − p_i) p_k``; a circuit has no use for the difference. Each neuron
counts for one over the number of those that it is expected to agree with, itself included for certain: at
probabilities 0 and 1 that is the number of distinct patterns up to complement.

Groups are of 8 inputs, then pairs of them, and so on up to 64. The last of each width may be narrower: no
input is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bnnedge.soft.distributions import distributions
from bnnedge.soft.sampling import WHOLE, Sampling

__all__ = ["WIDTHS", "distinct_patterns"]

WIDTHS = (8, 16, 32, 64)
_NIBBLE = 4


def distinct_patterns(probabilities: Sequence[Tensor], sampling: Sampling = WHOLE) -> Tensor:
    """Expected patterns, a scalar, summed over layers, widths and groups.

    Args:
        probabilities: (outputs, inputs) of each layer.
        sampling: of the segments of 64 inputs of all layers; their sum, scaled, is without bias.
    """
    segments = [segment for layer in probabilities for segment in torch.split(layer, WIDTHS[-1], dim=1)]
    drawn = sampling.draw(len(segments))
    chosen = segments if drawn is None else [segments[place] for place in drawn.tolist()]
    return torch.stack([_of_segment(one) for one in chosen]).sum() * (len(segments) / len(chosen))


def _of_segment(probabilities: Tensor) -> Tensor:
    """Patterns of (neurons, inputs), at most 64 inputs, over the groups of all widths."""
    alike = _of_nibbles(probabilities)
    neurons = len(probabilities)
    others = 1 - torch.eye(neurons, dtype=alike.dtype, device=alike.device).repeat(1, 2)
    patterns = []
    for _ in WIDTHS:
        alike = _Pairs.apply(alike)  # type: ignore[no-untyped-call]
        patterns.append((1 + (alike * others).sum(dim=-1)).reciprocal().sum())
    return torch.stack(patterns).sum()


def _of_nibbles(probabilities: Tensor) -> Tensor:
    """(groups of four, neurons, 2 neurons) chances to agree with each neuron, then with its complement.

    They are a product of the distributions over a group's 16 patterns, of which complements stand at
    opposite ends.
    """
    neurons, inputs = probabilities.shape
    whole = inputs // _NIBBLE
    chances = []
    if whole:
        words = probabilities[:, : _NIBBLE * whole].reshape(-1, _NIBBLE)
        patterns = distributions(words).view(neurons, whole, -1).transpose(0, 1)
        chances.append(patterns @ torch.cat((patterns, patterns.flip(-1)), dim=1).mT)
    if inputs % _NIBBLE:
        rest = probabilities[:, _NIBBLE * whole :].T[..., None]
        others = torch.cat((rest, 1 - rest), dim=1).mT
        chances.append((rest * others + (1 - rest) * (1 - others)).prod(dim=0, keepdim=True))
    return torch.cat(chances)


class _Pairs(torch.autograd.Function):
    """Chances for groups twice as wide, (groups, ...) to half as many; a last one without a partner stays."""

    @staticmethod
    def forward(ctx: Any, chances: Tensor) -> Tensor:
        ctx.save_for_backward(chances)
        paired = chances[: len(chances) & ~1]
        products = paired[0::2] * paired[1::2]
        return torch.cat((products, chances[-1:])) if len(chances) % 2 else products

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (chances,) = ctx.saved_tensors
        gradient = torch.empty_like(chances)
        pairs = len(chances) // 2
        even = 2 * pairs
        torch.mul(upstream[:pairs], chances[1:even:2], out=gradient[0:even:2])
        torch.mul(upstream[:pairs], chances[0:even:2], out=gradient[1:even:2])
        gradient[even:] = upstream[pairs:]
        return gradient
