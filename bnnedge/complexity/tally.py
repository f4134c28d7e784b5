"""Counts of 4x4 blocks that change, with the BDM and the block entropy that go with them.

Both measures are sums over codes, so each code's terms are kept and only those of codes whose count changed
are computed again. The sums are always taken anew: rounding does not pile up, however long one follows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.histogram import BlockHistogram

__all__ = ["Tally", "first_of_runs"]

Codes = NDArray[np.intp]
Numbers = NDArray[np.float64]


class Tally:
    """The counts of a 4x4 histogram, from which blocks are taken away while others are added.

    >>> tally = Tally(BlockHistogram({(4, 4): np.bincount([0, 0, 7], minlength=1 << 16)}, 48, 0))
    >>> tally.move(np.array([0]), np.array([7]))
    >>> np.flatnonzero(tally.counts), round(tally.block_entropy, 6)
    (array([0, 7]), 0.918296)
    """

    def __init__(self, histogram: BlockHistogram) -> None:
        # Whole numbers below 2**53 are exact as floats, and need no conversion for their logarithms.
        self._counts = histogram.counts[4, 4].astype(np.float64)
        self._blocks = histogram.blocks
        self._bits, self._surprises = np.zeros_like(self._counts), np.zeros_like(self._counts)
        present = np.flatnonzero(self._counts)
        self._bits[present], self._surprises[present] = self._terms(present, self._counts[present])

    @property
    def counts(self) -> NDArray[np.int64]:
        """(65536,) int64 by block code; a copy."""
        return self._counts.astype(np.int64)

    @property
    def bdm(self) -> float:
        """As ``bdm_of`` has it, in bits; NaN without blocks."""
        return float(self._bits.sum()) if self._blocks else math.nan

    @property
    def block_entropy(self) -> float:
        """As ``block_entropy_of`` has it, in bits a block; NaN without blocks."""
        if not self._blocks:
            return math.nan
        # Not a matrix product: BLAS would start threads for it, and wait for them where cores are busy.
        return float(np.einsum("i,i->", self._counts, self._surprises)) / self._blocks

    def move(self, before: Codes, after: Codes) -> None:
        """Take away blocks of some codes, and add as many of others."""
        np.subtract.at(self._counts, before, 1.0)
        np.add.at(self._counts, after, 1.0)
        touched = np.concatenate([before, after])
        self._bits[touched], self._surprises[touched] = self._terms(touched, self._counts.take(touched))

    def follow(self, steps: int, step: Codes, before: Codes, after: Codes) -> tuple[Numbers, Numbers]:
        """Move blocks, each at one of several steps, and see both measures change from step to step.

        Args:
            steps: number of steps, at most 2**15, so that a code and a step fit one short number.
            step: (blocks,) the step, from 0, at which each block moves.
            before: (blocks,) its code before.
            after: (blocks,) its code after.

        Returns:
            (steps,) changes of BDM in bits, and (steps,) changes of block entropy in bits a block.
        """
        if not step.size:
            return np.zeros(steps), np.zeros(steps)
        code, step, net = _net_changes(steps, step, before, after)
        first = first_of_runs(code)
        touched, events = code.take(first), np.diff(first, append=code.size)
        passed = np.cumsum(net)
        counts = passed + np.repeat((self._counts[touched] - passed[first]) + net[first], events)
        bits, surprises = self._terms(code, counts)
        entropies = counts * surprises / self._blocks
        old_bits, old_entropies = np.roll(bits, 1), np.roll(entropies, 1)
        old_bits[first] = self._bits[touched]
        old_entropies[first] = self._counts[touched] * self._surprises[touched] / self._blocks

        last = first + events - 1
        self._counts[touched] = counts[last]
        self._bits[touched], self._surprises[touched] = bits[last], surprises[last]
        return (
            np.bincount(step, bits - old_bits, minlength=steps).astype(np.float64),
            np.bincount(step, entropies - old_entropies, minlength=steps).astype(np.float64),
        )

    def _terms(self, codes: Codes, counts: Numbers) -> tuple[Numbers, Numbers]:
        """What codes that occur so often add to BDM, and −log2 of their share."""
        logarithms = np.log2(np.maximum(counts, 1.0))
        bits = np.where(counts > 0, ctm_table((4, 4)).take(codes) + logarithms, 0.0)
        return bits, math.log2(max(1, self._blocks)) - logarithms


def _net_changes(steps: int, step: Codes, before: Codes, after: Codes) -> tuple[Codes, Codes, Numbers]:
    """By how much a code's count changes at a step: (changes,) codes, steps and numbers, in this order."""
    width = (steps - 1).bit_length()  # a step is told from a code by shifts: dividing takes longer
    keys = np.concatenate([(before << width | step) << 1, (after << width | step) << 1 | 1]).astype(np.uint32)
    keys.sort()
    first = first_of_runs(keys >> 1)
    changes = (keys.take(first) >> 1).astype(np.intp)
    code, step = changes >> width, changes & (1 << width) - 1
    return code, step, np.add.reduceat(2.0 * (keys & 1) - 1.0, first)


def first_of_runs(numbers: NDArray[np.integer[Any]]) -> Codes:
    """Where, in numbers that are in order, each number stands first."""
    return np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
