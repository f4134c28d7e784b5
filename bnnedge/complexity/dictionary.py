"""Weights as a dictionary of 4x4 blocks: the bits that a folded engine stores, and what its blocks are like.

The memory is that of :mod:`bnnedge.hardware.folded.memories` where it reads one 4x4 block at a time: a word
of ``⌈log2 E⌉`` bits, at least one, for each block, and E entries of 16 bits. Weights at the edges, in no
whole block, are stored as they are.
"""

from __future__ import annotations

import math

from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.complexity.measure import Measure, Shared
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "mean_ctm", "rom_bits"]


def rom_bits(matrix: PackedMatrix) -> float:
    """Bits of a weight memory of blocks of a dictionary; of a matrix without a whole block, its own.

    >>> rom_bits(PackedMatrix.from_signs([[1] * 8 + [-1] * 4] * 4))
    35.0
    """
    return _rom(block_histogram(matrix))


def mean_ctm(matrix: PackedMatrix) -> float:
    """Mean CTM of the 4x4 blocks, bits a block; NaN without one."""
    return _ctm(block_histogram(matrix))


def _rom(histogram: BlockHistogram) -> float:
    entries = histogram.distinct
    width = max(1, (entries - 1).bit_length())
    return float(histogram.blocks * width + 16 * entries + histogram.bits_dropped)


def _ctm(histogram: BlockHistogram) -> float:
    counts = histogram.counts[4, 4]
    return float(counts @ ctm_table((4, 4))) / histogram.blocks if histogram.blocks else math.nan


MEASURES = (
    Measure(
        key="rom_bits",
        header="ROM of\nblocks",
        unit="bits",
        cost="linear",
        meaning="weight memory as a dictionary of 4x4 blocks: more than the weights, and it does not pay",
        of=rom_bits,
        format=",.0f",
        shared=Shared(block_histogram, _rom),
        of_blocks=_rom,
    ),
    Measure(
        key="ctm_bits",
        header="Mean\nCTM",
        unit="bits a block",
        cost="linear",
        meaning="complexity of the 4x4 blocks by themselves, however often each occurs: 22.0 to 36.0",
        of=mean_ctm,
        shared=Shared(block_histogram, _ctm),
        of_blocks=_ctm,
    ),
)
