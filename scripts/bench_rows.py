"""Rows of the benchmark, and how a time is taken: as the best of several."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "best", "run"]


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
