"""Runs build folders through FINN+'s front end, and prints its estimates beside ours: scripts/with_finn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from finn_settings import settings_of

from bnnedge.errors import BnnedgeError
from bnnedge.hardware.boards import boards
from bnnedge.hardware.estimates import Estimate
from bnnedge.hardware.finn_plus import check, run_front_end
from bnnedge.hardware.finns import Finn, finn_called
from bnnedge.packed.file import load_packed
from bnnedge.packed.geometry import geometry_of
from bnnedge.report.table import Column, Table

ROOT = Path(__file__).parents[1]
SETTINGS = ROOT / "tests" / "golden" / "finn_settings.json"
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
    parser.add_argument(
        "--freeze",
        nargs=3,
        metavar=("FINN", "SOURCE", "ORIGIN"),
        help="write down which settings the FINN in the folder SOURCE knows, and where SOURCE comes from",
    )
    given = parser.parse_args()
    if given.regenerate + bool(given.folders) + bool(given.freeze) != 1:
        parser.error("name build folders, or --regenerate, or --freeze")
    try:
        if given.freeze:
            freeze(finn_called(given.freeze[0]), Path(given.freeze[1]), given.freeze[2])
        if given.regenerate:
            regenerate(given.python)
        for folder in given.folders:
            kept = given.work is not None
            work = given.work / folder.resolve().name if kept else Path(tempfile.mkdtemp(prefix="with_finn-"))
            result = run_front_end(given.python, folder, work, fps=given.fps)
            estimate = Estimate.of(geometry_of(load_packed(folder / "checkpoint.safetensors")), result)
            table = estimate.to_dict() | {"folder": str(folder), "seconds": result.seconds}
            print(json.dumps(table) if given.json else as_table(folder, estimate))
            check(folder, result, work)
            if not kept:  # on an error it stays, to be looked at
                shutil.rmtree(work)
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def as_table(folder: Path, estimate: Estimate) -> Table:
    rows = []
    for layer, theirs, ours in estimate.pairs:
        figures = [getattr(node, key, None) for key, _ in FIGURES for node in (theirs, ours)]
        rows.append((layer, theirs.name, theirs.folding.get("PE"), theirs.folding.get("SIMD"), *figures))
    notes = [*estimate.notes(), f"FINN+ took {estimate.result.seconds:.1f} s."]
    return Table(str(folder), COLUMNS, rows, notes=notes)


def regenerate(python: Path) -> None:
    """FINN+'s figures of the networks of tests/finn_cases.py, with the versions that gave them."""
    sys.path.insert(0, str(ROOT))
    from tests.finn_cases import CASES, GOLDEN, frozen, write_folder

    cases, versions = {}, {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = write_folder(case, Path(scratch) / "folder")
            work = Path(scratch) / "work"
            result = run_front_end(python, folder, work, fps=case.fps)
            check(folder, result, work)
        cases[name], versions = frozen(result), dict(result.versions)
        print(f"{name}: {len(result.nodes)} nodes", flush=True)
    table = {"command": "scripts/with_finn --regenerate", "versions": versions, "cases": cases}
    GOLDEN.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def freeze(finn: Finn, source: Path, origin: str) -> None:
    """The settings of one FINN, among those that the tests hold our build configurations against."""
    table = json.loads(SETTINGS.read_text(encoding="utf-8")) if SETTINGS.is_file() else {}
    ours = {entry.finn_board for entry in boards()}
    table[finn] = {"origin": origin} | settings_of(source, ours)
    SETTINGS.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
