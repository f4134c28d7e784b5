"""Measure what the README says about speed: scripts/bench [kernel] [startup] [--json].

Each row compares bnnedge with a named reference, timed in the same run, on the same machine, in one thread.
A time is the best of several, since whatever else the machine does can only add to it.
"""

from __future__ import annotations

import os

# Read when NumPy loads its libraries, so set before it is imported.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
import math
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bnnedge import PackedMatrix, bdm
from bnnedge.packed.bits import popcount

SIDE, REFERENCE_SIDE = 4096, 256


@dataclass(frozen=True)
class Row:
    """A rate or time of ours beside that of a reference, and how many times better ours is."""

    section: str
    measure: str
    unit: str
    bnnedge: float
    reference: float
    reference_name: str
    ratio: float


def kernel() -> list[Row]:
    """BDM of 4x4 blocks, beside pybdm and beside merely reading the same bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated, and pybdm 0.1.0 imports it
        import pybdm

        judge = pybdm.BDM(ndim=2)
    bits = np.random.default_rng(0).random((SIDE, SIDE)) < 0.5
    matrix = PackedMatrix.from_bits(bits)
    small = np.ascontiguousarray(bits[:REFERENCE_SIDE, :REFERENCE_SIDE])
    symbols = small.astype(np.int64)
    ours, theirs = bdm(PackedMatrix.from_bits(small)), judge.bdm(symbols)
    if not math.isclose(ours, theirs, rel_tol=1e-9):
        sys.exit(f"bdm says {ours} where pybdm says {theirs}: there is no point in timing it")

    small_matrix = PackedMatrix.from_bits(small)
    rate = matrix.bits / best(lambda: bdm(matrix), 300) / 1e6
    small_rate = small.size / best(lambda: bdm(small_matrix), 100) / 1e6
    read_rate = matrix.bits / best(lambda: popcount(matrix.words), 100) / 1e6
    # Without its check of the data, pybdm is a little faster: bnnedge checks when a matrix is made.
    pybdm_rate = small.size / best(lambda: judge.bdm(symbols, check_data=False), 20) / 1e6

    def row(side: int, ours: float, theirs: float, name: str) -> Row:
        return Row("kernel", f"BDM 4x4, {side}x{side}", "Mbit/s", ours, theirs, name, ours / theirs)

    pybdm_name = f"pybdm {version('pybdm')}, {REFERENCE_SIDE}x{REFERENCE_SIDE}"
    return [
        row(SIDE, rate, pybdm_rate, pybdm_name),
        row(REFERENCE_SIDE, small_rate, pybdm_rate, pybdm_name),
        row(SIDE, rate, read_rate, "popcount of the same words"),
    ]


def startup() -> list[Row]:
    """The time until ``bnnedge --help`` has answered, beside that of a Python that does nothing."""
    python, verb = sys.executable, ["-m", "bnnedge", "--help"]
    imports = run([python, "-X", "importtime", *verb]).stderr
    loaded = {line.rpartition("|")[2].strip() for line in imports.splitlines()}
    if "bnnedge" not in loaded or "torch" in loaded:
        sys.exit("bnnedge --help imports torch, or never got to bnnedge: there is no point in timing it")
    ours = best(lambda: run([python, *verb]), 15) * 1e3
    nothing = best(lambda: run([python, "-c", "pass"]), 15) * 1e3
    return [Row("startup", "bnnedge --help", "ms", ours, nothing, "python -c pass", nothing / ours)]


def best(work: Callable[[], object], times: int) -> float:
    """The shortest of several times, in seconds, after one that is not counted."""
    work()
    seconds = math.inf
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """What a command prints; the end of the benchmark if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr.strip()}")
    return done


SECTIONS: dict[str, Callable[[], list[Row]]] = {"kernel": kernel, "startup": startup}


def setting() -> dict[str, str]:
    """What the numbers depend on."""
    processors = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (processors.read_text(encoding="utf-8").splitlines() if processors.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("bnnedge", "numpy", "pybdm")},
        "threads": "1",
    }


def table(rows: list[Row]) -> Table:
    """The rows, for reading."""
    view = Table()
    for name in ("measure", "unit", "bnnedge", "reference", "", "ratio"):
        numeric = name in ("bnnedge", "reference", "ratio")
        view.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        ratio = f"{row.ratio:,.0f}x" if row.ratio >= 10 else f"{row.ratio:.2f}x"
        numbers = f"{row.bnnedge:,.4g}", f"{row.reference:,.4g}"
        view.add_row(row.measure, row.unit, *numbers, row.reference_name, ratio)
    return view


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if unknown := set(options.sections) - SECTIONS.keys():
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    rows = [row for name in options.sections or SECTIONS for row in SECTIONS[name]()]
    if options.json:
        print(json.dumps({"setting": setting(), "rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in setting().items()))
    Console(width=max(Console().width, 100)).print(table(rows))


if __name__ == "__main__":
    main()
