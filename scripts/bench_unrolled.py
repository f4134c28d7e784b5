"""LUTs of unrolled layers: the baseline, da4ml's and ours, by one Yosys flow, layer by layer.

    python scripts/bench_unrolled.py [--models digits-tfc mnist-tfc] [--skip-wide] [--json]

The baseline is a compressor tree for each neuron by itself (``generate(plain=True)``). da4ml, a compiler of
constant matrices, is given the same weights ±1 on inputs 0 and 1; its sums are compared with the same bounds,
in the same network. Both settings of its cost model that could fit count, and the better result is taken.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import geometric_mean

import da4ml
import numpy as np
from da4ml.codegen.rtl.verilog.comb import comb_logic_gen
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
from rich.console import Console
from rich.table import Table

import bnnedge
from bnnedge.hardware.netlist import Resources
from bnnedge.hardware.synthesise import synthesise
from bnnedge.hardware.unrolled import Design, generate
from bnnedge.hardware.unrolled.circuit import Circuit, Number
from bnnedge.hardware.unrolled.design import PARTS
from bnnedge.hardware.unrolled.layers import Built, Sums
from bnnedge.hardware.unrolled.matrices import LayerMatrix, Sources, matrix_of
from bnnedge.hardware.unrolled.modules import layer_module
from bnnedge.packed.model import PackedModel

WIDE = 256  # inputs; the baseline of a wider layer takes Yosys a quarter of an hour
ADDERS = ((1, -1), (-1, -1))
"""da4ml's ``adder_size`` and ``carry_size``: its default counts adders' bits, the other adders."""


VERILOG = Path(da4ml.__file__).parent / "codegen" / "rtl" / "verilog" / "source"
# What da4ml's Verilog instantiates. Its adder, as of 0.6.0, may be asked for more bits than it computes, and
# gives undefined ones; it is made as wide as its output, and Yosys takes away what nothing reads.
PARTS_OF_DA4ML = {
    "negative.sv": (VERILOG / "negative.v").read_text(),
    "shift_adder.sv": re.sub(
        r"(localparam BW_ADD =) (.*);", r"\1 BW_OUT + (\2);", (VERILOG / "shift_adder.v").read_text()
    ),
}


@dataclass(frozen=True)
class Row:
    """What a layer takes as the baseline, by da4ml and by us."""

    layer: str
    shape: tuple[int, int]
    method: str
    plain: Resources
    da4ml: Resources
    ours: Resources

    @property
    def of_plain(self) -> float:
        """Our LUTs as a share of the baseline's."""
        return self.ours.luts / self.plain.luts

    @property
    def of_da4ml(self) -> float:
        """Our LUTs as a share of da4ml's."""
        return self.ours.luts / self.da4ml.luts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["digits-tfc", "mnist-tfc"])
    parser.add_argument("--skip-wide", action="store_true", help=f"leave out layers of over {WIDE} inputs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    tools = {"da4ml": version("da4ml")}
    for name in options.models:
        model = bnnedge.load(name)
        start = time.perf_counter()
        design = generate(model)
        took = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        Console(stderr=True).print(f"{name}: generated in {took:.1f} s, at most {memory:.2f} GiB so far")
        for row in measure(name, model, design, tools, skip_wide=options.skip_wide):
            Console(stderr=True).print(row)
            rows.append(row)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "tools": tools}))
    else:
        show(rows, tools)


def measure(
    name: str, model: PackedModel, design: Design, tools: dict[str, str], *, skip_wide: bool
) -> Iterator[Row]:
    """The rows of a model, in order."""
    baseline = generate(model, plain=True)
    matrices = matrices_of(model)
    for layer, lattice, matrix, plan in zip(
        model.layers, model.lattices, matrices, design.layers, strict=True
    ):
        if skip_wide and layer.inputs > WIDE:
            continue
        file = f"{plan.module}.sv"
        parts = {part: text for part, text in design.files.items() if part in PARTS}
        ours = count(parts | {file: design.files[file]}, plan.module, matrix, tools)
        plain = count(parts | {file: baseline.files[file]}, plan.module, matrix, tools)
        theirs = []
        for sizes in ADDERS:
            circuit, modules, sums = da4ml_sums(plan.module, matrix, sizes)
            built = Built("da4ml", circuit, sums, modules)
            text = {file: layer_module(plan.module, built, matrix, lattice)}
            theirs.append(count(PARTS_OF_DA4ML | text, plan.module, matrix, tools))
        best = min(theirs, key=lambda one: one.luts)
        yield Row(f"{name} {layer.name}", layer.weights.shape, plan.method, plain, best, ours)


