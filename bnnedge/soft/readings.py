"""What is read off a block histogram: BDM, block entropy, CTM, the bits of a dictionary of blocks.

A reading is a sum over the 65,536 patterns of a function f_j of the pattern's count, and a function of the
sum. At whole counts it is the hard measure of the same name. Between 0 and 1, where an expected count says
that a pattern is there in part, what its presence costs follows the curve ``h (3 − h) / 2``. It is concave,
so that two halves of one pattern cost less than halves of two. By a line they would cost the same, and
nothing would draw blocks together until one of them was whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from bnnedge.complexity.ctm import ctm_table
from bnnedge.soft.memory import dictionary_bits

__all__ = ["BDM", "CTM", "DICTIONARY", "DISTINCT", "ENTROPY", "Reading", "ctm_tensor"]

# Below this count the entropy's h log2(1 / h) goes on as a line: its own slope has no limit at 0.
_LEAST_COUNT = 2.0**-8


@dataclass(frozen=True)
class Reading:
    """A number read off a block histogram.

    Attributes:
        each: f_j of counts and of their patterns' CTM values, tensors of one shape; f_j(0) = 0.
        total: the reading, of ``Σ f_j`` and of the number of blocks.
    """

    each: Callable[[Tensor, Tensor], Tensor]
    total: Callable[[Tensor, int], Tensor]

    def of(self, histogram: Tensor, blocks: int) -> Tensor:
        """The reading, a scalar, of (65536,) counts of so many blocks in all."""
        return self.total(self.each(histogram, ctm_tensor(histogram.dtype, histogram.device)).sum(), blocks)


@cache
def ctm_tensor(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(65536,) CTM values of the 4x4 blocks, bits; one tensor for each type and device, not to be changed."""
    return torch.tensor(ctm_table((4, 4)), dtype=dtype, device=device)


def _presence(counts: Tensor) -> Tensor:
    """g(h): 0 at 0, 1 from 1 on, ``h (3 − h) / 2`` between; below 0, where a sample may be, 3 h / 2."""
    upper = counts.clamp(max=1)
    return upper * (3 - upper.clamp(min=0)) / 2


def _bdm(counts: Tensor, ctm: Tensor) -> Tensor:
    return ctm * _presence(counts) + counts.clamp(min=1).log2()


def _surprise(counts: Tensor, _: Tensor) -> Tensor:
    return counts * counts.clamp(min=_LEAST_COUNT).log2()


def _entropy(surprises: Tensor, blocks: int) -> Tensor:
    return math.log2(blocks) - surprises / blocks


def _sum(total: Tensor, _: int) -> Tensor:
    return total


BDM = Reading(_bdm, _sum)
"""Bits: ``Σ CTM_j g(h_j) + log2 max(1, h_j)``, g being presence; above 1 the slope is 1 / (h_j ln 2)."""

ENTROPY = Reading(_surprise, _entropy)
"""Bits a block: ``log2 N − Σ h_j log2 h_j / N``, the entropy of the mean distribution of a block."""

CTM = Reading(lambda counts, ctm: ctm * counts, lambda total, blocks: total / blocks)
"""Bits a block: ``Σ CTM_j h_j / N``, the expected CTM of a block."""

DISTINCT = Reading(lambda counts, _: _presence(counts), _sum)
"""Blocks: ``Σ g(h_j)``, the number of different ones."""

DICTIONARY = Reading(DISTINCT.each, dictionary_bits)
"""Bits: of the distinct blocks as a dictionary, and of the words that name them."""
