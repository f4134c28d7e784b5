"""What a measure is: a number read off a bit matrix, with its unit, its cost and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bnnedge.complexity.histogram import BlockHistogram
from bnnedge.packed.matrix import PackedMatrix

__all__ = ["Cost", "Measure", "Shared"]

Cost = Literal["linear", "streaming", "quadratic", "slow"]


@dataclass(frozen=True)
class Shared:
    """A measure in two parts.

    Attributes:
        read: reads off a matrix what several measures need; with the same one, they need it once.
        of: the measure of what was read.
    """

    read: Callable[[PackedMatrix], Any]
    of: Callable[[Any], float]


@dataclass(frozen=True)
class Measure:
    """One measure of complexity.

    Attributes:
        key: its name in JSON and CSV and in gates, with the unit where it has one: ``lz76_bits``.
        header: what people read above its column.
        unit: ``bits``, ``bits a block``, ``blocks``, ``share`` …
        cost: ``linear``, at the speed of the packed kernel; ``streaming``, linear with a larger constant;
            ``quadratic`` in rows or columns; ``slow``, beyond that. On layers too large for it (see
            ``analysis.audit``) all but the first are taken on seeded tiles.
        meaning: one sentence: what a small or a large value says, and for which hardware.
        of: the measure of a matrix; NaN, never 0, where the matrix is too small to have one.
        format: format specification for people.
        shared: the same in two parts, of which the costly one serves several measures.
        of_blocks: the same, read off the 4x4 histogram (edge ignored) that every report counts anyway;
            exact where no bit was dropped, and only used there.
    """

    key: str
    header: str
    unit: str
    cost: Cost
    meaning: str
    of: Callable[[PackedMatrix], float]
    format: str = ",.3f"
    shared: Shared | None = None
    of_blocks: Callable[[BlockHistogram], float] | None = None