def matrices_of(model: PackedModel) -> list[LayerMatrix]:
    """The weights ±1 and bounds of every layer, none of its inputs left out."""
    return [matrix_of(layer, Sources.straight(layer.inputs), None) for layer in model.canonical().layers]


def count(files: dict[str, str], module: str, matrix: LayerMatrix, tools: dict[str, str]) -> Resources:
    """What Yosys makes of one layer by itself."""
    outputs = re.findall(r"output wire (\[\d+:0\]) y", files[f"{module}.sv"])[0]
    top = (
        f"module network (input wire [{matrix.weights.shape[1] - 1}:0] x, output wire {outputs} y);\n"
        f"  {module} layer (.x(x), .y(y));\nendmodule\n"
    )
    made = synthesise(files | {"network.sv": top}, {"layer": module})
    tools["yosys"] = made.tool
    return made.layers[0].resources


def da4ml_sums(name: str, matrix: LayerMatrix, sizes: tuple[int, int]) -> tuple[Circuit, str, Sums]:
    """Wires that hold da4ml's sums, and the module that makes them."""
    weights = matrix.weights.T.astype(np.float32)
    # Traced, not by solve() itself: the stages that this gives lose a factor of 2 between them (0.6.0).
    inputs = FixedVariableArrayInput(len(weights), hwconf=HWConfig(*sizes, -1))
    made = comb_trace(inputs, inputs.quantize(0, 1, 0) @ weights)
    circuit, sums, place = Circuit(), [], 0
    circuit.statements += [
        f"wire [{int(made.out_kifs.sum()) - 1}:0] made;",
        f"{name}_da4ml made_of (.model_inp(x), .model_out(made));",
    ]
    for output, (signed, whole, fraction) in enumerate(made.out_kifs.T.tolist()):
        width = signed + whole + fraction
        # Inverting the sign bit makes a signed number an unsigned one, 2^(width - 1) larger.
        flip = f" ^ {width}'d{1 << (width - 1) if signed else 0}"
        zeros = f", {-fraction}'b0" if fraction < 0 else ""
        circuit.statements.append(
            f"wire [{width - fraction - 1}:0] sum{output} = {{made[{place} +: {width}]{flip}{zeros}}};"
        )
        offset = -(1 << (width - 1 - fraction)) if signed else 0
        sums.append((Number(f"sum{output}", (1 << (width - fraction)) - 1, offset, 1), False))
        place += width
    return circuit, comb_logic_gen(made, f"{name}_da4ml"), sums


def show(rows: list[Row], tools: dict[str, str]) -> None:
    table = Table(title=f"LUTs of unrolled layers, {', '.join(' '.join(one) for one in tools.items())}")
    for header in (
        "layer",
        "method",
        "plain",
        "da4ml",
        "ours",
        "of plain",
        "of da4ml",
        "CARRY4 (da4ml / ours)",
    ):
        table.add_column(header)
    for row in rows:
        table.add_row(
            f"{row.layer} {row.shape[0]} x {row.shape[1]}",
            row.method,
            *(f"{one.luts:,}" for one in (row.plain, row.da4ml, row.ours)),
            f"{row.of_plain:.2f}",
            f"{row.of_da4ml:.2f}",
            f"{row.da4ml.carries:,} / {row.ours.carries:,}",
        )
    table.add_section()
    means = (geometric_mean([row.of_plain for row in rows]), geometric_mean([row.of_da4ml for row in rows]))
    table.add_row("geometric mean", "", "", "", "", *(f"{mean:.2f}" for mean in means), "")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
