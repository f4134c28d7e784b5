"""The measures' kernel: BDM and block entropy beside pybdm, compiled loops, full counts and mere reading."""

from __future__ import annotations

import math
import sys
import tempfile
import warnings
from functools import partial, reduce
from importlib.metadata import version
from operator import add
from pathlib import Path

import numpy as np
from bench_loops import LOOPS
from bench_rows import Row, best, run
from numpy.typing import NDArray

from bnnedge import PackedMatrix, bdm
from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.flips import FlipRecorder
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.incremental import IncrementalHistogram
from bnnedge.complexity.null_draws import shuffled_histograms
from bnnedge.complexity.trajectory import Course, Trajectory
from bnnedge.packed.bits import popcount
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["incremental", "kernel", "nulls", "scale"]

SIDE, REFERENCE_SIDE, NULL_SIDE, DRAWS, STEPS = 4096, 256, 1024, 100, 128
AUDIT = """
import resource, sys, time
from bnnedge import audit
from bnnedge.importers import load_weights
start = time.perf_counter()
audit(load_weights(sys.argv[1]), nulls=0).to_json()
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


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
    """BDM and block entropy of bits of which some changed, beside a full count; and finding what changed."""
    rng = np.random.default_rng(0)
    before = PackedMatrix.from_bits(rng.random((SIDE, SIDE)) < 0.5)
    size, width = before.words.size // 100, before.words.shape[1]
    rows = np.arange(size // width)
    anywhere = rng.choice(before.words.size, size, replace=False)
    theirs = best(lambda: count_all([before]), 100) * 1e3

    def row(name: str, ours: float, full: float = theirs) -> Row:
        return Row("incremental", name, "ms", ours, full, "full count", full / ours)

    def update(name: str, places: NDArray[np.int64], told: NDArray[np.int64] | None = None) -> Row:
        return row(f"BDM, entropy; {name}", update_time(before, places, told, rng) * 1e3)

    other = PackedMatrix(before.words.copy(), before.columns)
    other.words.reshape(-1)[anywhere] ^= np.uint64(1)
    finding = best(lambda: np.flatnonzero(before.words != other.words), 200) * 1e3
    return [
        update(f"1 % of words, {SIDE}x{SIDE}", anywhere),
        row("of that, finding which words changed", finding),
        update(f"0.1 % of words, {SIDE}x{SIDE}", anywhere[: size // 10]),
        update(f"{rows.size} known neighbouring rows", np.arange(rows.size * width), rows),
        row(f"a step of training, {STEPS} at once", *trajectory_times(rng)),
    ]


def update_time(
    before: PackedMatrix, places: NDArray[np.int64], rows: NDArray[np.int64] | None, rng: np.random.Generator
) -> float:
    """Seconds for both measures after an update in which one bit differs in each of some words."""
    words = before.words.copy()
    words.reshape(-1)[places] ^= np.uint64(1) << rng.integers(0, 64, places.size, dtype=np.uint64)
    states = [PackedMatrix(words, before.columns), before]
    tracked = IncrementalHistogram(before)

    def update() -> tuple[float, float]:
        tracked.update(states[0], rows)
        states.reverse()
        return tracked.bdm, tracked.block_entropy

    if not np.allclose(update(), count_all(states[1:]), rtol=1e-9, atol=0):
        sys.exit("the update does not give what the full count does: there is no point in timing it")
    return best(update, 200)


def trajectory_times(rng: np.random.Generator) -> tuple[float, float]:
    """Milliseconds a step for both measures of four layers and of all pooled: followed, and counted anew.

    Any 150 of the network's 59,000 weights flip at each step.
    """
    shapes = ((64, 784), (64, 64), (64, 64), (10, 64))
    layers = [np.logical_xor.accumulate(rng.random((STEPS + 1, *s)) < 150 / 59_000) for s in shapes]
    trajectory = Trajectory([PackedMatrix.from_bits(bits[0]) for bits in layers])
    snapshots = np.concatenate([bits.reshape(STEPS + 1, -1) for bits in layers], axis=1)
    recorder = FlipRecorder(snapshots[0])

    def follow() -> list[Course]:
        for state in snapshots[1:]:
            recorder.state[:] = state
            recorder.note()
        return trajectory.follow(recorder.taken())

    courses = follow()
    last = [PackedMatrix.from_bits(bits[-1]) for bits in layers]
    ends = [(course.bdm[-1], course.block_entropy[-1]) for course in courses]
    if not np.allclose(ends, count_all(last, pooled=True), rtol=1e-9, atol=0):
        sys.exit("the trajectory does not end where the full count does: there is no point in timing it")
    # Played again and again, the first step each time goes back to the start.
    ours = best(follow, 30) / STEPS
    return ours * 1e3, best(lambda: count_all(last, pooled=True), 100) * 1e3


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
            seconds, peak_mib = min(tuple(map(float, run(command).stdout.split())) for _ in range(5))
        size, milliseconds = f"{weights:.0e} weights", seconds * 1e3
        name = "reading the file"
        rows.append(Row("scale", f"BDM, entropy; {size}", "ms", counting, reading, name, reading / counting))
        measure = f"audit; {size}; peak {peak_mib:,.0f} MiB"
        rows.append(Row("scale", measure, "ms", milliseconds, reading, name, reading / milliseconds))
    return rows


def count_all(matrices: list[PackedMatrix], pooled: bool = False) -> list[tuple[float, float]]:
    """BDM and block entropy of each, and of all pooled if wanted, off one histogram."""
    histograms = [block_histogram(matrix) for matrix in matrices]
    if pooled:
        histograms.append(reduce(add, histograms))
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
    return PackedModel(InputEncoding.bipolar((side,), 1, 1), layers, Affine(one, one))
