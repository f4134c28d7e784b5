"""Measure what the README says about speed: scripts/bench [SECTION ...] [--json].

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
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from bench_loops import LOOPS
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bnnedge import PackedMatrix, bdm
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.incremental import IncrementalHistogram
from bnnedge.complexity.null_draws import shuffled_histograms
from bnnedge.packed.bits import popcount
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel

SIDE, REFERENCE_SIDE, NULL_SIDE, DRAWS = 4096, 256, 1024, 100


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
    """BDM of 4x4 blocks, beside pybdm, compiled loops over the same words, and merely reading these."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated, and pybdm 0.1.0 imports it
        import numba
        import pybdm

        judge = pybdm.BDM(ndim=2)
    bits = np.random.default_rng(0).random((SIDE, SIDE)) < 0.5
    matrix = PackedMatrix.from_bits(bits)
    small = np.ascontiguousarray(bits[:REFERENCE_SIDE, :REFERENCE_SIDE])
    symbols = small.astype(np.int64)
    ours, theirs = bdm(PackedMatrix.from_bits(small)), judge.bdm(symbols)
    if not math.isclose(ours, theirs, rel_tol=1e-9):
        sys.exit(f"bdm says {ours} where pybdm says {theirs}: there is no point in timing it")

    ctm = ctm_table((4, 4))
    loops = {name: numba.njit(loop) for name, loop in LOOPS.items()}
    for name, loop in loops.items():
        if not math.isclose(bdm(matrix), loop(matrix.words, ctm), rel_tol=1e-9):
            sys.exit(f"{name} does not compute BDM: there is no point in timing it")

    small_matrix = PackedMatrix.from_bits(small)
    rate = matrix.bits / best(lambda: bdm(matrix), 300) / 1e6
    small_rate = small.size / best(lambda: bdm(small_matrix), 100) / 1e6
    read_rate = matrix.bits / best(lambda: popcount(matrix.words), 100) / 1e6
    loop_rates = {
        name: matrix.bits / best(partial(loop, matrix.words, ctm), 100) / 1e6 for name, loop in loops.items()
    }
    # Without its check of the data, pybdm is a little faster: bnnedge checks when a matrix is made.
    pybdm_rate = small.size / best(lambda: judge.bdm(symbols, check_data=False), 20) / 1e6

    def row(side: int, ours: float, theirs: float, name: str) -> Row:
        return Row("kernel", f"BDM 4x4, {side}x{side}", "Mbit/s", ours, theirs, name, ours / theirs)

    pybdm_name = f"pybdm {version('pybdm')}, {REFERENCE_SIDE}x{REFERENCE_SIDE}"
    return [
        row(SIDE, rate, pybdm_rate, pybdm_name),
        row(REFERENCE_SIDE, small_rate, pybdm_rate, pybdm_name),
        *(row(SIDE, rate, loop_rate, name) for name, loop_rate in loop_rates.items()),
        row(SIDE, rate, read_rate, "popcount of the same words"),
    ]


def nulls() -> list[Row]:
    """BDM of 100 density-matched random matrices, drawn as histograms, beside shuffling every bit."""
    rng = np.random.default_rng(0)
    bits = rng.random((NULL_SIDE, NULL_SIDE)) < 0.5
    matrix, shuffled = PackedMatrix.from_bits(bits), bits.reshape(-1).copy()

    def drawn() -> list[float]:
        return [bdm_of(histogram) for histogram in shuffled_histograms(matrix, DRAWS, rng)]

    def one_shuffle() -> float:
        rng.shuffle(shuffled)
        return bdm(PackedMatrix.from_bits(shuffled.reshape(bits.shape)))

    ours, theirs = DRAWS / best(drawn, 10), 1 / best(one_shuffle, 20)
    measure = f"BDM of {DRAWS} density nulls, {NULL_SIDE}x{NULL_SIDE}"
    return [Row("nulls", measure, "draws/s", ours, theirs, "shuffling the bits", ours / theirs)]


