"""The baseline: a compressor tree for each neuron by itself, in a module whose gates nothing else may use."""

from __future__ import annotations

from bnnedge.hardware.unrolled.circuit import COUNTED, Circuit, Number
from bnnedge.hardware.unrolled.layers import Built, nonzero
from bnnedge.hardware.unrolled.matrices import LayerMatrix
from bnnedge.hardware.unrolled.popcount import Terms, terms_of

__all__ = ["plain_layer"]


def plain_layer(name: str, matrix: LayerMatrix) -> Built:
    """Every neuron's sum by 6:3 and 3:2 compressors, and an addition of the two rows that they leave."""
    circuit = Circuit(matrix.sum_bits)
    modules, sums = [], []
    for neuron, weights in enumerate(matrix.weights):
        terms = terms_of(nonzero(weights), matrix.planes)
        inside = Circuit(matrix.sum_bits)
        number = _compressed(inside, terms, f"neuron{neuron}")
        body = "\n".join(f"  {line}" for line in inside.statements)
        modules.append(
            f"(* keep_hierarchy *)\nmodule {name}_neuron{neuron} (\n"
            f"    input wire [{matrix.weights.shape[1] * matrix.planes - 1}:0] x,\n"
            f"    output wire [{number.width - 1}:0] total\n);\n{body}\nendmodule\n"
        )
        circuit.luts, circuit.adders = circuit.luts + inside.luts, circuit.adders + inside.adders
        circuit.statements += [
            f"wire [{number.width - 1}:0] {number.name};",
            f"{name}_neuron{neuron} {number.name}_of (.x(x), .total({number.name}));",
        ]
        sums.append((number, False))
    return Built("private compressor trees", circuit, sums, "\n".join(modules))


def _compressed(circuit: Circuit, terms: Terms, name: str) -> Number:
    """Statements that make ``total`` of bits, and how the layer knows it."""
    columns = {shift: [str(bit) for bit in bits] for shift, bits in terms.items()}
    maximum = sum(len(bits) << shift for shift, bits in terms.items())
    offset = -sum(bit.inverted << shift for shift, bits in terms.items() for bit in bits)
    level = 0
    while any(len(bits) > 2 for bits in columns.values()):
        level += 1
        columns = _compress(circuit, columns, level)
    number = Number(name, maximum, offset, level + 1)
    width = number.width
    rows = [
        "{"
        + ", ".join((columns.get(shift, []) + ["1'b0"] * 2)[row] for shift in reversed(range(width)))
        + "}"
        for row in range(2)
    ]
    circuit.statements.append(f"assign total = {rows[0]} + {rows[1]};")
    circuit.luts, circuit.adders = circuit.luts + width, circuit.adders + 1
    return number


def _compress(circuit: Circuit, columns: dict[int, list[str]], level: int) -> dict[int, list[str]]:
    """One level of compressors: six bits of a column become three, three become two."""
    compressed: dict[int, list[str]] = {}
    for shift, bits in sorted(columns.items()):
        left = list(bits)
        while len(left) > 2:
            taken = COUNTED if len(left) >= COUNTED else 3
            width = taken.bit_length()
            part = f"level{level}_{shift}_{len(left)}"
            zeros = [f"{COUNTED - taken}'b0"] if taken < COUNTED else []
            circuit.statements += [
                f"wire [{width - 1}:0] {part};",
                f"count_bits #(.WIDTH({width})) {part}_of "
                f"(.bits({{{', '.join([*zeros, *left[:taken]])}}}), .sum({part}));",
            ]
            circuit.luts += width
            del left[:taken]
            for power in range(width):
                compressed.setdefault(shift + power, []).append(f"{part}[{power}]")
        compressed.setdefault(shift, []).extend(left)
    return compressed
