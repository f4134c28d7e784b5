"""LUTs of unrolled layers: the baseline, da4ml's and ours, by one Yosys flow, layer by layer.

    python scripts/bench_unrolled.py [--models digits-tfc mnist-tfc] [--weights N] [--json]

The baseline is a compressor tree for each neuron by itself (``generate(plain=True)``). da4ml, a compiler of
constant matrices, is given the same weights ±1 on inputs 0 and 1; its sums are compared with the same bounds,
in the same network. Both settings of its cost model that could fit count, and the better result is taken.

A layer of more weights than --weights is cut to its first neurons, for all three alike: da4ml and Yosys would
take hours for all of them. Neurons share less where there are fewer, so this does not flatter what shares.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import geometric_mean

import da4ml
import numpy as np
from bench_rows import Row
from da4ml.codegen.rtl.verilog.comb import comb_logic_gen
from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
from rich.console import Console
from rich.table import Table

import bnnedge
from bnnedge.hardware.netlist import Resources
from bnnedge.hardware.synthesise import synthesise
from bnnedge.hardware.unrolled.circuit import Circuit, Number
from bnnedge.hardware.unrolled.design import parts
from bnnedge.hardware.unrolled.layers import Built, Sums, best_layer
from bnnedge.hardware.unrolled.matrices import LayerMatrix, Sources, matrix_of
from bnnedge.hardware.unrolled.modules import layer_module, score_bits
from bnnedge.hardware.unrolled.plain import plain_layer
from bnnedge.packed.fold import Lattice
from bnnedge.packed.model import PackedModel

MODELS = ("digits-tfc", "mnist-tfc", "fashion-tfc")
WEIGHTS = 1 << 10
GENERATE = """
import resource, sys, time
import bnnedge
from bnnedge.hardware.unrolled import generate
model = bnnedge.load(sys.argv[1])
start = time.perf_counter()
generate(model)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
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
class LayerRow:
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
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument(
        "--weights", type=int, default=WEIGHTS, help="of a layer; more are cut to its first neurons"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, tools = measured(options.models, options.weights)
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "tools": tools}))
    else:
        show(rows, tools)


def measured(models: Sequence[str] = MODELS, weights: int = WEIGHTS) -> tuple[list[LayerRow], dict[str, str]]:
    """A row for each layer of each model, also told as they come, and the versions of the tools."""
    rows: list[LayerRow] = []
    tools = {"da4ml": version("da4ml")}
    for name in models:
        for row in measure(name, bnnedge.load(name), tools, weights):
            Console(stderr=True).print(row)
            rows.append(row)
    return rows, tools


def measure(name: str, model: PackedModel, tools: dict[str, str], weights: int) -> Iterator[LayerRow]:
    """The rows of a model, in order; all three are given the same weights ±1 and bounds."""
    for layer, lattice, whole in zip(model.layers, model.lattices, matrices_of(model), strict=True):
        matrix = first_neurons(whole, max(1, weights // layer.inputs))
        own = best_layer(layer.name, matrix, None)
        ours, plain = (
            count(parts(), built, matrix, lattice, tools) for built in (own, plain_layer("layer", matrix))
        )
        theirs = [
            count(PARTS_OF_DA4ML, da4ml_sums("layer", matrix, sizes), matrix, lattice, tools)
            for sizes in ADDERS
        ]
        best = min(theirs, key=lambda one: one.luts)
        yield LayerRow(f"{name} {layer.name}", matrix.weights.shape, own.method, plain, best, ours)


def generation(name: str) -> tuple[float, float]:
    """Seconds to generate an unrolled network, and the most memory that a process takes for it, in GB."""
    done = subprocess.run([sys.executable, "-c", GENERATE, name], capture_output=True, text=True, check=True)
    seconds, kib = map(float, done.stdout.split())
    return seconds, kib * 1024 / 1e9


def matrices_of(model: PackedModel) -> list[LayerMatrix]:
    """The weights ±1 and bounds of every layer, none of its inputs left out."""
    return [matrix_of(layer, Sources.straight(layer.inputs), None) for layer in model.canonical().layers]


def first_neurons(matrix: LayerMatrix, neurons: int) -> LayerMatrix:
    """A layer of these neurons alone."""
    bounds = None if matrix.bounds is None else matrix.bounds[:neurons]
    return replace(matrix, weights=matrix.weights[:neurons], offsets=matrix.offsets[:neurons], bounds=bounds)


def count(
    files: dict[str, str], built: Built, matrix: LayerMatrix, lattice: Lattice, tools: dict[str, str]
) -> Resources:
    """What Yosys makes of one layer by itself, of modules in these files."""
    outputs, inputs = matrix.weights.shape
    width = 1 if matrix.bounds is not None else score_bits(lattice)
    top = (
        f"module network (input wire [{inputs - 1}:0] x, output wire [{outputs * width - 1}:0] y);\n"
        "  layer layer_of (.x(x), .y(y));\nendmodule\n"
    )
    text = layer_module("layer", built, matrix, lattice)
    made = synthesise(files | {"layer.sv": text, "network.sv": top}, {"layer": "layer"})
    tools["yosys"] = made.tool
    return made.layers[0].resources


def da4ml_sums(name: str, matrix: LayerMatrix, sizes: tuple[int, int]) -> Built:
    """Wires that hold da4ml's sums, by the module that makes them."""
    weights = matrix.weights.T.astype(np.float32)
    # Traced, not by solve() itself: the stages that this gives lose a factor of 2 between them (0.6.0).
    inputs = FixedVariableArrayInput(len(weights), hwconf=HWConfig(*sizes, -1))
    made = comb_trace(inputs, inputs.quantize(0, 1, 0) @ weights)
    circuit, place = Circuit(matrix.sum_bits), 0
    sums: Sums = []
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
    return Built("da4ml", circuit, sums, comb_logic_gen(made, f"{name}_da4ml"))


def rows() -> Iterator[Row]:
    """LUTs of unrolled layers beside private compressor trees and da4ml, and what generation takes."""
    layers, tools = measured()
    for name, target in (("plain", 0.55), ("da4ml", 0.9)):
        for layer in layers:
            measure = f"{layer.layer}, {' x '.join(map(str, layer.shape))}"
            ours, theirs = layer.ours.luts, getattr(layer, name).luts
            yield Row("unrolled", measure, "LUTs", ours, theirs, name, theirs / ours)
        mean = geometric_mean([getattr(layer, f"of_{name}") for layer in layers])
        measure, reference = f"LUTs, of {name}, geometric mean", f"target; {tools['yosys']}"
        yield Row("unrolled", measure, "share", mean, target, reference, target / mean)
    for unit, value, target in zip(("s", "GB"), generation("mnist-tfc"), (30, 2), strict=True):
        yield Row("unrolled", "mnist-tfc generated", unit, value, target, "target", target / value)


def show(rows: list[LayerRow], tools: dict[str, str]) -> None:
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