def incremental() -> list[Row]:
    """The histogram of a matrix in which some words changed by a bit, beside a full count."""
    rng = np.random.default_rng(0)
    before = PackedMatrix.from_bits(rng.random((SIDE, SIDE)) < 0.5)
    size, width = before.words.size // 100, before.words.shape[1]
    rows = np.arange(size // width)
    anywhere = rng.choice(before.words.size, size, replace=False)
    theirs = best(lambda: block_histogram(before), 100) * 1e3

    def row(name: str, places: NDArray[np.int64], told: NDArray[np.int64] | None = None) -> Row:
        ours = update_time(before, places, told, rng) * 1e3
        return Row("incremental", f"update, {name}", "ms", ours, theirs, "full count", theirs / ours)

    return [
        row(f"1 % of words, {SIDE}x{SIDE}", anywhere),
        row(f"0.1 % of words, {SIDE}x{SIDE}", anywhere[: size // 10]),
        row(f"{rows.size} known neighbouring rows", np.arange(rows.size * width), rows),
    ]


def update_time(
    before: PackedMatrix, places: NDArray[np.int64], rows: NDArray[np.int64] | None, rng: np.random.Generator
) -> float:
    """Seconds for an update after which one bit differs in each of some words."""
    words = before.words.copy()
    words.reshape(-1)[places] ^= np.uint64(1) << rng.integers(0, 64, places.size, dtype=np.uint64)
    states = [PackedMatrix(words, before.columns), before]
    tracked = IncrementalHistogram(before)

    def update() -> None:
        tracked.update(states[0], rows)
        states.reverse()

    update()
    if not np.array_equal(tracked.histogram.counts[4, 4], block_histogram(states[1]).counts[4, 4]):
        sys.exit("the update does not give the full count: there is no point in timing it")
    return best(update, 200)


AUDIT = """
import resource, sys, time
from bnnedge import audit
from bnnedge.importers import load_weights
start = time.perf_counter()
audit(load_weights(sys.argv[1]), nulls=0).to_json()
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def scale() -> list[Row]:
    """Auditing large files, nulls aside, beside reading them; with the process's peak memory."""
    rows = []
    for weights in (10**8, 10**9):
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "large.safetensors"
            save_packed(large_model(weights), path)
            reading = best(path.read_bytes, 5) * 1e3
            matrices = [layer.weights for layer in load_packed(path).layers]
            counting = best(partial(count_all, matrices), 5) * 1e3
            command = [sys.executable, "-c", AUDIT, str(path)]
            seconds, peak_mib = map(float, run(command).stdout.split())
        size, milliseconds = f"{weights:.0e} weights", seconds * 1e3
        name = "reading the file"
        rows.append(Row("scale", f"BDM, entropy; {size}", "ms", counting, reading, name, reading / counting))
        measure = f"audit; {size}; peak {peak_mib:,.0f} MiB"
        rows.append(Row("scale", measure, "ms", milliseconds, reading, name, reading / milliseconds))
    return rows


def count_all(matrices: list[PackedMatrix]) -> list[tuple[float, float]]:
    """BDM and block entropy of each, off one histogram."""
    histograms = [block_histogram(matrix) for matrix in matrices]
    return [(bdm_of(histogram), block_entropy_of(histogram)) for histogram in histograms]


def large_model(weights: int) -> PackedModel:
    """Three square layers of random bits and ten classes, about as many weights as asked for."""
    side = 64 * round(math.sqrt(weights / 3) / 64)
    rng = np.random.default_rng(0)

    def layer(name: str, outputs: int, last: bool = False) -> PackedLayer:
        words = rng.integers(0, 2**64, (outputs, side // 64), dtype=np.uint64)
        zero = Thresholds(np.zeros(outputs, dtype=np.int32), np.ones(outputs, dtype=np.int8))
        return PackedLayer(name, PackedMatrix(words, side), None if last else zero)

    layers = (*(layer(f"fc{place}", side) for place in (1, 2, 3)), layer("fc4", 10, last=True))
    one = np.ones(1, dtype=np.float32)
    return PackedModel(InputEncoding("bipolar", side, 1, 1), layers, Affine(one, one))


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


SECTIONS: dict[str, Callable[[], list[Row]]] = {
    "kernel": kernel,
    "nulls": nulls,
    "incremental": incremental,
    "scale": scale,
    "startup": startup,
}


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
    rows = [row for name in options.sections or SECTIONS for row in SECTIONS[name]()]
    if options.json:
        print(json.dumps({"setting": setting(), "rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in setting().items()))
    Console(width=max(Console().width, 120)).print(table(rows))


if __name__ == "__main__":
    main()
