"""Measure what the README says about speed: scripts/bench [SECTION ...] [--json].

Each row compares bnnedge with a named reference, timed in the same run, on the same machine, in one thread.
A time is the best of several, since whatever else the machine does can only add to it.
"""

from __future__ import annotations

import os

# Read when NumPy loads its libraries, so set before anything imports it.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import importlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench_rows import Row
from rich.console import Console
from rich.table import Table

# Where the rows of each section are made.
SECTIONS = {
    "kernel": "bench_complexity:kernel",
    "nulls": "bench_complexity:nulls",
    "incremental": "bench_complexity:incremental",
    "scale": "bench_complexity:scale",
    "training": "bench_training:rows",
    "soft": "bench_soft:rows",
    "paper": "bench_paper:rows",
    "sweep": "bench_sweep:rows",
    "edge": "bench_edge:rows",
    "unrolled": "bench_unrolled:rows",
    "llc": "bench_llc:rows",
    "startup": "bench_startup:rows",
}


def section(name: str) -> list[Row]:
    """The rows of a section, measured now; what it needs is imported for it alone."""
    module, _, function = SECTIONS[name].partition(":")
    return list(getattr(importlib.import_module(module), function)())


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
        **{name: version(name) for name in ("bnnedge", "numpy", "pybdm", "numba")},
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
    rows = [row for name in options.sections or SECTIONS for row in section(name)]
    if options.json:
        print(json.dumps({"setting": setting(), "rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in setting().items()))
    Console(width=max(Console().width, 150)).print(table(rows))


if __name__ == "__main__":
    main()
