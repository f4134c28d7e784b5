"""BDM of a matrix read row after row as one string, in 12-bit blocks."""

from __future__ import annotations

from bnnedge.complexity.bdm import bdm
from bnnedge.complexity.measure import Measure
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["MEASURES", "bdm_1d"]


def bdm_1d(matrix: PackedMatrix) -> float:
    """1-D BDM, in bits, over whole 12-bit blocks; NaN without one."""
    return bdm(matrix, block_shape=(12,))


MEASURES = (
    Measure(
        key="bdm_1d_bits",
        header="BDM 1-D",
        unit="bits",
        cost="streaming",
        meaning="BDM along each neuron's inputs; only 4,096 patterns, so it saturates early",
        of=bdm_1d,
        format=",.1f",
    ),
)
