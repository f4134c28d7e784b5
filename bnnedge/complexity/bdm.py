"""Block Decomposition Method: algorithmic complexity of a bit matrix, summed over its distinct blocks."""

from __future__ import annotations

import math

import numpy as np

from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["bdm", "bdm_of"]


def bdm(matrix: PackedMatrix, boundary: str = "ignore", block_shape: tuple[int, ...] = (4, 4)) -> float:
    """BDM of a matrix, in bits, as pybdm 0.1.0 computes it.

    Args:
        matrix: the bits.
        boundary: ``ignore``, ``correlated`` or ``recursive``; see :mod:`bnnedge.complexity.histogram`.
        block_shape: (4, 4), or (12,), which reads the matrix row after row as one string.

    Returns:
        Bits; NaN, never 0, when not a single block fits: nothing was measured.

    Raises:
        ConfigError: no such boundary rule or block shape.

    >>> round(bdm(PackedMatrix.from_bits(np.ones((12, 12), dtype=bool))), 6)
    25.176631
    """
    return bdm_of(block_histogram(matrix, boundary, block_shape))


def bdm_of(histogram: BlockHistogram) -> float:
    """BDM of counted blocks, of one matrix or of several pooled, in bits; NaN when there are none.

    ``Σ CTM(block) + log2(multiplicity)`` over the distinct blocks (Zenil et al., Entropy 20(8):605, 2018).
    """
    if not histogram.blocks:
        return math.nan
    bits = 0.0
    for shape, counts in histogram.counts.items():
        present = counts > 0
        bits += float(ctm_table(shape)[present].sum() + np.log2(counts[present]).sum())
    return bits
