"""How far a bit follows from the bits beside it: conditional entropy and agreement, off shifted words.

Both are statistics of pairs that are next to each other in the matrix: inputs as the layer numbers them (rows
of pixels, say) and neurons in their order. A layer of real weights has structure along the inputs where they
have a geometry, and none along the neurons unless somebody sorted them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.measure import Measure
from bnnedge.packed.bits import WORD_BITS, Words, pack_bits, popcount
from bnnedge.packed.matrix import PackedMatrix

__all__ = [
    "MEASURES",
    "agreement_inputs",
    "agreement_neurons",
    "conditional_entropy",
    "neighbourhood_counts",
]

# Words to work on at a time: what one operation leaves for the next stays in the L2 cache.
_SLICE_WORDS = 1 << 14


def conditional_entropy(matrix: PackedMatrix) -> float:
    """Entropy of a bit given its left, upper and upper-left neighbours, in bits a bit, 0 to 1.

    The entropy is that of the counted frequencies: on a few hundred bits it is biased downwards.

    Returns:
        Bits a bit; NaN for a single row or column.

    >>> checkerboard = np.indices((8, 8)).sum(axis=0) % 2
    >>> conditional_entropy(PackedMatrix.from_bits(checkerboard))
    0.0
    """
    counts = neighbourhood_counts(matrix)
    places = int(counts.sum())
    if not places:
        return math.nan
    contexts = np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape)
    present = counts > 0
    some = counts[present]
    return 0.0 - float(np.sum(some * np.log2(some / contexts[present]))) / places


def agreement_inputs(matrix: PackedMatrix) -> float:
    """Share of pairs of neighbouring inputs of a neuron with the same weight; NaN for fewer than two columns.

    >>> agreement_inputs(PackedMatrix.from_signs([[1, 1, -1, -1, -1]]))
    0.75
    """
    pairs = matrix.rows * (matrix.columns - 1)
    if pairs <= 0:
        return math.nan
    differing = sum(popcount(here ^ right) for here, right in _with_right(matrix))
    return 1 - differing / pairs


def agreement_neurons(matrix: PackedMatrix) -> float:
    """Share of pairs of neighbouring neurons' weights that are equal; NaN for fewer than two rows.

    >>> agreement_neurons(PackedMatrix.from_signs([[1, 1, -1, -1], [1, -1, -1, -1]]))
    0.75
    """
    pairs = (matrix.rows - 1) * matrix.columns
    if pairs <= 0:
        return math.nan
    differing = sum(popcount(words[1:] ^ words[:-1]) for _, words in _slices(matrix, below=1))
    return 1 - differing / pairs


def neighbourhood_counts(matrix: PackedMatrix) -> NDArray[np.int64]:
    """How often each 2x2 neighbourhood occurs, at every one of its (rows − 1)(columns − 1) places.

    Returns:
        (2, 2, 2, 2) int64, indexed by the upper-left, upper and left neighbour's bit and the bit itself.
    """
    counts = np.zeros((2, 2, 2, 2), dtype=np.int64)
    counts[0, 0, 0, 0] = max(0, matrix.rows - 1) * max(0, matrix.columns - 1)
    for here, right in _with_right(matrix, below=1):
        _add_joint_ones((here[:-1], right[:-1], here[1:], right[1:]), counts)
    # counts[s] is now in how many places all the bits of s are 1, whatever the others: bit by bit, take away
    # the places where it is 1 from those where it may be either.
    for bit in range(4):
        either, one = np.moveaxis(counts, bit, 0)
        either -= one
    return counts


def _add_joint_ones(planes: tuple[Words, ...], counts: NDArray[np.int64]) -> None:
    """Add, for each non-empty subset of four planes of bits, in how many places all of them are 1."""
    joint: dict[tuple[int, ...], Words] = {}
    for subset in list(np.ndindex(2, 2, 2, 2))[1:]:
        first = subset.index(1)
        rest = (*subset[:first], 0, *subset[first + 1 :])
        joint[subset] = planes[first] & joint[rest] if any(rest) else planes[first]
        counts[subset] += popcount(joint[subset])


def _with_right(matrix: PackedMatrix, below: int = 0) -> Iterator[tuple[Words, Words]]:
    """Slices of all columns but the last, and of their right neighbours in the same places, both as numbers.

    Args:
        matrix: the bits.
        below: rows by which a slice reaches into the next.
    """
    if matrix.columns < 2:
        return
    last_word, within = divmod(matrix.columns - 1, WORD_BITS)
    but_last = _as_numbers(pack_bits(np.arange(WORD_BITS) < within))
    for word, words in _slices(matrix, below, beyond=1):
        numbers = _as_numbers(words)
        here = numbers[:, :_SLICE_WORDS]
        right = here << np.uint64(1)
        right[:, : numbers.shape[1] - 1] |= numbers[:, 1:] >> np.uint64(WORD_BITS - 1)
        if word + here.shape[1] > last_word:
            here[:, -1] &= but_last
        yield here, right


def _as_numbers(words: Words) -> Words:
    """A copy with the first byte the most significant: only so can words be shifted along a row."""
    return words.view(">u8").astype(np.uint64)


def _slices(matrix: PackedMatrix, below: int, beyond: int = 0) -> Iterator[tuple[int, Words]]:
    """Slices of rows and words, each after its first word's place, reaching into those below and beyond."""
    width = matrix.words.shape[1]
    step = max(1, _SLICE_WORDS // max(1, width))
    for word in range(0, width, _SLICE_WORDS):
        for row in range(0, matrix.rows - below, step):
            yield word, matrix.words[row : row + step + below, word : word + _SLICE_WORDS + beyond]


MEASURES = (
    Measure(
        key="conditional_entropy_bits",
        header="Conditional\nentropy",
        unit="bits a bit",
        cost="streaming",
        meaning="below the bit entropy: a bit follows from its left, upper and upper-left neighbours",
        of=conditional_entropy,
    ),
    Measure(
        key="agreement_inputs",
        header="Agreement\nof inputs",
        unit="share",
        cost="linear",
        meaning="share of neighbouring inputs with equal weights: large in smooth filters",
        of=agreement_inputs,
    ),
    Measure(
        key="agreement_neurons",
        header="Agreement\nof neurons",
        unit="share",
        cost="linear",
        meaning="share of inputs that neighbouring neurons weigh alike: what they could add up once",
        of=agreement_neurons,
    ),
)
