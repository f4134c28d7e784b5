"""How soon the command line answers."""

from __future__ import annotations

import sys

from bench_rows import Row, best, run

__all__ = ["rows"]


def rows() -> list[Row]:
    """The time until ``bnnedge --help`` has answered, beside that of a Python that does nothing."""
    python, verb = sys.executable, ["-m", "bnnedge", "--help"]
    imports = run([python, "-X", "importtime", *verb]).stderr
    loaded = {line.rpartition("|")[2].strip() for line in imports.splitlines()}
    if "bnnedge" not in loaded or "torch" in loaded:
        sys.exit("bnnedge --help imports torch, or never got to bnnedge: there is no point in timing it")
    ours = best(lambda: run([python, *verb]), 15) * 1e3
    nothing = best(lambda: run([python, "-c", "pass"]), 15) * 1e3
    return [Row("startup", "bnnedge --help", "ms", ours, nothing, "python -c pass", nothing / ours)]
