"""Readings of the histogram of drawn weights, with gradients of their expectation.

What a reading is for expected counts is not what it is for weights in the mean: the one is f(E h), the other
E f(h). The second, and its gradient, are had without bias from weights drawn once: where weights are
independent, the derivative of E f by a weight's probability is the mean of what f gains as that weight turns
from −1 to +1 while the others are as drawn. For every weight that is two entries of a table, so that all
blocks cost less time than a thirtieth of them does by the expected histogram.

That is the gradient of single flips: where no flip of one weight makes a block like another, as in a small
layer of random bits, entropy and dictionary have none, while the expected histogram still draws blocks
together.

Where all probabilities are 0 or 1, value and gradient are exact: those of the hard measure, and of each flip.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from bnnedge.soft.histogram import PATTERNS, place_values
from bnnedge.soft.readings import Reading, ctm_tensor
from bnnedge.soft.sampling import WHOLE, Sampling

__all__ = ["drawn_reading"]


def drawn_reading(blocks: Tensor, reading: Reading, sampling: Sampling = WHOLE) -> Tensor:
    """A reading of one drawn network, a scalar; its gradient is an unbiased one of the reading's sum.

    Args:
        blocks: (blocks, 16) probabilities of ones, as ``blocks_of`` gives them.
        reading: what to read off the histogram.
        sampling: its generator draws the weights; all blocks are taken, whatever its share.
    """
    chances = torch.rand(blocks.shape, generator=sampling.generator, dtype=blocks.dtype)
    total: Tensor = _Drawn.apply(blocks, chances.to(blocks.device), reading)  # type: ignore[no-untyped-call]
    return reading.total(total, len(blocks))


@cache
def _first_of_a_kind(reading: Reading, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(65536,) what the first block of each code adds."""
    ctm = ctm_tensor(dtype, device)
    return reading.each(torch.ones_like(ctm), ctm)


class _Drawn(torch.autograd.Function):
    """``Σ f_j`` of the histogram of drawn bits."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor, chances: Tensor, reading: Reading) -> Tensor:
        bits = chances < blocks
        masks = place_values(blocks)
        codes = (bits.to(blocks.dtype) @ masks).int()
        counts = torch.bincount(codes, minlength=PATTERNS).to(blocks.dtype)
        ctm = ctm_tensor(blocks.dtype, blocks.device)
        own, own_ctm = counts.index_select(0, codes), ctm.index_select(0, codes)
        here = reading.each(own, own_ctm)
        # What one more block of a code adds: f(1) where there is none yet.
        joins = _first_of_a_kind(reading, blocks.dtype, blocks.device).clone()
        joins[codes.long()] = reading.each(own + 1, own_ctm) - here
        leaves = here - reading.each(own - 1, own_ctm)
        turned = (codes[:, None] ^ masks.int()).flatten()
        gains = joins.index_select(0, turned).view_as(blocks).sub_(leaves[:, None])
        ctx.save_for_backward(gains.mul_(1 - 2 * bits.to(blocks.dtype)))
        return (here / own).sum()  # each of a code's blocks has its share of f

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gains,) = ctx.saved_tensors
        return gains * upstream, None, None
