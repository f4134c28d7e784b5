"""Units that multiply by weights, and the widths of their sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2
from typing import ClassVar

from bnnedge.hardware.memory import block_rams
from bnnedge.hardware.units import Folding, Node, Unit, divisors

__all__ = ["LONGEST_ROW", "WIDEST_STREAM", "MatrixVector", "accumulator_bits"]

LONGEST_ROW = 1024  # steps through a row of weights: Vitis HLS refuses more
WIDEST_STREAM = 8191  # bits: ap_int's limit, FINN+'s MAX_ALLOWED_AP_INT_W


@dataclass(frozen=True)
class MatrixVector(Unit):
    """A matrix of weights times ``vectors`` vectors, compared with thresholds where the layer has them.

    Attributes:
        rows: outputs, MH in FINN.
        columns: inputs, MW in FINN.
        vectors: a sample.
        weight_bits: 1, or 2 where −1 and +1 multiply whole numbers.
        input_bits: of a value that enters.
        sum_bits: of the accumulator.
    """

    operator: ClassVar[str] = "MVAU_hls"

    rows: int
    columns: int
    vectors: int
    weight_bits: int
    input_bits: int
    sum_bits: int

    def foldings(self) -> Iterator[Folding]:
        """PE divides the outputs, SIMD the inputs, within the limits of HLS."""
        for simd in divisors(self.columns):
            if simd * LONGEST_ROW < self.columns or simd * self.input_bits > WIDEST_STREAM:
                continue
            for pe in divisors(self.rows):
                if pe * simd * self.weight_bits <= WIDEST_STREAM:
                    yield Folding(pe, simd)

    def nodes(self, folding: Folding) -> tuple[Node, ...]:
        """Weights lie in block RAM, one word a cycle."""
        pe, simd = folding.pe, folding.simd
        words = self.rows // pe * (self.columns // simd)
        found = Node(
            self.operator,
            words * self.vectors,
            self._luts(folding),
            block_rams(pe * simd * self.weight_bits, words),
            {"PE": pe, "SIMD": simd, "ram_style": "auto", "resType": "lut", "mem_mode": "internal_decoupled"},
        )
        return (found,)

    def _luts(self, folding: Folding) -> int:
        """FINN-R, equation of an XNOR-popcount or integer multiply-accumulate array: 300 + 1.1 · PE · …."""
        bits = self.weight_bits + self.input_bits
        multipliers = folding.simd * (2 * ceil(bits / 6) - 1) * bits
        adders = bits * (2 * folding.simd - 1)
        # The widest sum that the types allow, arXiv 2301.13376; the actual weights mostly allow less.
        exponent = log2(self.columns) + bits - 1
        widest = ceil(exponent + log2(1 + 2**-exponent) + 1)
        return int(300 + 1.1 * (folding.pe * (multipliers + adders + min(self.sum_bits, widest))))


def accumulator_bits(least: int, most: int) -> int:
    """Bits of the smallest whole-number type that holds sums from ``least`` to ``most``.

    >>> accumulator_bits(-64, 64), accumulator_bits(-64, 63), accumulator_bits(0, 255)
    (8, 7, 8)
    """
    if least >= 0:
        return most.bit_length()
    return (max(-least, most + 1) - 1).bit_length() + 1
