"""Block histograms of random matrices that resemble a given one: what its measures are compared with.

Two kinds of null model, both exact:

- All bits shuffled. The histogram is drawn straight from its distribution, so that no bit is ever moved:
  first how many of the ones lie in blocks, then how many blocks have 0, 1, … 16 ones, then, since all the
  blocks with as many ones are equally likely and independent, which blocks they are.
- Rows or columns permuted. Rows are whole words and cheap to move; columns are made rows by transposing the
  packed words, and the histogram of transposed blocks is relabelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.transpose import transpose
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["class_counts", "hypergeometric", "permuted_histograms", "shuffled_histograms"]

Integers = NDArray[np.int64]
Order = NDArray[np.intp]

_BITS = 16  # of a block
_CODES = np.arange(1 << _BITS)
# Codes in order of their ones, and where each number of ones starts in that order.
_BY_ONES = np.argsort(np.bitwise_count(_CODES), kind="stable")
_STARTS = np.concatenate([[0], np.cumsum(np.bincount(np.bitwise_count(_CODES)))]).tolist()
# The code of each block's transpose: bit 4i + j moves to 4j + i.
_TRANSPOSED = sum((_CODES >> (4 * i + j) & 1) << (4 * j + i) for i in range(4) for j in range(4))

# With more blocks a pattern than this, one binomial draw a pattern is quicker than one draw a block.
_CROWDED = 8
# NumPy draws hypergeometric numbers from populations of fewer than 1e9 of each kind only.
_NUMPY_POPULATION = 10**9
_FEW = 32


def shuffled_histograms(
    matrix: PackedMatrix, draws: int, rng: np.random.Generator
) -> Iterator[BlockHistogram]:
    """Histograms of 4x4 blocks of the matrix with all its bits shuffled, as many as ``draws``.

    They have the distribution of ``block_histogram`` (boundary ``ignore``) of bit shuffles exactly, at a cost
    of at most 65,536 numbers a draw.

    >>> matrix = PackedMatrix.from_bits(np.eye(9, dtype=bool))
    >>> [h.blocks for h in shuffled_histograms(matrix, 2, np.random.default_rng(0))]
    [4, 4]
    """
    blocks = (matrix.rows // 4) * (matrix.columns // 4)
    kept, ones = _BITS * blocks, np.full(draws, matrix.ones)
    ones = hypergeometric(rng, ones, matrix.bits - ones, np.full(draws, kept))
    for by_ones in class_counts(blocks, ones, rng):
        yield BlockHistogram({(4, 4): _patterns(by_ones.tolist(), rng)}, kept, matrix.bits - kept)


def class_counts(blocks: int, ones: Integers, rng: np.random.Generator) -> Integers:
    """How many of the blocks have 0, 1, … 16 ones when the ones fall anywhere in the blocks.

    The ones of all the blocks' first bits are drawn, then those of the second bits, and so on; each lot is
    dealt to the blocks by how many ones these have already.

    Args:
        blocks: number of 16-bit blocks.
        ones: (draws,) number of ones in all the blocks together, for each draw.
        rng: where randomness comes from.

    Returns:
        (draws, 17) int64.
    """
    counts = np.zeros((len(ones), _BITS + 1), dtype=np.int64)
    counts[:, 0] = blocks
    remaining = ones
    for bit in range(_BITS):
        here = np.full_like(ones, blocks)
        dealt = hypergeometric(rng, here, here * (_BITS - 1 - bit), remaining)
        remaining = remaining - dealt
        others = here
        for already in range(
            bit, -1, -1
        ):  # downwards: whoever gets a one goes where all were dealt to before
            some = counts[:, already].copy()
            others = others - some
            got = hypergeometric(rng, some, others, dealt)
            dealt = dealt - got
            counts[:, already] -= got
            counts[:, already + 1] += got
    return counts


def _patterns(by_ones: list[int], rng: np.random.Generator) -> Integers:
    """Counts by code of independent blocks, ``by_ones[k]`` of them uniform among those with k ones."""
    crowded: dict[int, Integers] = {}
    sparse = np.empty(sum(by_ones), dtype=np.intp)
    filled = 0
    for k, blocks in enumerate(by_ones):
        start, stop = _STARTS[k], _STARTS[k + 1]
        if blocks > _CROWDED * (stop - start):
            crowded[start] = rng.multinomial(blocks, np.full(stop - start, 1 / (stop - start)))
        elif blocks:
            sparse[filled : filled + blocks] = rng.integers(start, stop, blocks)
            filled += blocks
    counts = np.bincount(_BY_ONES[sparse[:filled]], minlength=1 << _BITS)
    for start, drawn in crowded.items():
        counts[_BY_ONES[start : start + drawn.size]] = drawn
    return counts


def hypergeometric(rng: np.random.Generator, good: Integers, bad: Integers, sample: Integers) -> Integers:
    """How many of ``sample`` draws without replacement are good, element by element, of any population."""
    if max(good.max(initial=0), bad.max(initial=0)) < _NUMPY_POPULATION:
        return rng.hypergeometric(good, bad, sample)
    each = zip(good.tolist(), bad.tolist(), sample.tolist(), strict=True)
    return np.array([_large_hypergeometric(rng, *one) for one in each], dtype=np.int64)


def _large_hypergeometric(rng: np.random.Generator, good: int, bad: int, sample: int) -> int:
    """One hypergeometric number, of any population, exactly.

    Each item is taken with probability sample / population: two binomial numbers. Given how many that takes,
    every set of as many items is equally likely, so surplus ones are put back, or missing ones taken, at
    random, and of these there are only about the square root of sample.
    """
    if max(good, bad) < _NUMPY_POPULATION:
        return int(rng.hypergeometric(good, bad, sample))
    if sample <= _FEW:
        taken = 0
        for drawn in range(sample):
            taken += int(rng.integers(good + bad - drawn)) < good - taken
        return taken
    share = sample / (good + bad)
    taken, others = int(rng.binomial(good, share)), int(rng.binomial(bad, share))
    surplus = taken + others - sample
    if surplus > 0:
        return taken - _large_hypergeometric(rng, taken, others, surplus)
    return taken + _large_hypergeometric(rng, good - taken, bad - others, -surplus)


def permuted_histograms(
    matrix: PackedMatrix, orders: Iterable[tuple[Order | None, Order | None]]
) -> Iterator[BlockHistogram]:
    """Histograms of 4x4 blocks of the matrix with its rows, its columns or both in other orders.

    Args:
        matrix: the bits.
        orders: for each draw the order of rows and that of columns; None: as they are.
    """
    turned: PackedMatrix | None = None  # the matrix transposed, once something asks for it
    for rows, columns in orders:
        upright = matrix if rows is None else PackedMatrix(matrix.words[rows], matrix.columns)
        if columns is None:
            yield block_histogram(upright)
            continue
        if rows is not None:
            sideways = transpose(upright)
        else:
            sideways = turned = turned or transpose(matrix)
        sideways = PackedMatrix(sideways.words[columns], matrix.rows)
        counted = block_histogram(sideways)
        yield BlockHistogram(
            {(4, 4): counted.counts[4, 4][_TRANSPOSED]}, counted.bits_kept, counted.bits_dropped
        )
