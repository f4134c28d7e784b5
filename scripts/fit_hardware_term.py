"""What an unrolled layer costs, from its spanning tree: the table of bnnedge/complexity/hardware_cost.py.

    python scripts/fit_hardware_term.py [--yosys 12] [--json]

Matrices of many kinds are given to the generator of unrolled layers, and its LUTs are fitted: log LUTs by the
logarithms of the tree's weight and of the layer's sides, least squares. Beside the fit stand the same with
the number of distinct aligned patterns, what a fit without a family says of that family, and, for some
matrices, the LUTs that Yosys counts.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench_unrolled import count
from hardware_matrices import Signs, made_matrices, trained_matrices
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bnnedge import PackedMatrix
from bnnedge.complexity.aligned import distinct_patterns
from bnnedge.complexity.hardware_cost import COEFFICIENTS, hardware_luts
from bnnedge.complexity.spanning import minimum_spanning_tree
from bnnedge.hardware.unrolled.design import parts
from bnnedge.hardware.unrolled.layers import Built, best_layer
from bnnedge.hardware.unrolled.matrices import LayerMatrix
from bnnedge.packed.fold import Lattice
from bnnedge.studies.statistics import spearman

Numbers = NDArray[np.float64]

SEED = 0
NAMES = ("constant", "tree", "neurons", "inputs")


@dataclass(frozen=True, eq=False)
class Case:
    """A matrix, what is read off it, and what the generator makes of it."""

    family: str
    signs: Signs
    tree: int
    patterns: float
    built: Built

    @property
    def logarithms(self) -> list[float]:
        """What the model is linear in, in the order of the table, and the patterns."""
        neurons, inputs = self.signs.shape
        return [1.0, *np.log([self.tree + inputs, neurons, inputs, self.patterns])]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--yosys", type=int, default=12, metavar="N", help="matrices to synthesise")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    cases = [_case(*named) for named in (*made_matrices(SEED), *trained_matrices(SEED))]
    report = fitted(cases) | {"yosys": synthesised(cases, options.yosys)}
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


def _case(family: str, signs: Signs) -> Case:
    matrix = PackedMatrix.from_signs(signs)
    tree, patterns = minimum_spanning_tree(matrix).weight, distinct_patterns(matrix)
    return Case(family, signs, tree, patterns, best_layer(family, _layer(signs), None))


def _layer(signs: Signs) -> LayerMatrix:
    bounds = (signs.sum(axis=1, dtype=np.int64) + 1) // 2  # of the count: half of all the inputs agree
    offsets = -signs.sum(axis=1, dtype=np.int64)
    return LayerMatrix(signs.astype(np.int16), 2, offsets, 1, bounds)


def fitted(cases: Sequence[Case]) -> dict[str, Any]:
    """The table, how well it fits, with and without patterns, and family by family."""
    known = np.array([case.logarithms for case in cases])
    luts = np.array([case.built.circuit.luts for case in cases], dtype=np.float64)
    families = np.array([case.family for case in cases])
    table = _solve(known[:, :4], luts)
    left_out = np.empty_like(luts)
    for family in np.unique(families):
        of = families == family
        left_out[of] = np.exp(known[of, :4] @ _solve(known[~of, :4], luts[~of]))
    return {
        "matrices": len(cases),
        "fitted": dict(zip(NAMES, table.round(3).tolist(), strict=True)),
        "in the tree": COEFFICIENTS,
        "quality": quality(np.exp(known[:, :4] @ table), luts),
        "quality with patterns": quality(np.exp(known @ _solve(known, luts)), luts),
        "quality of families left out": quality(left_out, luts),
        "families": {
            str(family): {"matrices": int((families == family).sum())}
            | quality(left_out[families == family], luts[families == family])
            for family in np.unique(families)
        },
    }


def _solve(known: Numbers, luts: Numbers) -> Numbers:
    found: Numbers = np.linalg.lstsq(known, np.log(luts), rcond=None)[0].astype(np.float64)
    return found


def quality(estimates: Numbers, luts: Numbers) -> dict[str, float]:
    """R² of logarithms, Spearman's correlation, and relative errors: the median, and that of nine in ten."""
    errors = np.abs(estimates - luts) / luts
    residues = np.log(estimates) - np.log(luts)
    return {
        "r2": 1 - float(np.var(residues) + residues.mean() ** 2) / float(np.var(np.log(luts))),
        "spearman": spearman(estimates, luts),
        "median_error": float(np.median(errors)),
        "error_90": float(np.quantile(errors, 0.9)),
    }


def synthesised(cases: Sequence[Case], wanted: int) -> dict[str, Any]:
    """Yosys' LUTs of some cases of at most 128 x 128, drawn, beside what the table expects."""
    small = [case for case in cases if case.signs.size <= 128 * 128]
    tools: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for place in np.random.default_rng(SEED).permutation(len(small))[:wanted]:
        case = small[place]
        lattice = Lattice(case.signs.shape[1], 2)
        counted = count(parts(), case.built, _layer(case.signs), lattice, tools)
        expected = hardware_luts(PackedMatrix.from_signs(case.signs))
        rows.append(
            {"family": case.family, "shape": case.signs.shape, "expected": expected, "luts": counted.luts}
        )
    if len(rows) < 2:
        return {"tool": tools, "rows": rows}
    pairs = np.array([(row["expected"], row["luts"]) for row in rows], dtype=np.float64)
    return {"tool": tools, "rows": rows, **quality(pairs[:, 0], pairs[:, 1])}


def show(report: dict[str, Any]) -> None:
    """Tables, for reading."""
    console = Console(width=120)
    console.print(f"{report['matrices']} matrices; fitted {report['fitted']}; in use {report['in the tree']}")
    table = Table()
    for header in ("of", "matrices", "R² of logarithms", "Spearman", "median error", "of nine in ten below"):
        table.add_column(header, justify="left" if header == "of" else "right")
    whole = {name: report[name] for name in report if name.startswith("quality")}
    yosys = report["yosys"]
    synthesis = {f"Yosys' LUTs, {yosys['tool']['yosys']}": yosys} if "r2" in yosys else {}
    for name, row in (whole | synthesis | report["families"]).items():
        table.add_row(
            name,
            str(row.get("matrices", "")),
            *(f"{row[key]:.3f}" for key in ("r2", "spearman", "median_error", "error_90")),
        )
    console.print(table)
    for row in yosys["rows"]:
        told = f"{row['luts']:,} LUTs, {row['expected']:,.0f} expected"
        console.print(f"{row['family']} {row['shape']}: {told}")


if __name__ == "__main__":
    main()
