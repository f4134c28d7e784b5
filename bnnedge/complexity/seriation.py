"""Seriated BDM: complexity of a layer that its neurons' and inputs' order and signs do not change.

Reordering neurons, or complementing one and all that reads it, leaves what a layer computes and what its
logic costs as they are, but not its 4x4 blocks. So rows and columns are first complemented to agree with
their neighbours and put in order, near ones side by side, by hierarchical clustering on Hamming distances up
to complement.

Clustering leaves ties to the order in which it is given the rows. It is given them in an order that follows
from the distances themselves: by the sorted distances to all others, refined until nothing changes, and what
is then still alike by the distances to the rows before. So the value is exactly the same for any order and
signs of rows and columns, except where rows of equal standing are not interchangeable, or where rows differ
from all others in just half the columns, so that their signs are open. That takes a tiny or a very symmetric
matrix: of 600 random ones with sides of 4 to 11, 22 differed, by up to 16 %; of 900 with sides of 12 to 39,
none; of rank 3 over GF(2) some do, by some 4 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.bdm import bdm
from bnnedge.complexity.linkage import average_linkage
from bnnedge.complexity.measure import Measure
from bnnedge.complexity.transpose import transpose
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "seriate", "seriate_rows", "seriated_bdm"]

Order = NDArray[np.intp]
Products = NDArray[np.int32]


def seriated_bdm(matrix: PackedMatrix) -> float:
    """4x4 BDM of the matrix put in order, in bits; NaN where not a single block fits."""
    return bdm(seriate(matrix))


def seriate(matrix: PackedMatrix) -> PackedMatrix:
    """The matrix with rows and columns complemented to agree, and near ones side by side.

    Equal rows, and equal columns, up to complement, become equal neighbours.

    >>> bits = np.outer([1, -1, 1, -1, -1, 1], [1, 1, -1, -1, 1, -1])
    >>> int(seriate(PackedMatrix.from_signs(bits)).ones)
    0
    """
    return transpose(seriate_rows(transpose(seriate_rows(matrix))))


def seriate_rows(matrix: PackedMatrix) -> PackedMatrix:
    """The matrix with rows complemented to agree, and near ones side by side; columns stay as they are."""
    if not matrix.bits:
        return matrix
    upright = matrix.complement_rows(matrix.bytes[:, 0] >= 0x80)
    keys = upright.bytes.view(f"V{upright.bytes.shape[1]}")[:, 0]
    _, first, copies = np.unique(keys, return_index=True, return_counts=True)
    distinct = PackedMatrix(upright.words[first], matrix.columns)
    order, complemented = _arrangement(_products(distinct), copies, matrix.columns)
    arranged = PackedMatrix(distinct.words[order], matrix.columns).complement_rows(complemented)
    return PackedMatrix(np.repeat(arranged.words, copies[order], axis=0), matrix.columns)


def _products(matrix: PackedMatrix) -> Products:
    """(rows, rows) scalar products of rows of ±1: equal bits less different ones."""
    signs = matrix.to_signs().astype(np.float32)  # exact up to 2**24, and multiplied quickly
    return (signs @ signs.T).astype(np.int32)


def _arrangement(products: Products, copies: Order, columns: int) -> tuple[Order, NDArray[np.bool_]]:
    """An order of rows, near ones side by side, and which of them, in that order, to complement."""
    order = _canonical_order(columns - np.abs(products), copies)
    order = order[_leaves(columns - np.abs(products[np.ix_(order, order)]))]
    return order, _complemented(products[np.ix_(order, order)])


def _leaves(distances: Products) -> Order:
    """The leaves of an average-linkage tree; of two branches those ends meet that are the nearest.

    That orders as well as the optimal leaf ordering does, which takes minutes for some thousand rows.
    """
    branches = list(np.arange(len(distances))[:, None])
    for left, right in average_linkage(distances):
        a, b = branches[left], branches[right]
        ends = [distances[end_a, end_b] for end_a in (a[-1], a[0]) for end_b in (b[0], b[-1])]
        turn_a, turn_b = divmod(ends.index(min(ends)), 2)
        branches.append(np.concatenate([a[::-1] if turn_a else a, b[::-1] if turn_b else b]))
    leaves: Order = branches[-1]
    return leaves


def _complemented(products: Products) -> NDArray[np.bool_]:
    """Which rows to complement: each is to agree with the nearest signed one that it is not neutral to."""
    signs = np.zeros(len(products), dtype=np.int32)
    while (unsigned := np.flatnonzero(signs == 0)).size:
        for row in unsigned:
            agreement = products[row] * signs
            telling = np.flatnonzero(agreement)
            if telling.size:
                signs[row] = np.sign(agreement[telling[np.argmin(np.abs(telling - row))]])
        if not signs[unsigned].any():
            signs[unsigned[0]] = 1  # neutral to every signed row, as the first is: its sign is open
    complemented: NDArray[np.bool_] = signs < 0
    return complemented


def _canonical_order(distances: Products, copies: Order) -> Order:
    """An order of rows that follows from their distances and numbers of copies, not from where they stand."""
    beyond = int(distances.max()) + 1
    ranks, classes = _ranks(copies[:, None]), 0
    while True:
        neighbours = np.sort(ranks * beyond + distances, axis=1)
        ranks = _ranks(np.column_stack([ranks, neighbours]))
        if int(ranks.max()) + 1 in (classes, len(ranks)):
            break
        classes = int(ranks.max()) + 1
    placed = np.zeros(len(ranks), dtype=bool)
    while int(ranks.max()) + 1 < len(ranks):
        # Of equals the first: it gets a rank of its own, and the others are told apart by the distance to it.
        row = int(np.argmin(np.where(placed, len(ranks), ranks)))
        placed[row] = True
        ranks = _ranks(np.column_stack([ranks, distances[row]]))
    return np.argsort(ranks)


def _ranks(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ranks, 0 the smallest, of the rows of non-negative numbers; equal rows rank the same."""
    as_bytes = np.ascontiguousarray(keys, dtype=">i8")
    opaque = as_bytes.view(f"V{as_bytes.itemsize * as_bytes.shape[1]}")[:, 0]
    ranks: NDArray[np.int64] = np.unique(opaque, return_inverse=True)[1]
    return ranks


MEASURES = (
    Measure(
        key="seriated_bdm_bits",
        header="BDM\nseriated",
        unit="bits",
        cost="slow",
        meaning="BDM of neurons and inputs put in order: unlike raw BDM, follows LUTs of unrolled designs",
        of=seriated_bdm,
        format=",.0f",
    ),
)
