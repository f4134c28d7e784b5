"""The basic figures of some weight bits, all read off one count: the columns of every report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of, entropy_of_share
from bnnedge.complexity.histogram import BlockHistogram, block_histogram
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["BLOCKS", "Counted", "Measures", "count", "measure", "without_nan"]

BLOCKS = {
    "ignore": "4x4 blocks, edge ignored",
    "recursive": "4x4 blocks, edge in 3x3 and 2x2 blocks",
}


@dataclass(frozen=True)
class Measures:
    """Complexity of some weight bits over the blocks of their matrices.

    Attributes:
        bits: number of weights.
        bits_kept: weights inside a block.
        bits_dropped: weights at the edges, in no block.
        density: share of weights that are +1.
        bit_entropy: Shannon entropy of that share, bits a weight.
        blocks: number of blocks.
        distinct_blocks: number of different ones.
        block_entropy: Shannon entropy of the blocks' distribution, bits a block; NaN without blocks.
        bdm: Block Decomposition Method, bits; NaN without blocks.
        reason: why a value is NaN; empty when none is.
    """

    bits: int
    bits_kept: int
    bits_dropped: int
    density: float
    bit_entropy: float
    blocks: int
    distinct_blocks: int
    block_entropy: float
    bdm: float
    reason: str = ""

    @property
    def bdm_per_bit(self) -> float:
        """BDM over the weights that are in blocks, bits a weight; NaN without blocks."""
        return self.bdm / self.bits_kept if self.bits_kept else math.nan

    def to_dict(self) -> dict[str, int | float | str | None]:
        """Plain values for JSON; a NaN becomes None, and ``reason`` says why."""
        return without_nan(asdict(self) | {"bdm_per_bit": self.bdm_per_bit})


@dataclass(frozen=True)
class Counted:
    """What is counted in one pass over some bits; several add up, their blocks pooled in one histogram."""

    bits: int
    ones: int
    histogram: BlockHistogram

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.bits + other.bits, self.ones + other.ones, self.histogram + other.histogram)

    def measures(self) -> Measures:
        """The figures that follow from the counts."""
        histogram, density = self.histogram, self.ones / self.bits
        return Measures(
            bits=self.bits,
            bits_kept=histogram.bits_kept,
            bits_dropped=histogram.bits_dropped,
            density=density,
            bit_entropy=entropy_of_share(density),
            blocks=histogram.blocks,
            distinct_blocks=histogram.distinct,
            block_entropy=block_entropy_of(histogram),
            bdm=bdm_of(histogram),
            reason="" if histogram.blocks else "no whole 4x4 block fits",
        )


def count(matrix: PackedMatrix, boundary: str = "ignore") -> Counted:
    """Count one matrix.

    Raises:
        ConfigError: an unknown boundary rule.
    """
    return Counted(matrix.bits, matrix.ones, block_histogram(matrix, boundary))


def measure(matrices: Iterable[PackedMatrix], boundary: str = "ignore") -> Measures:
    """Measure one matrix, or several as one collection of blocks (as Sakabe et al. pool their layers)."""
    return reduce(add, [count(matrix, boundary) for matrix in matrices]).measures()


def without_nan(values: dict[str, Any]) -> dict[str, Any]:
    """Values for JSON, which has no NaN: a number that is not there is None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
