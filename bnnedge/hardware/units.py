"""What FINN builds a network of, and what its published model says that each part costs.

Formulas are those of FINN+ 1.6.1 (``get_exp_cycles``, ``lut_estimation``, ``bram_estimation`` of
``finn.custom_op.fpgadataflow``), which rest on FINN-R (Blott et al. 2018, arXiv 1809.04570). They leave out
FIFOs, width converters, thresholds inside matrix units, and the DMA around the accelerator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bnnedge.hardware.memory import lutram_of_smallest

__all__ = ["ElementwiseHead", "Folding", "LabelSelect", "Node", "Padding", "Thresholding", "Unit", "divisors"]


@dataclass(frozen=True, order=True)
class Folding:
    """How much of a layer is done in one clock cycle.

    Attributes:
        pe: outputs at a time.
        simd: inputs at a time.
        parallel: of a sliding window: all its pixels at a time.
    """

    pe: int = 1
    simd: int = 1
    parallel: bool = False


@dataclass(frozen=True)
class Node:
    """A node of FINN's dataflow graph, folded.

    Attributes:
        operator: FINN's name of the kind, ``MVAU_hls``.
        cycles: clock cycles a sample.
        luts: look-up tables.
        bram18: 18 Kbit block RAMs.
        attributes: what a folding configuration says of it.
    """

    operator: str
    cycles: int
    luts: int = 0
    bram18: int = 0
    attributes: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unit(ABC):
    """One or more nodes of the dataflow graph that are folded together.

    Attributes:
        layer: of the network, ``conv1``; ``input`` and ``output`` at its ends.
    """

    layer: str

    @abstractmethod
    def foldings(self) -> Iterator[Folding]:
        """All that FINN accepts, each once."""

    @abstractmethod
    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """The nodes in order."""


@dataclass(frozen=True)
class _Channelwise(Unit):
    """A unit that treats ``channels`` in parallel, some at a time, at each of ``pixels`` places."""

    channels: int
    pixels: int

    def foldings(self) -> Iterator[Folding]:
        """Any divisor of the channels."""
        yield from (Folding(pe=channels) for channels in divisors(self.channels))

    def steps(self, folding: Folding) -> int:
        """Groups of channels over all places."""
        return self.channels // folding.pe * self.pixels


@dataclass(frozen=True)
class Thresholding(_Channelwise):
    """Input compared with one threshold a channel; ``threshold_bits`` wide."""

    threshold_bits: int

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """A table of thresholds for each of the channels that are compared at a time."""
        luts, bram18 = lutram_of_smallest(self.threshold_bits, self.channels // folding.pe)
        found = Node(
            "Thresholding_rtl",
            self.steps(folding),
            luts * folding.pe,
            bram18 * folding.pe,
            {"PE": folding.pe},
        )
        return (found,)


@dataclass(frozen=True)
class Padding(_Channelwise):
    """Pixels of −1 around an image; ``pixels`` counts them too."""

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """Without a cost in the model."""
        return (Node("FMPadding_rtl", self.steps(folding), attributes={"SIMD": folding.pe}),)


@dataclass(frozen=True)
class ElementwiseHead(_Channelwise):
    """A scale and an offset for each class, in floating point; the arg-max is left to the processor."""

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """Without a cost in the model."""
        operators = ("ElementwiseMul_hls", "ElementwiseAdd_hls")
        return tuple(Node(name, self.steps(folding), attributes={"PE": folding.pe}) for name in operators)


@dataclass(frozen=True)
class LabelSelect(_Channelwise):
    """The class of the largest score."""

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """Without a cost in the model."""
        return (Node("LabelSelect_hls", self.steps(folding), attributes={"PE": folding.pe}),)


def divisors(number: int) -> tuple[int, ...]:
    """All divisors, in order.

    >>> divisors(12)
    (1, 2, 3, 4, 6, 12)
    """
    low = [factor for factor in range(1, int(number**0.5) + 1) if number % factor == 0]
    high = [number // factor for factor in reversed(low) if factor * factor != number]
    return (*low, *high)
