"""Every measure beyond the basic ones, in the order in which reports show them."""

from __future__ import annotations

from bnnedge.complexity import (
    aligned,
    compressors,
    dictionary,
    hardware_cost,
    lz76,
    neighbours,
    rank,
    seriation,
    small_blocks,
    spanning,
    strings,
    tiled,
)
from bnnedge.complexity.measure import Measure

__all__ = ["MEASURES"]

MEASURES: tuple[Measure, ...] = (
    *tiled.MEASURES,
    *strings.MEASURES,
    *small_blocks.MEASURES,
    *dictionary.MEASURES,
    *neighbours.MEASURES,
    *compressors.MEASURES,
    *lz76.MEASURES,
    *rank.MEASURES,
    *aligned.MEASURES,
    *spanning.MEASURES,
    *hardware_cost.MEASURES,
    *seriation.MEASURES,
)
