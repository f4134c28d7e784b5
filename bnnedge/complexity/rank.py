"""Rank over GF(2): how many neurons' bits are not the exclusive or of others'.

It sees what no window does: a layer made of few patterns, however its neurons and inputs are ordered. It does
not see patterns with noise: a few flipped bits restore the full rank.
"""

from __future__ import annotations

import math
from operator import itemgetter

import numpy as np

from bnnedge.complexity.measure import Measure, Shared
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "rank_gf2", "rank_gf2_share"]


def rank_gf2(matrix: PackedMatrix) -> float:
    """Rank of the bits over GF(2), by Gaussian elimination on words; NaN without a bit.

    It takes ``rank · rows · words a row`` operations on words at most: cubic, though 64 bits at a time.

    >>> rank_gf2(PackedMatrix.from_bits([[1, 1, 0], [0, 1, 1], [1, 0, 1]]))
    2.0
    """
    if not matrix.bits:
        return math.nan
    words, full = matrix.words.copy(), min(matrix.shape)
    rank = 0
    for row, pivot in enumerate(words):
        occupied = np.flatnonzero(pivot)
        if not occupied.size:
            continue
        rank += 1
        if rank == full:
            break
        # Any 1 bit will do as the pivot. In the first word that has one: no word before it then changes.
        first = int(occupied[0])
        lowest = pivot[first] & (~pivot[first] + np.uint64(1))
        below = words[row + 1 :, first:]
        below[np.flatnonzero(below[:, 0] & lowest)] ^= pivot[first:]
    return float(rank)


def rank_gf2_share(matrix: PackedMatrix) -> float:
    """Rank over GF(2) as a share of the largest there can be, min(rows, columns); NaN without a bit."""
    return _share(_rank_and_most(matrix))


def _rank_and_most(matrix: PackedMatrix) -> tuple[float, int]:
    return rank_gf2(matrix), min(matrix.shape)


def _share(rank_and_most: tuple[float, int]) -> float:
    rank, most = rank_and_most
    return rank / most if most else math.nan


MEASURES = (
    Measure(
        key="rank_gf2",
        header="Rank\nGF(2)",
        unit="neurons",
        cost="quadratic",  # as long as rows and columns are a few thousand; in truth cubic / 64
        meaning="fewer than there are neurons: the bits of some are the exclusive or of others'",
        of=rank_gf2,
        shared=Shared(_rank_and_most, itemgetter(0)),
        format=",.0f",
    ),
    Measure(
        key="rank_gf2_share",
        header="Rank share\nGF(2)",
        unit="share",
        cost="quadratic",
        meaning="rank by min(neurons, inputs): 1 or just below for random bits, small for few patterns",
        of=rank_gf2_share,
        shared=Shared(_rank_and_most, _share),
    ),
)
