"""Weighted sums of bits, from counts, chains of accumulation, and additions of what they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from bnnedge.hardware.unrolled.circuit import COUNTED, Circuit, Literal, Number

__all__ = ["Terms", "Weaver", "terms_of"]

Terms = Mapping[int, Sequence[Literal]]
"""Bits to sum, by the power of two that each counts for."""

LONG_CHAIN = 4
"""Accumulations in a row that cost least: 30 bits, five wires. Longer ones carry through wider numbers."""


def terms_of(coefficients: Mapping[int, int], planes: int) -> Terms:
    """The bits whose weighted sum is ``Σ coefficient · input``, coefficients by input, none of them 0.

    ``planes`` bits of an input, of weights 1, 2, 4, …, lie side by side in the input word.
    """
    terms: dict[int, list[Literal]] = {}
    for position, coefficient in coefficients.items():
        for power in range(abs(coefficient).bit_length()):
            if abs(coefficient) >> power & 1:
                for plane in range(planes):
                    literal = Literal(position * planes + plane, coefficient < 0)
                    terms.setdefault(power + plane, []).append(literal)
    return terms


@dataclass
class Weaver:
    """Makes sums on a circuit; the parts of a sum are numbered as they are made.

    Attributes:
        circuit: what the statements go to.
        chain: accumulations in a row on a count; fewer are less deep, and dearer.
        serial: whether bits may be accumulated on a sum right away, one chain after another.
    """

    circuit: Circuit
    chain: int = LONG_CHAIN
    serial: bool = True
    _parts: dict[str, count[int]] = field(default_factory=dict)

    def part(self, name: str) -> str:
        """A name for the next part of a sum."""
        return f"{name}_{next(self._parts.setdefault(name, count(1)))}"

    def sum(self, name: str, terms: Terms, start: Number | None = None) -> Number:
        """``start``, or 0, and every bit as often as its power of two says."""
        total = start
        # A power of two beyond the bits that are kept changes none of them.
        for shift in sorted(power for power in terms if power < self.circuit.bits):
            if total is not None:
                total = self._onto(name, total, terms[shift], shift)
            elif shift:
                total = self.circuit.shifted(self.part(name), self._counted(name, terms[shift]), shift)
            else:
                total = self._counted(name, terms[shift])
        return self.circuit.constant(self.part(name)) if total is None else total

    def _onto(self, name: str, total: Number, literals: Sequence[Literal], shift: int) -> Number:
        """The cheaper of two: accumulate the bits on the total, or count them first and add the count."""
        ways = [Weaver._add_count] if len(literals) > COUNTED else []
        if self.serial or not ways:
            ways.append(Weaver._accumulate)
        way = min(ways, key=lambda way: self._cost(way, name, total, literals, shift))
        return way(self, name, total, literals, shift)

    def _cost(self, way: Way, *arguments: object) -> float:
        tried = replace(self, circuit=Circuit(self.circuit.bits), _parts={})
        way(tried, *arguments)
        return tried.circuit.cost

    def _add_count(self, name: str, total: Number, literals: Sequence[Literal], shift: int) -> Number:
        carry, *rest = _upright(literals)
        counted = self._counted(name, rest)
        return self.circuit.add(self.part(name), total, counted, shift=shift, carry=carry)

    def _accumulate(self, name: str, total: Number, literals: Sequence[Literal], shift: int = 0) -> Number:
        literals, blocks = _upright(literals), -(-len(literals) // COUNTED)
        for block, carry in enumerate(literals[:blocks]):
            start = blocks + block * (COUNTED - 1)
            bits = [carry, *literals[start : start + COUNTED - 1]]
            total = self.circuit.accumulate(self.part(name), total, bits, shift)
        return total

    def _counted(self, name: str, literals: Sequence[Literal]) -> Number:
        """How many bits are set: chains, added in pairs; each addition takes a bit as carry."""
        size = COUNTED * (1 + self.chain)
        blocks = -(-(len(literals) + 1) // (size + 1))
        literals = _upright(literals)
        carries, rest = literals[: blocks - 1], literals[blocks - 1 :]
        rest = [literal for at in range(blocks) for literal in rest[at::blocks]]
        chains = [rest[at : at + size] for at in range(0, len(rest), size)]
        if len(chains) < blocks:  # one bit is left over, and there is one addition less to take it
            chains.append([carries.pop()])
        numbers = [self._chained(name, chain) for chain in chains]
        while len(numbers) > 1:
            pairs = zip(numbers[::2], numbers[1::2], strict=False)
            added = [
                self.circuit.add(self.part(name), one, other, carry=carries.pop() if carries else None)
                for one, other in pairs
            ]
            numbers = added + numbers[len(numbers) & ~1 :]
        return numbers[0]

    def _chained(self, name: str, literals: Sequence[Literal]) -> Number:
        literals = _upright(literals)
        first = self.circuit.count(self.part(name), literals[-COUNTED:])
        return self._accumulate(name, first, literals[:-COUNTED])


def _upright(literals: Sequence[Literal]) -> list[Literal]:
    """Inputs first, then complements: a carry, which is taken in front, has no LUT before it to invert it."""
    return sorted(literals, key=lambda literal: literal.inverted)


Way = Callable[..., Number]
