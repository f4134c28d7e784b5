"""Aligned patterns: how many different partial sums the neurons of a layer ask of each few inputs.

Cut the inputs into groups of consecutive columns. A circuit needs the popcount of a group's inputs once for
each pattern of weights there, and gets the complementary pattern's by subtraction; the same pattern over
other inputs is no use to it. So patterns are counted within their group, up to complement. Of all that was
measured, their entropy for groups of 6, the inputs of a LUT, and the spanning tree between neurons
(:mod:`bnnedge.complexity.spanning`) follow the LUTs of an unrolled layer most closely.

Where the columns are no multiple of the group, the last group is narrower and counts as any other: no input
is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.measure import Measure, Shared
from bnnedge.errors import ConfigError
from bnnedge.packed.matrix import PackedMatrix

__all__ = [
    "GROUPS",
    "MEASURES",
    "aligned_entropy",
    "aligned_patterns",
    "distinct_patterns",
    "pattern_multiplicities",
]

GROUPS = (6, 8, 16, 32, 64)
NESTED = (8, 16, 32, 64)

Codes = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.uint64]

# 192 columns are whole bytes and whole groups of every width.
_UNIT_BYTES = 24
_SHOWN = (6, 8, 16)
_STRIP_BYTES = 1 << 20


def aligned_patterns(matrix: PackedMatrix, group: int = 6) -> float:
    """Number of different patterns, up to complement, in each group of inputs, summed over the groups.

    Args:
        matrix: (neurons, inputs) bits.
        group: inputs in a group, one of ``GROUPS``.

    Returns:
        Patterns, at most ``min(neurons, 2**(group − 1))`` a group; NaN for a matrix without bits.

    Raises:
        ConfigError: no such group.

    >>> weights = PackedMatrix.from_signs([[1, 1, -1, -1, 1, 1], [-1, -1, 1, 1, -1, -1], [1, 1, 1, 1, 1, 1]])
    >>> aligned_patterns(weights)
    2.0
    """
    return _patterns(pattern_multiplicities(matrix, group))


def aligned_entropy(matrix: PackedMatrix, group: int = 6) -> float:
    """Entropy of the patterns of a group, up to complement: the mean over the groups, narrower ones alike.

    In other words, of a neuron's pattern given which group it is of.

    Args:
        matrix: (neurons, inputs) bits.
        group: inputs in a group, one of ``GROUPS``.

    Returns:
        Bits a pattern, at most ``log2(neurons)`` and ``group − 1``; NaN without inputs, or for fewer than two
        neurons, among which nothing can differ.

    Raises:
        ConfigError: no such group.

    >>> weights = PackedMatrix.from_signs([[1, 1, -1, -1, 1, 1], [-1, -1, 1, 1, -1, -1], [1, 1, 1, 1, 1, 1]])
    >>> round(aligned_entropy(weights), 6)
    0.918296
    """
    return _entropy(pattern_multiplicities(matrix, group))


def distinct_patterns(matrix: PackedMatrix) -> float:
    """Aligned patterns of groups of 8 inputs, of pairs of those, and so on up to 64, all together.

    They are the partial sums of neurons that add up their inputs in pairs and share what is the same.

    Returns:
        Patterns; NaN for a matrix without bits.

    >>> distinct_patterns(PackedMatrix.from_signs([[1] * 16, [-1] * 16, [1] * 8 + [-1] * 8]))
    8.0
    """
    return sum(aligned_patterns(matrix, group) for group in NESTED)


def _patterns(multiplicities: NDArray[np.int64]) -> float:
    patterns = int(multiplicities.sum())
    return float(patterns) if patterns else math.nan


def _entropy(multiplicities: NDArray[np.int64]) -> float:
    neurons = multiplicities.size - 1
    times = np.flatnonzero(multiplicities)
    if neurons < 2 or not times.size:
        return math.nan
    total = float(np.sum(multiplicities[times] * (times * np.log2(times))))
    return max(0.0, math.log2(neurons) - total / int(np.sum(multiplicities[times] * times)))


def pattern_multiplicities(matrix: PackedMatrix, group: int) -> NDArray[np.int64]:
    """How many patterns, each within its group of inputs, occur in no, in one, in two … in all neurons.

    Args:
        matrix: (neurons, inputs) bits.
        group: inputs in a group, one of ``GROUPS``.

    Returns:
        (neurons + 1,) int64; the first, of patterns that do not occur, is 0.

    Raises:
        ConfigError: no such group.
    """
    if group not in GROUPS:
        raise ConfigError(f"no groups of {group} inputs", f"there are {', '.join(map(str, GROUPS))}")
    multiplicities = np.zeros(matrix.rows + 1, dtype=np.int64)
    if matrix.bits:
        for codes in _strips(matrix, group):
            # For numbers this short a radix sort, and quicker than counting into a table for each group.
            codes.sort(axis=1, kind="stable")
            first = np.ones(codes.shape, dtype=bool)
            np.not_equal(codes[:, 1:], codes[:, :-1], out=first[:, 1:])
            counts = np.diff(np.flatnonzero(first), append=codes.size)
            multiplicities += np.bincount(counts, minlength=multiplicities.size)
    return multiplicities


def _strips(matrix: PackedMatrix, group: int) -> Iterator[Codes]:
    """(groups, neurons) codes, of a pattern and its complement the smaller, a strip of columns at a time."""
    encode = _sixes if group == 6 else partial(_whole_bytes, group=group)
    width = _UNIT_BYTES * max(1, _STRIP_BYTES // (_UNIT_BYTES * matrix.rows))
    for byte in range(0, -(-matrix.columns // 8), width):
        columns = min(8 * width, matrix.columns - 8 * byte)
        strip = matrix.bytes[:, byte : byte + -(-columns // 8)]
        short = -strip.shape[1] % _UNIT_BYTES
        if short:
            strip = np.pad(strip, ((0, 0), (0, short)))
        codes = encode(strip)[: -(-columns // group)]
        masks = np.full(len(codes), (1 << group) - 1, dtype=codes.dtype)
        if columns % group:
            masks[-1] &= (1 << group) - (1 << group - columns % group)
        np.minimum(codes, codes ^ masks[:, None], out=codes)
        yield codes


def _sixes(strip: NDArray[np.uint8]) -> Codes:
    """Codes of groups of 6, four of which lie in three bytes."""
    first, second, third = np.ascontiguousarray(strip.T).reshape(-1, 3, len(strip)).swapaxes(0, 1)
    codes = np.empty((len(first), 4, len(strip)), dtype=np.uint8)
    codes[:, 0] = first >> 2
    codes[:, 1] = (first & 0b11) << 4 | second >> 4
    codes[:, 2] = (second & 0b1111) << 2 | third >> 6
    codes[:, 3] = third & 0b111111
    return codes.reshape(-1, len(strip))


def _whole_bytes(strip: NDArray[np.uint8], group: int) -> Codes:
    codes: Codes = np.ascontiguousarray(strip).view(f">u{group // 8}").T.astype(f"u{group // 8}", order="C")
    return codes


_MULTIPLICITIES = {group: partial(pattern_multiplicities, group=group) for group in _SHOWN}


def _measure(
    of: Callable[..., float],
    of_multiplicities: Callable[[NDArray[np.int64]], float],
    key: str,
    header: str,
    unit: str,
    meaning: str,
) -> tuple[Measure, ...]:
    """One measure for each width of group."""
    return tuple(
        Measure(
            key=key.format(group),
            header=header.format(group),
            unit=unit,
            cost="streaming",
            meaning=meaning.format(group),
            of=partial(of, group=group),
            shared=Shared(_MULTIPLICITIES[group], of_multiplicities),
            format=",.0f" if unit == "patterns" else ",.3f",
        )
        for group in _SHOWN
    )


MEASURES = (
    *_measure(
        aligned_patterns,
        _patterns,
        "aligned_patterns_{}",
        "Patterns\nof {}",
        "patterns",
        "different weight patterns over {} neighbouring inputs: partial sums to compute, in unrolled designs",
    ),
    *_measure(
        aligned_entropy,
        _entropy,
        "aligned_entropy_{}_bits",
        "Entropy of\npatterns of {}",
        "bits a pattern",
        "small: neurons share patterns over {} neighbouring inputs, and so LUTs, in unrolled designs",
    ),
    Measure(
        key="distinct_patterns",
        header="Patterns\nof 8 to 64",
        unit="patterns",
        cost="streaming",
        meaning="patterns over 8, 16, 32, 64 neighbouring inputs: sums to build where inputs add up in pairs",
        of=distinct_patterns,
        format=",.0f",
    ),
)
