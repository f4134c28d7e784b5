"""The module of a layer: its sums, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bnnedge.hardware.unrolled.circuit import Number
from bnnedge.hardware.unrolled.layers import Built
from bnnedge.hardware.unrolled.matrices import LayerMatrix
from bnnedge.packed.fold import Lattice

__all__ = ["at_least", "layer_module", "reaches", "score_bits"]


def score_bits(lattice: Lattice) -> int:
    """Bits of a signed score."""
    return lattice.bound.bit_length() + 1


def layer_module(name: str, built: Built, matrix: LayerMatrix, lattice: Lattice) -> str:
    """SystemVerilog of a layer: ``x`` are the bits that reach it, ``y`` its activations or packed scores."""
    outputs, inputs = matrix.weights.shape
    width = 1 if matrix.bounds is not None else score_bits(lattice)
    if matrix.bounds is not None:
        last = _activations(built, matrix, matrix.bounds)
    else:
        last = _scores(built, matrix, width)
    lines = [*built.circuit.statements, "", *last]
    body = "\n".join(f"  {line}".rstrip() for line in lines)
    return (
        f"{built.modules}\nmodule {name} (\n"
        f"    input wire [{inputs * matrix.planes - 1}:0] x,\n"
        f"    output wire [{outputs * width - 1}:0] y\n);\n{body}\nendmodule\n"
    )


def _activations(built: Built, matrix: LayerMatrix, bounds: NDArray[np.int64]) -> list[str]:
    """``y[j]``: whether a sum is at least the neuron's bound."""
    lines = []
    for neuron, (constant, (number, complemented), least, most) in enumerate(
        zip(matrix.constants(), built.sums, *matrix.ranges(), strict=True)
    ):
        bound = int(bounds[neuron])
        if constant is not None:
            fires = f"1'b{int(constant)}"
            said = "always" if constant else "never"
            lines.append(f"assign y[{neuron}] = {fires};  // {said} +1")
            continue
        # The complement's sum is −sum, and −sum >= 1 − bound exactly where sum < bound.
        reach = (-most, 1 - bound, -least) if complemented else (least, bound, most)
        bits = [f"{number.name}[{bit}]" for bit in range(number.width)]
        fires = reaches(bits, *(int(value) - number.offset for value in reach))
        fires = f"~({fires})" if complemented else fires
        said = f"its complement's sum < {1 - bound}" if complemented else f"its sum >= {bound}"
        lines.append(f"assign y[{neuron}] = {fires};  // {said}")
    return lines


def reaches(bits: Sequence[str], least: int, bound: int, most: int) -> str:
    """Whether a number between two others, ``least < bound <= most``, is at least ``bound``.

    Of the number there is the remainder by 2^bits, lowest bit first, which tells all of its values apart. Of
    a circle of remainders those from ``bound`` to ``most`` are wanted, and those from there on to ``least``
    never come: the arc may end at the roundest of them, with which it takes the fewest bits to compare.

    A comparison apart from the adder takes less than one inside it, where the sum begins so that its highest
    bit says it: of a constant before a carry chain, each bit that is set needs a LUT of its own.

    >>> reaches(["a", "b", "c"], 5, 8, 11)
    '~(c)'
    """
    size = 1 << len(bits)
    turns = least // size * size
    least, bound, most = least - turns, bound - turns, most - turns
    if most < size:
        return at_least(bits, bound)
    end = max(range(most + 1 - size, least + 1), key=lambda end: (end & -end, end))
    before = f"~({at_least(bits, end)})"
    if bound == size:
        return before
    if bound < size:
        return f"{at_least(bits, bound)} | {before}"
    return f"{at_least(bits, bound - size)} & {before}"


def at_least(bits: Sequence[str], least: int) -> str:
    """Whether an unsigned number, lowest bit first, is at least a constant.

    In ANDs and ORs, which take a LUT for six bits: of ``>=``, synthesis makes a carry chain.

    >>> at_least(["a", "b", "c"], 5)
    'c & (b | a)'
    """
    if least <= 0:
        return "1'b1"
    if least >> len(bits):
        return "1'b0"
    expression = ""
    for position, bit in enumerate(bits):
        if least >> position & 1:
            expression = f"{bit} & {expression}" if expression else bit
        elif expression:
            expression = f"({bit} | {expression})"
    return expression


def _scores(built: Built, matrix: LayerMatrix, width: int) -> list[str]:
    """``y``: the pre-activations, signed, that of output 0 in the lowest bits."""
    lines = []
    for output, (number, complemented) in enumerate(built.sums):
        sign = -1 if complemented else 1
        offset = int(matrix.offsets[output]) + sign * matrix.scale * number.offset
        # Modulo 2^width, which is what a signed number of so many bits is.
        lines += [
            f"wire [{width - 1}:0] score{output} = "
            f"{width}'d{offset % (1 << width)} {'-+'[not complemented]} "
            f"{_times(number, matrix.scale, width)};",
            f"assign y[{output * width} +: {width}] = score{output};",
        ]
    return lines


def _times(number: Number, scale: int, width: int) -> str:
    """A number times 1 or 2, in so many bits, of which it may have more or fewer."""
    shift = scale - 1
    wires = f"{number.name}[{min(number.width, width - shift) - 1}:0]"
    zeros = width - shift - min(number.width, width - shift)
    parts = [f"{zeros}'b0"] * bool(zeros) + [wires] + [f"{shift}'b0"] * bool(shift)
    return "{" + ", ".join(parts) + "}"
