"""Patterns that neurons share over the same inputs, and rows that no 4x4 block holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding, listed
from bnnedge.analysis.finders.rows import row_slices
from bnnedge.packed.bits import pack_bits
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["GROUP", "distinct_patterns", "rows_outside_blocks", "shared_patterns"]

GROUP = 6  # inputs of a partial popcount: what one LUT6 an output bit can count
CODES = 1 << GROUP
BLOCK = 4


def shared_patterns(layer: str, matrix: PackedMatrix) -> Iterator[Finding]:
    """One summary of a layer in which some pattern over 6 aligned inputs occurs in several neurons."""
    groups = -(-matrix.columns // GROUP)
    total, distinct = matrix.rows * groups, distinct_patterns(matrix)
    if distinct == total:
        return
    yield Finding(
        kind="shared-patterns",
        layer=layer,
        neurons=(),
        message=f"of the {total:,} patterns of weights over {GROUP} aligned inputs in {layer}, {distinct:,} "
        f"are different up to complement; fair random bits would have {_expected(matrix):,.0f}",
        saves=f"{total - distinct:,} of {total:,} partial popcounts, counted once each when unrolled",
        weight_bits=0,
        keeps_function=False,
    )


def distinct_patterns(matrix: PackedMatrix) -> int:
    """Patterns over each aligned group of 6 columns, the last one shorter, up to complement, summed.

    Stops reading once every pattern there is has been seen, as happens early in large random layers.
    """
    mask = _codes(pack_bits(np.ones((1, matrix.columns), dtype=bool)), matrix.columns)
    groups = np.arange(mask.size)
    seen = np.zeros((mask.size, CODES), dtype=bool)
    possible = sum(_halved(int(code)) for code in mask[0])
    for part in row_slices(matrix):
        codes = _codes(matrix.words[part], matrix.columns)
        seen[groups, np.minimum(codes, codes ^ mask)] = True
        if np.count_nonzero(seen) == possible:
            break
    return int(np.count_nonzero(seen))


def rows_outside_blocks(layer: str, matrix: PackedMatrix) -> Iterator[Finding]:
    """The rows that whole 4x4 blocks from the top left corner leave out."""
    first = matrix.rows - matrix.rows % BLOCK if matrix.columns >= BLOCK else 0
    if first == matrix.rows:
        return
    rows = tuple(range(first, matrix.rows))
    yield Finding(
        kind="rows-outside-blocks",
        layer=layer,
        neurons=rows,
        message=f"row{'s' * (len(rows) > 1)} {listed(rows)} of {layer} lie in no whole 4x4 block of its "
        f"{matrix.rows} x {matrix.columns} bits: block measures with edge ignored say nothing about "
        f"{len(rows) * matrix.columns:,} weights",
        saves="nothing: this is about the measure",
        weight_bits=0,
        keeps_function=False,
    )


def _codes(words: NDArray[np.uint64], columns: int) -> NDArray[np.uint8]:
    """(rows, groups) the bits of each group as a number; three bytes hold four groups."""
    groups = -(-columns // GROUP)
    triples = -(-groups // 4)
    data = np.zeros((len(words), 3 * triples), dtype=np.uint8)
    filled = min(3 * triples, 8 * words.shape[1])
    data[:, :filled] = words.view(np.uint8)[:, :filled]
    first, second, third = np.moveaxis(data.reshape(len(words), triples, 3), -1, 0)
    codes = [
        first >> 2,
        (first & 0x03) << 4 | second >> 4,
        (second & 0x0F) << 2 | third >> 6,
        third & 0x3F,
    ]
    return np.stack(codes, axis=-1).reshape(len(words), 4 * triples)[:, :groups]


def _halved(mask: int) -> int:
    """Patterns up to complement of a group whose bits that count are the mask's."""
    return 1 << (mask.bit_count() - 1)


def _expected(matrix: PackedMatrix) -> float:
    """The number of different patterns that independent fair bits have on average."""
    whole, rest = divmod(matrix.columns, GROUP)
    sizes = [GROUP] * whole + [rest] * (rest > 0)
    patterns = np.array([2.0 ** (size - 1) for size in sizes])
    return float((patterns * (1 - (1 - 1 / patterns) ** matrix.rows)).sum())
