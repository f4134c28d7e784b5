"""Lempel-Ziv complexity (1976): in how many phrases a string of bits builds itself up from its own past.

Read from the left, each phrase is the shortest string that has not begun earlier (overlaps allowed), so it is
one bit longer than the longest match with what began before: the exhaustive history of Lempel and Ziv (On the
Complexity of Finite Sequences, IEEE Trans. Inf. Theory 22(1):75-81, 1976), counted as by Kaspar and Schuster
(Phys. Rev. A 36(2):842-848, 1987). Here the matches are found with sorted suffixes, in O(n log² n) instead of
their O(n²): the earlier suffix that matches the farthest is one of the two nearest, in sorted order, of those
that begin earlier (Crochemore and Ilie, Inf. Process. Lett. 106(2):75-80, 2008).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.measure import Measure
from bnnedge.packed.bits import WORD_BITS
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "lz76_normalised", "lz76_phrases"]


def lz76_normalised(matrix: PackedMatrix) -> float:
    """Phrases c of the n bits, read row after row, as ``c log2(n) / n``; NaN for fewer than two bits.

    It tends to the entropy rate of a stationary source, but slowly: fair bits score 1.08 at n = 640, 1.04 at
    4,096 and 1.02 at 65,536.
    """
    bits = matrix.bits
    if bits < 2:
        return math.nan
    return lz76_phrases(matrix.to_bits().ravel()) * math.log2(bits) / bits


def lz76_phrases(bits: NDArray[np.bool_]) -> int:
    """Number of phrases in the exhaustive history of (n,) booleans; the last one may be incomplete.

    The example of Lempel and Ziv, 0·001·10·100·1000·101:

    >>> lz76_phrases(np.array([int(bit) for bit in "0001101001000101"], dtype=bool))
    6
    """
    windows = _windows(bits)
    lower, upper = _nearest_earlier(_sorted_suffixes(windows))
    phrases = place = 0
    while place < bits.size:
        match = max(_common(windows, lower[place], place), _common(windows, upper[place], place))
        place += match + 1
        phrases += 1
    return phrases


def _windows(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """The 64 bits from each place on, the end included, as a number: the first bit the most significant.

    The string is taken to go on as 1000…: then no suffix is the beginning of another, so that all differ. Two
    may have more in common than there is before the end, but then the phrase is the last one in any case.
    """
    windows = np.append(bits, True).astype(np.uint64)
    length = 1
    while length < WORD_BITS:
        longer = windows << np.uint64(length)
        longer[:-length] |= windows[length:]
        windows = longer
        length *= 2
    return windows


def _sorted_suffixes(windows: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Places in the order of the suffixes that begin there, by prefix doubling (Manber and Myers, 1993)."""
    places, length = windows.size, WORD_BITS
    order = np.argsort(windows)
    ranks = _ranks(windows, order)
    while ranks.max() < places - 1:
        beyond = np.zeros(places, dtype=np.int64)  # past the end there are only zeros, which come first
        beyond[:-length] = ranks[length:] + 1
        keys = ranks * (places + 1) + beyond
        order = np.argsort(keys)
        ranks = _ranks(keys, order)
        length *= 2
    return order


def _ranks(keys: NDArray[np.uint64] | NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, … for each place by its key; equal keys have equal ranks."""
    ordered = keys[order]
    ranks = np.zeros(keys.size, dtype=np.int64)
    ranks[order[1:]] = np.cumsum(ordered[1:] != ordered[:-1])
    return ranks


def _nearest_earlier(order: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """For each place the nearest lower and upper one in the order that is earlier; −1 if none."""
    lower, upper = np.empty_like(order), np.empty_like(order)
    lower[order] = _last_smaller(order)
    upper[order] = _last_smaller(order[::-1])[::-1]
    return lower.tolist(), upper.tolist()


def _last_smaller(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of some numbers from 0 on, which all differ, the last smaller one before it; −1 if none.

    Each looks at the one before it, then, as long as that is larger, at the one which that one looks at: all
    that are passed over are larger still. Since all move on together, distances double.
    """
    numbers = np.append(-1, numbers)
    looks_at = np.maximum(np.arange(-1, numbers.size - 1), 0)
    looking = np.arange(1, numbers.size)
    while looking.size:
        looking = looking[numbers[looks_at[looking]] > numbers[looking]]
        looks_at[looking] = looks_at[looks_at[looking]]
    return numbers[looks_at[1:]]


def _common(windows: NDArray[np.uint64], earlier: int, place: int) -> int:
    """How many bits two places' suffixes have in common, at least up to the end; 0 without an earlier one."""
    if earlier < 0:
        return 0
    end = windows.size - 1
    for length in range(0, end - place, WORD_BITS):
        differing = int(windows[earlier + length]) ^ int(windows[place + length])
        if differing:
            return length + WORD_BITS - differing.bit_length()
    return end - place


MEASURES = (
    Measure(
        key="lz76_normalised",
        header="LZ76",
        unit="of c·log2(n)/n",
        cost="slow",
        meaning="just above 1 for random bits, small where rows repeat themselves or earlier rows",
        of=lz76_normalised,
    ),
)
