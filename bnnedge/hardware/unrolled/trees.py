"""A spanning tree over neurons: each one's sum is another's and a correction where the two differ.

The sum of a neuron or of its complement is its parent's plus a correction over the inputs in which their
weights differ. The tree that corrects least in all is a minimum spanning tree of Hamming distances up to
complement (Prim). Shared corrections are taken out of it: where two neighbours of a node differ from it at
the same inputs, the median of the three comes between them, so that what they share is corrected once. These
are Steiner points, as phylogeny adds ancestors to the least tree of a set of sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tree", "spanning_tree"]

Weights = NDArray[np.int16]

LEAST_SHARED = 2
"""Corrections that a Steiner point has to save: it costs a part of its own, and rounding to whole parts."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree over the rows of a weight matrix and the Steiner points that were added.

    Attributes:
        weights: (nodes, inputs), rows of the matrix first, each as it is or complemented, whichever is
            nearer to its parent.
        complemented: (nodes,) booleans.
        parents: (nodes,); −1 for the root.
        order: (nodes,), parents before their children.
    """

    weights: Weights
    complemented: NDArray[np.bool_]
    parents: NDArray[np.int64]
    order: list[int]


def spanning_tree(matrix: Weights, hops: int, *, shared: bool) -> Tree:
    """The tree over a (rows, inputs) matrix of whole numbers, at least one row, rooted at its middle.

    Args:
        matrix: weights; those of a layer are −1 and +1, and 0 or ±2 where inputs were merged.
        hops: the longest way from a row to the first, in edges.
        shared: whether to add Steiner points, which may lengthen ways.
    """
    rows = [*matrix]
    neighbours: list[set[int]] = [set() for _ in rows]
    for child, parent in enumerate(_prim(matrix, hops)):
        if parent >= 0:
            neighbours[child].add(parent)
            neighbours[parent].add(child)
    if shared:
        _share(rows, neighbours)
    return _rooted(rows, neighbours)


def _prim(matrix: Weights, hops: int) -> list[int]:
    """Parents of a minimum spanning tree; a node that is ``hops`` from row 0 takes no children."""
    parents = np.full(len(matrix), -1, dtype=np.int64)
    nearest = np.full(len(matrix), np.iinfo(np.int64).max)
    outside = np.ones(len(matrix), dtype=bool)
    far = np.zeros(len(matrix), dtype=np.int64)
    newest = 0
    for _ in range(len(matrix) - 1):
        outside[newest] = False
        if far[newest] < hops or newest == 0:
            distances = _distances(matrix, matrix[newest])
            closer = outside & (distances < nearest)
            nearest[closer] = distances[closer]
            parents[closer] = newest
            far[closer] = far[newest] + 1
        newest = int(np.argmin(np.where(outside, nearest, np.iinfo(np.int64).max)))
    return [int(parent) for parent in parents]


def _distances(rows: Weights, row: Weights) -> NDArray[np.int64]:
    """In how many weights rows differ from another or from its complement, whichever is less."""
    distances: NDArray[np.int64] = np.minimum((rows != row).sum(axis=1), (rows != -row).sum(axis=1))
    return distances


def _towards(rows: Weights, row: Weights) -> Weights:
    """Rows, complemented where that brings them nearer to another."""
    far = (rows != row).sum(axis=1) > (rows != -row).sum(axis=1)
    return np.where(far[:, None], -rows, rows)


def _share(rows: list[Weights], neighbours: list[set[int]]) -> None:
    """Put medians between nodes and two of their neighbours, the one that saves most first."""
    best = {node: _most_shared(rows, neighbours, node) for node in range(len(rows))}
    while True:
        node = max(best, key=lambda node: (best[node][0], -node))
        saved, one, other = best[node]
        if saved < LEAST_SHARED:
            return
        around = _towards(np.stack([rows[one], rows[other]]), rows[node])
        made = len(rows)
        rows.append(np.median(np.stack([*around, rows[node]]), axis=0).astype(np.int16))
        neighbours.append({node, one, other})
        neighbours[node] -= {one, other}
        for old in (one, other):
            neighbours[old].discard(node)
        for old in (node, one, other):
            neighbours[old].add(made)
        for changed in (node, one, other, made):
            best[changed] = _most_shared(rows, neighbours, changed)


def _most_shared(rows: list[Weights], neighbours: list[set[int]], node: int) -> tuple[int, int, int]:
    """Two neighbours of a node that differ from it alike, and at how many inputs; 0, −1, −1: none do."""
    around = sorted(neighbours[node])
    if len(around) < 2:
        return 0, -1, -1
    row = rows[node]
    differences = _towards(np.stack([rows[other] for other in around]), row) - row
    alike = np.zeros((len(around), len(around)), dtype=np.int64)
    for value in np.unique(differences[differences != 0]):
        same = (differences == value).astype(np.float32)
        alike += (same @ same.T).astype(np.int64)
    np.fill_diagonal(alike, 0)
    one, other = divmod(int(alike.argmax()), len(around))
    return int(alike[one, other]), around[one], around[other]


def _rooted(rows: list[Weights], neighbours: list[set[int]]) -> Tree:
    """Rooted at the middle of the longest way, each row turned towards its parent."""
    end = _walk(neighbours, 0)[0][-1]
    order, parents = _walk(neighbours, end)
    way = [order[-1]]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    order, parents = _walk(neighbours, way[len(way) // 2])
    weights = np.stack(rows)
    complemented = np.zeros(len(rows), dtype=bool)
    for node in order[1:]:
        turned = _towards(weights[node : node + 1], weights[parents[node]])[0]
        complemented[node] = (turned != weights[node]).any()
        weights[node] = turned
    return Tree(weights, complemented, np.array(parents), order)


def _walk(neighbours: list[set[int]], start: int) -> tuple[list[int], list[int]]:
    """Nodes in the order of their distance from one, and the way back."""
    parents = [-1] * len(neighbours)
    order = [start]
    for node in order:
        for other in sorted(neighbours[node]):
            if other != parents[node]:
                parents[other] = node
                order.append(other)
    return order, parents
