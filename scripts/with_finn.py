"""Runs build folders through FINN+'s front end, and prints its estimates beside ours: scripts/with_finn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from bnnedge.errors import BnnedgeError
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.finn_plus import FinnNode, FrontEnd, check, estimates_of, run_front_end
from bnnedge.hardware.units import Node
from bnnedge.packed.file import load_packed
from bnnedge.packed.geometry import geometry_of
from bnnedge.report.table import Column, Table

ROOT = Path(__file__).parents[1]
Pairs = list[tuple[str, FinnNode, Node | None]]
FIGURES = (("cycles", "cycles"), ("luts", "LUT"), ("bram18", "BRAM18"))
COLUMNS = (
    Column("layer", "layer"),
    Column("node", "FINN+'s node"),
    Column("pe", "PE", "d"),
    Column("simd", "SIMD", "d"),
    *(
        Column(f"{key}_{who}", f"{header}\n{shown}", ",d")
        for key, header in FIGURES
        for who, shown in (("finn", "FINN+"), ("ours", "ours"))
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", type=Path, help="of FINN+'s environment")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--fps", type=int, help="let FINN+ fold for it, in place of what the folder says")
    parser.add_argument("--work", type=Path, help="keep FINN+'s models and reports here, a folder each")
    parser.add_argument("--json", action="store_true", help="JSON lines, one object a folder")
    parser.add_argument("--regenerate", action="store_true", help="write the tests' golden file anew")
    given = parser.parse_args()
    if given.regenerate == bool(given.folders):
        parser.error("name build folders, or --regenerate")
    try:
        if given.regenerate:
            regenerate(given.python)
        for folder in given.folders:
            kept = given.work is not None
            work = given.work / folder.resolve().name if kept else Path(tempfile.mkdtemp(prefix="with_finn-"))
            result = run_front_end(given.python, folder, work, fps=given.fps)
            print(shown(folder, result, as_json=given.json))
            check(folder, result)
            if not kept:  # on an error it stays, to be looked at
                shutil.rmtree(work)
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def shown(folder: Path, result: FrontEnd, *, as_json: bool) -> str:
    geometry = geometry_of(load_packed(folder / "checkpoint.safetensors"))
    pairs = estimates_of(units_of(geometry), result.nodes)
    return json.dumps(as_dict(folder, result, pairs)) if as_json else str(as_table(folder, result, pairs))


def as_dict(folder: Path, result: FrontEnd, pairs: Pairs) -> dict[str, Any]:
    nodes = [
        {"layer": layer, "node": theirs.name, "hardware": theirs.hardware, "folding": dict(theirs.folding)}
        | {
            key: {"finn": getattr(theirs, key), "ours": None if ours is None else getattr(ours, key)}
            for key, _ in FIGURES
        }
        for layer, theirs, ours in pairs
    ]
    return {
        "schema": 1,
        "kind": "bnnedge.finn_plus",
        "folder": str(folder),
        "versions": dict(result.versions),
        "wrong_labels": dict(result.wrong),
        "samples": result.samples,
        "seconds": result.seconds,
        "outside": list(result.outside),
        "nodes": nodes,
    }


def as_table(folder: Path, result: FrontEnd, pairs: Pairs) -> Table:
    rows = []
    for layer, theirs, ours in pairs:
        figures = [getattr(node, key, None) for key, _ in FIGURES for node in (theirs, ours)]
        rows.append((layer, theirs.name, theirs.folding.get("PE"), theirs.folding.get("SIMD"), *figures))
    slowest = max(node.cycles for node in result.nodes)
    totals = [sum(getattr(node, key) for node in result.nodes) for key in ("luts", "bram18")]
    software = [node.name for node in result.nodes if not node.hardware]
    notes = [
        f"{result.clock_mhz * 1e6 / slowest:,.0f} frames/s at {result.clock_mhz:g} MHz, {totals[0]:,} LUT, "
        f"{totals[1]:,} BRAM18; FINN+ {result.versions['finn-plus']}, {result.seconds:.1f} s.",
        f"Labels of {result.samples} samples: "
        + ", ".join(f"{wrong} wrong after {step}" for step, wrong in result.wrong.items()),
        f"{len(result.nodes) - len(software)} of {len(result.nodes)} nodes in hardware; "
        f"outside the accelerator: {', '.join((*software, *result.outside)) or 'none'}.",
    ]
    return Table(str(folder), COLUMNS, rows, notes=notes)


def regenerate(python: Path) -> None:
    """FINN+'s figures of the networks of tests/finn_cases.py, with the versions that gave them."""
    sys.path.insert(0, str(ROOT))
    from tests.finn_cases import CASES, GOLDEN, frozen, write_folder

    cases, versions = {}, {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = write_folder(case, Path(scratch) / "folder")
            result = run_front_end(python, folder, Path(scratch) / "work", fps=case.fps)
        check(folder, result)
        cases[name], versions = frozen(result), dict(result.versions)
        print(f"{name}: {len(result.nodes)} nodes", flush=True)
    table = {"command": "scripts/with_finn --regenerate", "versions": versions, "cases": cases}
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
