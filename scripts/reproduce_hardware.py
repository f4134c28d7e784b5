"""Simulates trained networks on their whole test sets, and counts what they take: scripts/reproduce_hardware.

Each step of a row (generated, simulated, synthesised) is kept as soon as it is finished, under a hash of the
hardware and of the test images: a run that was cut short goes on, and hardware that changed is run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnnedge.cli.options import test_inputs
from bnnedge.data.fetch import fetch
from bnnedge.errors import BnnedgeError
from bnnedge.files import write_atomically, writing
from bnnedge.hardware.bench import Style
from bnnedge.hardware.boards import Board, board
from bnnedge.hardware.generated import Generated, generate
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.synthesise import synthesise
from bnnedge.hardware.wrapper import wrapper_files
from bnnedge.importers.load import load
from bnnedge.report.table import Cell, Column, Table
from bnnedge.share import cache

SCHEMA = 1
BOARD = "Pynq-Z1"
COLUMNS = (
    Column("network", "network"),
    Column("style", "style"),
    Column("samples", "test images,\nbit-exact", ",d"),
    Column("latency_cycles", "latency\n(cycles)", ",d"),
    Column("interval_cycles", "interval\n(cycles)", ",d"),
    Column("fps", "frames/s", ",.0f"),
    Column("luts", "LUT", ",d"),
    Column("luts_share", "of all", ".0%"),
    Column("flip_flops", "FF", ",d"),
    Column("carries", "carry", ",d"),
    Column("block_rams", "BRAM36", "g"),
    Column("depth", "depth\n(cells)", "d"),
    Column("generate_s", "generate\n(s)", ",.0f"),
    Column("simulate_s", "simulate\n(s)", ",.0f"),
    Column("synthesise_s", "synthesise\n(s)", ",.0f"),
)


@dataclass(frozen=True)
class Case:
    """A network in a style; folded for so many frames a second, or as it is without a wish."""

    network: str
    style: Style
    fps: int | None = None

    def __str__(self) -> str:
        return f"{self.network} {self.folding}"

    @property
    def folding(self) -> str:
        """The style, and the wish where there is one."""
        return self.style if self.fps is None else f"{self.style}, {self.fps:,} fps"


# The quickest first.
CASES = (
    Case("digits-tfc", "folded"),
    Case("digits-tfc", "unrolled"),
    Case("mnist-tfc", "folded"),
    Case("mnist-tfc", "folded", 30_000),
    Case("mnist-lfc", "folded"),
    Case("mnist-tfc", "unrolled"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="rows whose name contains this: 'digits', 'unrolled'")
    parser.add_argument("--out", type=Path, help="where finished rows are kept; default: the user's cache")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    chosen = [case for case in CASES if given.only in str(case)]
    if not chosen:
        parser.error(f"no row is called {given.only!r}; there are {', '.join(map(str, CASES))}")
    try:
        place = given.out or cache("hardware")
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        if any(case.network.startswith("mnist") for case in chosen):
            fetch("mnist", say=said)
        found = {case: measured(case, board(BOARD), place) for case in chosen}
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    print(as_json(found) if given.json else shown(found, board(BOARD)))
    return 0


def measured(case: Case, target: Board, place: Path) -> dict[str, Any]:
    """Simulation, synthesis and the seconds of each, out of ``place`` where they are there."""
    model = load(case.network)
    inputs = test_inputs(model, None)
    cycles = None if case.fps is None else int(target.clock_mhz * 1e6 / case.fps)
    began = time.perf_counter()
    design = generate(model, case.style, cycles=cycles)
    generation = time.perf_counter() - began
    name = "-".join(str(case).replace(",", "").split())
    path = place / f"{name}-{fingerprint(design, inputs)}.json"
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    steps: dict[str, Callable[[], dict[str, object]]] = {
        "simulation": lambda: simulate(design, model, inputs).to_dict(),
        "synthesis": lambda: synthesise(design.files, design.modules, "xc7").to_dict(),
    }
    row.setdefault("generation_s", generation)
    for step, work in steps.items():
        if step not in row:
            said(f"{case}: {step} ...")
            began = time.perf_counter()
            row[step] = work()
            row[f"{step}_s"] = time.perf_counter() - began
            write_atomically(path, json.dumps(row, indent=2) + "\n")
    return row


def fingerprint(design: Generated, inputs: NDArray[np.uint8]) -> str:
    """Of the sources and memories that are simulated and counted (not of the wrapper), and of the images."""
    found = hashlib.sha256(np.ascontiguousarray(inputs).tobytes())
    for name in sorted(design.files.keys() - wrapper_files()):
        found.update(f"{name} {len(design.files[name])}\n{design.files[name]}".encode())
    return found.hexdigest()[:16]


def shown(found: dict[Case, dict[str, Any]], target: Board) -> str:
    tools = sorted({row[step]["tool"] for row in found.values() for step in ("simulation", "synthesis")})
    notes = [
        f"By {', '.join(tools)}. Bit-exact: every layer's bits, the scores and the label of each image.",
        f"Frames/s at {target.clock_mhz:g} MHz, the clock that a build for the board asks for: "
        "nothing was placed or routed.",
        f"Of all: of {target.lut:,} LUTs. Depth: cells of logic between registers, at most.",
    ]
    title = f"Trained networks on {target.name}, {target.part}"
    return str(Table(title, COLUMNS, list(rows(found, target)), notes=notes))


def rows(found: dict[Case, dict[str, Any]], target: Board) -> Iterator[tuple[Cell, ...]]:
    for case, row in found.items():
        ran, takes = row["simulation"], row["synthesis"]["total"]
        yield (
            case.network,
            case.folding,
            ran["samples"],
            ran["latency_cycles"],
            ran["interval_cycles"],
            target.clock_mhz * 1e6 / ran["interval_cycles"],
            takes["luts"],
            takes["luts"] / target.lut,
            takes["flip_flops"],
            takes["carries"],
            takes["block_rams"],
            row["synthesis"]["depth"],
            row["generation_s"],
            row["simulation_s"],
            row["synthesis_s"],
        )


def as_json(found: dict[Case, dict[str, Any]]) -> str:
    rows = [
        {"network": case.network, "style": case.style, "fps": case.fps} | row for case, row in found.items()
    ]
    return json.dumps({"schema": SCHEMA, "kind": "bnnedge.hardware", "rows": rows}, indent=2)


def said(line: str) -> None:
    """To people, beside the result."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
