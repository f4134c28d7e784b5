"""Sums of bits as SystemVerilog: what counting and adding cost, and how deep they are.

Two parts do all the work. ``count`` tells how many of up to six bits are set: a 6:3 compressor, three LUTs.
``accumulate`` adds up to six more bits to a number: a LUT before a carry chain sees one bit of the number and
five others, so three LUTs count five bits and add the count, and the chain's carry takes the sixth for
nothing. A number grows by six bits for three LUTs, where a 6:3 compressor saves three bits for as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["PASS_COST", "Circuit", "Literal", "Number"]

COUNTED = 6
"""Bits that one part takes: inputs of a compressor, or five before a chain and one as its carry."""

PASS_COST = 0.5
"""What a position of a carry chain costs that adds nothing, in LUTs.

Yosys counts none; on the device such a position keeps its LUT from most other uses.
"""


class Literal(NamedTuple):
    """A bit of the layer's input word, or its complement."""

    position: int
    inverted: bool

    def __str__(self) -> str:
        return f"{'~' if self.inverted else ''}x[{self.position}]"


@dataclass(frozen=True)
class Number:
    """Wires that hold ``value − offset``, unsigned, modulo 2^bits of the circuit.

    Attributes:
        name: of the wires.
        maximum: the most that they can hold, at least 0; there was no carry to drop where it is less than
            the circuit's bits can.
        offset: what to add for the value that is meant; it costs nothing.
        level: adders and compressors, one after another, from the layer's inputs to here.
    """

    name: str
    maximum: int
    offset: int
    level: int

    @property
    def width(self) -> int:
        """Number of wires."""
        return max(1, self.maximum.bit_length())


@dataclass
class Circuit:
    """Statements of a layer's module, in order, and what they are expected to cost.

    Attributes:
        bits: that tell a layer's sums apart, and so the most that a number needs.
        statements: SystemVerilog.
        luts: estimate, in LUT6, as Yosys counts them.
        passes: positions of carry chains that only hand a carry on.
        adders: carry chains.
    """

    bits: int
    statements: list[str] = field(default_factory=list)
    luts: int = 0
    passes: int = 0
    adders: int = 0

    @property
    def cost(self) -> float:
        """What the optimiser minimises, in LUTs."""
        return self.luts + PASS_COST * self.passes

    def comment(self, text: str) -> None:
        """A line for the reader, who finds a new part there."""
        self.statements += ["", f"// {text}"]

    def constant(self, name: str) -> Number:
        """A number that is always 0."""
        self.statements.append(f"wire [0:0] {name} = 1'b0;")
        return Number(name, 0, 0, 0)

    def count(self, name: str, literals: Sequence[Literal]) -> Number:
        """How many of one to six bits are set."""
        made = Number(name, len(literals), -_inverted(literals), 1)
        self.luts += made.width if len(literals) > 1 else 0
        self.statements += [
            f"wire [{made.width - 1}:0] {name};",
            f"count_bits #(.WIDTH({made.width})) {name}_of "
            f"(.bits({_bits(literals, COUNTED)}), .sum({name}));",
        ]
        return made

    def accumulate(self, name: str, number: Number, literals: Sequence[Literal], shift: int = 0) -> Number:
        """``number`` and ``2^shift`` for each of one to six bits that is set."""
        carry, counted = literals[0], literals[1:]
        made = Number(
            name,
            self._kept(number.maximum + (len(literals) << shift)),
            number.offset - (_inverted(literals) << shift),
            number.level + 1,
        )
        self._chain(made.width - shift, number.width - shift, len(counted).bit_length(), joined=True)
        self._sum(
            "accumulate_bits",
            made,
            shift,
            number,
            f".bits({_bits(counted, COUNTED - 1)}), .carry({carry})",
        )
        return made

    def add(
        self,
        name: str,
        number: Number,
        other: Number,
        *,
        shift: int = 0,
        negative: bool = False,
        carry: Literal | None = None,
    ) -> Number:
        """``number ± 2^shift · other``, and ``2^shift`` if the carry is set."""
        most = (1 << other.width) - 1 if negative else other.maximum
        # −other is its complement, less what the complement of 0 would be.
        offset = -other.offset - most if negative else other.offset
        offset -= carry is not None and carry.inverted
        made = Number(
            name,
            self._kept(number.maximum + ((most + (carry is not None)) << shift)),
            number.offset + (offset << shift),
            max(number.level, other.level) + 1,
        )
        high = made.width - shift
        self._chain(high, number.width - shift, other.width)
        wires = _slice(other, 0, min(high, other.width))
        wide = _extended(wires, min(high, other.width), high, complement=negative)
        self._sum("add_numbers", made, shift, number, f".other({wide}), .carry({carry or _ZERO})")
        return made

    def shifted(self, name: str, number: Number, shift: int) -> Number:
        """``2^shift · number``, which costs nothing."""
        maximum = self._kept(number.maximum << shift)
        made = Number(name, maximum, number.offset << shift, number.level)
        wires = _slice(number, 0, made.width - shift)
        self.statements.append(f"wire [{made.width - 1}:0] {name} = {{{wires}, {shift}'b0}};")
        return made

    def _kept(self, maximum: int) -> int:
        """The most that a number can be, of which only the lowest bits are kept."""
        return min(maximum, (1 << self.bits) - 1)

    def _chain(self, high: int, width: int, added: int, *, joined: bool = False) -> None:
        """Count a carry chain: a LUT where two numbers meet, or where bits are counted before it (joined)."""
        width, added = max(0, min(high, width)), min(high, added)
        meet = added if joined else min(width, added)
        self.adders += 1
        self.luts += meet
        self.passes += max(width, added) - meet

    def _sum(self, part: str, made: Number, shift: int, number: Number, ports: str) -> None:
        """An adder on the upper bits of a number; those below the shift go past it."""
        high = made.width - shift
        total = _extended(_slice(number, shift), max(0, number.width - shift), high)
        self.statements.append(f"wire [{made.width - 1}:0] {made.name};")
        if shift:
            low = _extended(_slice(number, 0, min(shift, number.width)), min(shift, number.width), shift)
            self.statements.append(f"assign {made.name}[{shift - 1}:0] = {low};")
        self.statements.append(
            f"{part} #(.WIDTH({high})) {made.name}_of "
            f"(.total({total}), {ports}, .sum({made.name}[{made.width - 1}:{shift}]));"
        )


_ZERO = "1'b0"


def _inverted(literals: Sequence[Literal]) -> int:
    """A weight −1 counts the complement of its input, and 1 too many for it."""
    return sum(literal.inverted for literal in literals)


def _bits(literals: Sequence[Literal], width: int) -> str:
    """A concatenation of so many bits, zeros in front."""
    missing = width - len(literals)
    return "{" + ", ".join(([f"{missing}'b0"] if missing else []) + [str(bit) for bit in literals]) + "}"


def _slice(number: Number, start: int, stop: int | None = None) -> str:
    stop = number.width if stop is None else stop
    return number.name if (start, stop) == (0, number.width) else f"{number.name}[{stop - 1}:{start}]"


def _extended(wires: str, width: int, wanted: int, *, complement: bool = False) -> str:
    """Wires with zeros in front; the complement is of the wires alone."""
    if width <= 0:
        return f"{wanted}'b0"
    wires = f"~{wires}" if complement else wires
    return wires if width == wanted else f"{{{wanted - width}'b0, {wires}}}"
