"""What a folded network is made of: units in a chain, and the files that describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import lcm

from bnnedge.hardware.folded.fold import Fold

__all__ = ["Chain", "Design", "LayerDesign", "Unit", "converters"]


@dataclass(frozen=True)
class Unit:
    """An instance of a module between two streams.

    Attributes:
        module: of ``hw/rtl``, or a layer of this network.
        name: of the stream that leaves it; the instance is ``u_NAME``.
        bits: of a beat that leaves it.
        parameters: values as SystemVerilog writes them.
    """

    module: str
    name: str
    bits: int
    parameters: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Chain:
    """A module that is nothing but units one after another.

    Attributes:
        name: of the module and its file.
        comment: what it is, lines of the file's header.
        in_bits: of a beat that enters.
        units: in the order of the stream.
    """

    name: str
    comment: tuple[str, ...]
    in_bits: int
    units: tuple[Unit, ...]

    @property
    def out_bits(self) -> int:
        """Bits of a beat that leaves."""
        return self.units[-1].bits


@dataclass(frozen=True)
class LayerDesign:
    """What is known of a layer's hardware without any tool.

    Attributes:
        layer: its name in the model.
        module: its module; the stream that leaves it is called so too.
        fold: how it is folded.
        cycles: clock cycles a sample.
        number_bits: of a sum that leaves it; 0: activations do.
    """

    layer: str
    module: str
    fold: Fold
    cycles: int
    number_bits: int


@dataclass(frozen=True)
class Design:
    """A network as hardware.

    Attributes:
        files: text by file name; ``network.sv`` holds the top module ``network``.
        layers: in model order.
        features: of a sample that enter at a time, one a byte.
    """

    files: dict[str, str]
    layers: tuple[LayerDesign, ...]
    features: int


def converters(name: str, have: int, want: int, value_bits: int = 1) -> Iterator[Unit]:
    """Units that regroup a stream of ``have`` values a beat into ``want``; none where they are equal."""
    common = lcm(have, want)
    steps = [want] if common in (have, want) else [common, want]
    for step, number in enumerate(steps):
        if number != have:
            yield Unit(
                "width_converter",
                name if len(steps) == 1 else f"{name}_{('wide', 'regrouped')[step]}",
                number * value_bits,
                {"IN_BITS": have * value_bits, "OUT_BITS": number * value_bits},
            )
        have = number
