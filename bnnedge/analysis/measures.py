"""What is measured of one bit matrix, or of several with their blocks pooled: the columns of every report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of, entropy_of_share
from bnnedge.complexity.histogram import block_histogram
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["LAYOUT", "Measures", "measure"]

LAYOUT = "(out, in), 4x4 blocks, edge ignored"


@dataclass(frozen=True)
class Measures:
    """Complexity of some weight bits over whole 4x4 blocks of their (outputs, inputs) matrices.

    Attributes:
        bits: number of weights.
        bits_kept: weights inside a whole block.
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
        values = asdict(self) | {"bdm_per_bit": self.bdm_per_bit}
        missing = {name for name, value in values.items() if isinstance(value, float) and math.isnan(value)}
        return {name: None if name in missing else value for name, value in values.items()}


def measure(matrices: Sequence[PackedMatrix]) -> Measures:
    """Measure one matrix, or several as one collection of blocks (as Sakabe et al. pool their layers)."""
    histograms = [block_histogram(matrix) for matrix in matrices]
    pooled = sum(histograms[1:], start=histograms[0])
    bits = sum(matrix.bits for matrix in matrices)
    density = sum(matrix.ones for matrix in matrices) / bits
    return Measures(
        bits=bits,
        bits_kept=pooled.bits_kept,
        bits_dropped=pooled.bits_dropped,
        density=density,
        bit_entropy=entropy_of_share(density),
        blocks=pooled.blocks,
        distinct_blocks=pooled.distinct,
        block_entropy=block_entropy_of(pooled),
        bdm=bdm_of(pooled),
        reason="" if pooled.blocks else "no whole 4x4 block fits",
    )
