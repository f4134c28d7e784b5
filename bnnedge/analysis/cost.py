"""What a layer costs in hardware, as an audit shows it beside its complexity.

The figures are the hardware room's; whoever calls :func:`bnnedge.analysis.audit.audit` may join them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Cost", "Costs"]


@dataclass(frozen=True)
class Cost:
    """One layer's; what is not known is None.

    Attributes:
        unrolled_luts: of its sums, every weight a wire, as the generator estimates them.
        memory_bits: of its folded engine's weights, plain.
        coded_memory_bits: of the same in the smallest coding, a dictionary or banks where that is smaller.
        synthesised_luts: as Yosys counted them.
    """

    unrolled_luts: int | None
    memory_bits: int | None
    coded_memory_bits: int | None
    synthesised_luts: int | None


@dataclass(frozen=True)
class Costs:
    """A network's.

    Attributes:
        layers: by name.
        notes: how the figures came about, and why some are missing.
    """

    layers: Mapping[str, Cost]
    notes: tuple[str, ...]
