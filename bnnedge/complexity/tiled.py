"""BDM per bit where the 4x4 alphabet cannot run out: comparable between layers of any size.

Only 65,536 blocks of 4x4 exist, so the BDM of a large layer counts the alphabet and not the layer: i.i.d.
bits score 1.90 bits a bit at 64x64 and 0.04 at 8192x8192. On at most 65,536 bits, 4,096 blocks, they score
1.8 to 1.9 whatever the layer's size.
"""

from __future__ import annotations

import math

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.measure import Measure
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "bdm_per_bit"]


def bdm_per_bit(matrix: PackedMatrix) -> float:
    """4x4 BDM over the bits that are in blocks, bits a bit; NaN without a block."""
    histogram = block_histogram(matrix)
    return bdm_of(histogram) / histogram.bits_kept if histogram.bits_kept else math.nan


MEASURES = (
    Measure(
        key="bdm_tile_per_bit",
        header="BDM/bit\nin tiles",
        unit="bits a bit",
        cost="slow",  # not for its time: the cost of tiles no larger than 65,536 bits
        meaning="BDM per bit on tiles too small to exhaust the 4x4 alphabet: compares layers of any size",
        of=bdm_per_bit,
    ),
)
