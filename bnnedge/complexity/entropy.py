"""Shannon entropy of single bits and of blocks."""

from __future__ import annotations

import math

import numpy as np

from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.errors import DataError
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["bit_entropy", "block_entropy", "block_entropy_of", "entropy_of_share"]


def bit_entropy(matrix: PackedMatrix) -> float:
    """Entropy of the share of 1 bits, in bits a bit, 0 to 1; NaN for a matrix without bits.

    >>> bit_entropy(PackedMatrix.from_signs([[1, -1], [-1, -1]]))
    0.8112781244591328
    """
    return entropy_of_share(matrix.ones / matrix.bits) if matrix.bits else math.nan


def entropy_of_share(share: float) -> float:
    """Entropy of a bit that is 1 with probability ``share``, in bits; NaN of NaN.

    Raises:
        DataError: the share is not between 0 and 1.
    """
    if share < 0 or share > 1:
        raise DataError(f"{share} is no share", "expected a number from 0 to 1")
    if share in (0, 1):
        return 0.0
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


def block_entropy(
    matrix: PackedMatrix, boundary: str = "ignore", block_shape: tuple[int, ...] = (4, 4)
) -> float:
    """Entropy of the distribution of a matrix's blocks, in bits a block.

    It is at most log2 of the number of blocks, and of the number of different blocks there can be: 16 for
    4x4 blocks. On a matrix of few blocks it says how many there are rather than how random they are.

    Args:
        matrix: the bits.
        boundary: ``ignore``, ``correlated`` or ``recursive``; see :mod:`bnnedge.complexity.histogram`.
        block_shape: (4, 4), or (12,), which reads the matrix row after row as one string.

    Returns:
        Bits a block; NaN, never 0, when not a single block fits: nothing was measured.

    Raises:
        ConfigError: no such boundary rule or block shape.

    >>> block_entropy(PackedMatrix.from_bits([[True] * 4 + [False] * 4] * 4))
    1.0
    """
    return block_entropy_of(block_histogram(matrix, boundary, block_shape))


def block_entropy_of(histogram: BlockHistogram) -> float:
    """Entropy of counted blocks, of one matrix or of several pooled, in bits a block; NaN without blocks."""
    if not histogram.blocks:
        return math.nan
    counts = np.concatenate([counts[counts > 0] for counts in histogram.counts.values()])
    shares = counts / histogram.blocks
    return 0.0 - float(np.sum(shares * np.log2(shares)))
