"""Minimum spanning tree of the Hamming distances between neurons, or inputs, up to complement.

A neuron's popcount is another's plus a correction over the inputs in which the two differ, or, of the other's
complement, over those in which they agree. The tree that needs the fewest corrections in all is a minimum
spanning tree, and its weight follows the LUTs of an unrolled layer: what counts is what a neuron is given its
nearest other, not what it is by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.measure import Measure, Shared
from bnnedge.complexity.transpose import transpose
from bnnedge.packed.bits import Words
from bnnedge.packed.matrix import PackedMatrix

__all__ = [
    "MEASURES",
    "NeuronTree",
    "SpanningTree",
    "minimum_spanning_tree",
    "neuron_tree",
    "spanning_tree_inputs",
    "spanning_tree_neurons",
]

# Words to work on at a time: what one operation leaves for the next stays in the L2 cache.
_SLICE_WORDS = 1 << 14
# Up to which all distances, and the signs as floats, are held at a time: 16 MiB each.
_SMALL_ROWS, _SMALL_BITS = 1 << 11, 1 << 22


@dataclass(frozen=True, eq=False)
class SpanningTree:
    """A rooted tree over the rows of a matrix.

    Attributes:
        parents: (rows,) int64; −1 for row 0, the root.
        complemented: (rows,) booleans, whether a row is compared with the complement of its parent.
        weight: bits in which rows differ from their parents, or parents' complements, in all.
    """

    parents: NDArray[np.int64]
    complemented: NDArray[np.bool_]
    weight: int


def minimum_spanning_tree(matrix: PackedMatrix) -> SpanningTree:
    """The tree over the rows with the least weight, of distances ``min(d, columns − d)``.

    Prim's algorithm: time is quadratic in the rows, memory, of a large matrix, a copy of it and a few numbers
    a row. Where several trees are as light, the matrix's size has a say in which one it is.

    >>> weights = PackedMatrix.from_signs([[1, 1, 1, 1, 1], [-1, 1, 1, 1, 1], [1, -1, -1, -1, 1]])
    >>> tree = minimum_spanning_tree(weights)
    >>> tree.parents.tolist(), tree.complemented.tolist(), tree.weight
    ([-1, 0, 1], [False, False, True], 2)
    """
    small = matrix.rows <= _SMALL_ROWS and matrix.bits <= _SMALL_BITS
    return _tree_of_small(matrix) if small else _tree_of_large(matrix)


def _tree_of_small(matrix: PackedMatrix) -> SpanningTree:
    """With all distances at once: a product of ±1 takes less time than calls for each row."""
    parents = np.full(matrix.rows, -1, dtype=np.int64)
    signs = matrix.to_signs().astype(np.float32)  # exact up to 2**24, and multiplied quickly
    products = signs @ signs.T
    nearest = (matrix.columns - np.abs(products)) / 2
    distances, outside = np.full(matrix.rows, np.inf, dtype=np.float32), np.ones(matrix.rows, dtype=bool)
    weight = newest = 0
    for _ in range(matrix.rows - 1):
        outside[newest], distances[newest] = False, np.inf
        closer = np.flatnonzero((nearest[newest] < distances) & outside)
        distances[closer] = nearest[newest, closer]
        parents[closer] = newest
        newest = int(np.argmin(distances))
        weight += int(distances[newest])
    complemented = products[np.arange(matrix.rows), parents] < 0
    complemented[:1] = False  # the root has no parent
    return SpanningTree(parents, complemented, weight)


def _tree_of_large(matrix: PackedMatrix) -> SpanningTree:
    """With the distances of one row at a time."""
    parents = np.full(matrix.rows, -1, dtype=np.int64)
    complemented = np.zeros(matrix.rows, dtype=bool)
    # (words, rows), so that the popcounts of a row's words are added up as whole vectors. Rows outside the
    # tree come first: the last of them takes the place of one that joins it.
    words = matrix.words.T.copy()
    outside = np.arange(matrix.rows)
    distances = np.full(matrix.rows, matrix.columns + 1, dtype=np.int64)
    weight = joining = 0
    for last in range(matrix.rows - 1, 0, -1):
        newest, row = outside[joining], words[:, joining, None].copy()
        outside[joining], distances[joining], words[:, joining] = (
            outside[last],
            distances[last],
            words[:, last],
        )
        differing = _differing(words[:, :last], row)
        agreeing = matrix.columns - differing
        closer = np.flatnonzero(np.minimum(differing, agreeing) < distances[:last])
        distances[closer] = np.minimum(differing, agreeing)[closer]
        parents[outside[closer]] = newest
        complemented[outside[closer]] = (agreeing < differing)[closer]
        joining = int(np.argmin(distances[:last]))
        weight += int(distances[joining])
    return SpanningTree(parents, complemented, weight)


class NeuronTree(NamedTuple):
    """The weight of a layer's spanning tree, and of how many neurons and inputs it is."""

    weight: int
    neurons: int
    inputs: int


def neuron_tree(matrix: PackedMatrix) -> NeuronTree:
    """What measures read off the minimum spanning tree between neurons."""
    return NeuronTree(minimum_spanning_tree(matrix).weight, matrix.rows, matrix.columns)


def spanning_tree_neurons(matrix: PackedMatrix) -> float:
    """Weight of the minimum spanning tree between neurons, in bits; NaN for fewer than two, or no inputs.

    Up to complement, reordering or complementing neurons, or inputs in all neurons, does not change it.
    """
    return _weight(neuron_tree(matrix))


def _weight(tree: NeuronTree) -> float:
    return float(tree.weight) if tree.neurons > 1 and tree.inputs else math.nan


def spanning_tree_inputs(matrix: PackedMatrix) -> float:
    """Weight of the minimum spanning tree between inputs, in bits; NaN for fewer than two, or no neurons."""
    return spanning_tree_neurons(transpose(matrix))


def _differing(words: Words, row: Words) -> NDArray[np.int64]:
    """In how many bits each column of (words, rows) differs from the (words, 1) of another."""
    rows = words.shape[1]
    differing = np.zeros(rows, dtype=np.int64)
    step = max(1, _SLICE_WORDS // rows)
    for start in range(0, len(words), step):
        part = slice(start, start + step)
        differing += np.bitwise_count(words[part] ^ row[part]).sum(axis=0, dtype=np.uint32)
    return differing


MEASURES = (
    Measure(
        key="spanning_tree_neurons_bits",
        header="Tree of\nneurons",
        unit="bits",
        cost="quadratic",
        meaning="weights in which neurons differ from their nearest others: corrections, in unrolled designs",
        of=spanning_tree_neurons,
        format=",.0f",
        shared=Shared(neuron_tree, _weight),
    ),
    Measure(
        key="spanning_tree_inputs_bits",
        header="Tree of\ninputs",
        unit="bits",
        cost="quadratic",
        meaning="weights in which inputs differ from their nearest others: few, and inputs can share logic",
        of=spanning_tree_inputs,
        format=",.0f",
    ),
)
