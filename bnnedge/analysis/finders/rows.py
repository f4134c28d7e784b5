"""Which rows of a bit matrix are the same, or the negative of one another, by hashes of packed words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.packed.bits import Words, pack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["RowGroups", "WeightRows", "group_rows", "ones_under", "repeated", "row_slices"]

SLICE_WORDS = 1 << 15  # 256 KiB of a matrix at a time: a slice and its copies stay in cache


@dataclass(frozen=True, eq=False)
class WeightRows:
    """Rows of integer weights, most of them ±1: what a layer's bits amount to over distinct inputs.

    Attributes:
        matrix: (rows, columns) bits.
        mask: (words of a row,), 1 where a column counts by itself.
        sums: (rows, shared) int64, weights of inputs that reach the layer through several columns.
    """

    matrix: PackedMatrix
    mask: Words
    sums: NDArray[np.int64]

    @classmethod
    def of(cls, matrix: PackedMatrix) -> WeightRows:
        """Every column by itself."""
        mask = pack_bits(np.ones(matrix.columns, dtype=bool))
        return cls(matrix, mask, np.zeros((matrix.rows, 0), dtype=np.int64))


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Rows that are equal up to their sign.

    Attributes:
        firsts: (rows,) index of the first row that is the same or the negative.
        signs: (rows,) int8, +1 where the row equals that first one, −1 where it is its negative.
    """

    firsts: NDArray[np.intp]
    signs: NDArray[np.int8]


def repeated(labels: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Positions of each label that occurs more than once, in the order of the labels."""
    order = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        yield order[start : start + size]


def group_rows(rows: WeightRows, seed: int = 0) -> RowGroups:
    """Group rows that are equal up to their sign: exactly, in time linear in the bits.

    A row's hash is linear (Σ key · half-word, modulo 2^64), so the hash of its negative follows from its own
    and no row is ever complemented. Every match is then checked bit by bit; should two different rows share
    a hash, the keys are drawn anew, from the next seed.
    """
    groups = _group_by_hash(rows, seed)
    return groups if _holds(rows, groups) else group_rows(rows, seed + 1)


def row_slices(matrix: PackedMatrix) -> Iterator[slice]:
    """Slices of rows, each of them small enough to stay in cache with a few copies of it."""
    step = max(1, SLICE_WORDS // matrix.words.shape[1])
    for start in range(0, matrix.rows, step):
        yield slice(start, start + step)


def ones_under(matrix: PackedMatrix, mask: Words) -> NDArray[np.int64]:
    """(rows,) number of 1 bits of each row under a mask of (words of a row,)."""
    ones = np.zeros(matrix.rows, dtype=np.int64)
    if mask.any():
        for part in row_slices(matrix):
            ones[part] = np.bitwise_count(matrix.words[part] & mask).sum(axis=1, dtype=np.int64)
    return ones


def _group_by_hash(rows: WeightRows, seed: int) -> RowGroups:
    hashes, of_all_ones = _hashes(rows, seed)
    negatives = of_all_ones - hashes
    upright = hashes <= negatives
    _, firsts, inverse = np.unique(
        np.where(upright, hashes, negatives), return_index=True, return_inverse=True
    )
    first_of_each = firsts[inverse]
    return RowGroups(first_of_each, np.where(upright == upright[first_of_each], 1, -1).astype(np.int8))


def _hashes(rows: WeightRows, seed: int) -> tuple[Words, np.uint64]:
    """Each row's hash, and what a row's and its negative's add up to."""
    keys = _keys(2 * rows.mask.size + rows.sums.shape[1], seed)
    bit_keys, sum_keys = keys[: 2 * rows.mask.size], keys[2 * rows.mask.size :]
    hashes = rows.sums.view(np.uint64) @ sum_keys
    for part in row_slices(rows.matrix):
        hashes[part] += _halves(rows.matrix.words[part] & rows.mask) @ bit_keys
    return hashes, np.uint64(_halves(rows.mask) @ bit_keys)


def _keys(number: int, seed: int) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, number, dtype=np.uint64)


def _halves(words: Words) -> Words:
    return words.view(np.uint32).astype(np.uint64)


def _holds(rows: WeightRows, groups: RowGroups) -> bool:
    """Whether every row is its group's first row, or its negative."""
    matched = np.flatnonzero(groups.firsts != np.arange(groups.firsts.size))
    step = max(1, SLICE_WORDS // rows.mask.size)
    for start in range(0, matched.size, step):
        some = matched[start : start + step]
        firsts, negated = groups.firsts[some], groups.signs[some] < 0
        differing = (rows.matrix.words[some] ^ rows.matrix.words[firsts]) & rows.mask
        if (differing != np.where(negated[:, None], rows.mask, np.uint64(0))).any():
            return False
        if (rows.sums[some] != rows.sums[firsts] * groups.signs[some, None]).any():
            return False
    return True
