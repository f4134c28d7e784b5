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
from functools import partial, reduce
from importlib.metadata import version
from operator import add
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
from bnnedge.complexity.flips import FlipRecorder
from bnnedge.complexity.histogram import block_histogram
from bnnedge.complexity.incremental import IncrementalHistogram
from bnnedge.complexity.null_draws import shuffled_histograms
from bnnedge.complexity.trajectory import Course, Trajectory
from bnnedge.data.registry import load_dataset
from bnnedge.packed.bits import popcount
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

SIDE, REFERENCE_SIDE, NULL_SIDE, DRAWS, STEPS = 4096, 256, 1024, 100, 128


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


def training() -> list[Row]:
    """Epochs of ``bnnedge train``, whole, beside plain PyTorch's steps alone and Brevitas' own script.

    In CPU time: a training waits for a disk or for other work on the machine more often than a kernel does.
    Tracking, of which a second thread does most while an epoch is evaluated, is stated in both.
    """
    from bench_training import CHARGES, brevitas_epoch, our_epochs, plain_epochs, tracking_charge

    data = load_dataset("mnist")
    samples, steps = len(data.train.labels), len(data.train.labels) // 100
    ours = math.inf
    charged = dict.fromkeys(CHARGES, math.inf)
    plain = math.inf
    others = plain_epochs(data)
    for _ in range(4):  # in turns, so that all have the machine's better and worse moments
        ours = min(ours, *our_epochs(data, 5))
        for name, settings in CHARGES.items():
            whole = our_epochs(data, 3, "complexity.schedule=constant", *settings)
            charged[name] = min(charged[name], *whole)
        plain = min(plain, next(others), next(others))
    script = min(brevitas_epoch() for _ in range(2))
    untracked, *extras = tracking_charge(data)

    def rate(name: str, seconds: float, count: int) -> Row:
        theirs = count / seconds
        return Row(
            "training",
            "TFC on MNIST",
            "images/s",
            samples / ours,
            theirs,
            name,
            samples / ours / theirs,
        )

    return [
        rate(f"brevitas_examples {version('brevitas')}", script, 60_000),
        rate("plain PyTorch, steps alone", plain, samples),
        *(
            Row(
                "training",
                f"a step, complexity tracked at each, {kind} time",
                "ms",
                (untracked + extra) * 1e3,
                untracked * 1e3,
                "untracked",
                untracked / (untracked + extra),
            )
            for kind, extra in zip(("wall", "CPU"), extras, strict=True)
        ),
        *(
            Row(
                "training",
                f"a step with {', '.join(CHARGES[name])}",
                "ms",
                seconds / steps * 1e3,
                ours / steps * 1e3,
                "without",
                ours / seconds,
            )
            for name, seconds in charged.items()
        ),
    ]


def paper() -> list[Row]:
    """Runs of the paper's network as scripts/reproduce_paper trains them, beside one by one; in CPU time."""
    from bench_paper import RUNS, epoch_seconds

    from bnnedge.studies.paper import SETS, config_of

    ours, theirs = epoch_seconds()
    most = RUNS * config_of(SETS["mnist"][0]).training.epochs

    def row(measure: str, unit: str, factor: float) -> Row:
        name = "bnnedge train, one by one"
        return Row("paper", measure, unit, ours * factor, theirs * factor, name, theirs / ours)

    return [
        row("an epoch of a run, complexity at each step", "ms", 1e3),
        row(f"extrapolated: {RUNS} runs of at most 50 epochs, 2 cores", "min", most / 2 / 60),
    ]


def soft() -> list[Row]:
    """A training step that pays for complex weights, beside the step alone: all of a term, and a share."""
    from bench_soft import NETWORKS, step_times

    rows = []
    for network, widths in NETWORKS.items():
        times = {charge: 1e3 * seconds for charge, seconds in step_times(widths).items()}
        alone = times.pop(None)
        for charge, charged in times.items():
            term, share = charge or ("", 1.0)
            measure = f"a step with {term}, {network}" + (f", share {share:g}" if share < 1 else "")
            rows.append(Row("soft", measure, "ms", charged, alone, "the step alone", alone / charged))
    return rows


def sweeps() -> list[Row]:
    """What ``bnnedge sweep`` adds to the trainings in it, one process, beside a loop that does only these."""
    from bench_sweep import alone, sweep

    jobs, loop, whole, once = 20, math.inf, math.inf, math.inf
    for _ in range(4):  # in turns, so that both have the machine's better and worse moments
        loop = min(loop, alone(jobs))
        a_job, rest = sweep(jobs)
        whole, once = min(whole, a_job), min(once, rest)
    name = "a loop of trainings"
    return [
        Row("sweep", "a tiny job, in a sweep", "ms", whole * 1e3, loop * 1e3, name, loop / whole),
        Row("sweep", "overhead a job", "ms", (whole - loop) * 1e3, loop * 1e3, name, loop / (whole - loop)),
        Row("sweep", "start, table and page, once", "ms", once * 1e3, loop * 1e3, name, loop / once),
    ]


def edge() -> list[Row]:
    """The C target beside onnxruntime on the same network's plain ONNX, and its bytes on other machines."""
    from bench_edge import c_bytes, c_rates, onnx_rate

    from bnnedge.exporters.onnx import to_onnx

    model, images = load_packed(share("models") / "mnist-tfc" / "model.safetensors"), load_dataset("mnist")
    inputs, graph = images.test.inputs, to_onnx(model)
    flags = {"-O2 -march=native": ["-O2", "-march=native"], "-O2": ["-O2"]}
    theirs = {batch: onnx_rate(graph, inputs, batch) for batch in (1, 64, 256, 1024, len(inputs))}
    large = max(theirs, key=lambda batch: theirs[batch])
    rows = []
    for name, options in flags.items():
        rates = c_rates(model, inputs, options)
        for measure, rate, batch in zip(
            ("one image a call", "10,000 a call"), rates, (1, large), strict=True
        ):
            reference = f"onnxruntime {version('onnxruntime')}, batch {batch:,}"
            ratio = rate / theirs[batch]
            rows.append(Row("edge", f"{measure}, {name}", "images/s", rate, theirs[batch], reference, ratio))
    onnx_kib = graph.ByteSize() / 1024
    for machine in ("arm-linux-gnueabihf", "riscv64-linux-gnu", "x86_64-linux-gnu"):
        kib = c_bytes(model, f"{machine}-gcc") / 1024
        measure = f"code and weights, {machine}"
        rows.append(Row("edge", measure, "KiB", kib, onnx_kib, "the ONNX file", onnx_kib / kib))
    return rows


def unrolled() -> list[Row]:
    """LUTs of unrolled layers beside private compressor trees and da4ml, and what generation takes."""
    from bench_unrolled import bench_rows

    return [Row("unrolled", *values) for values in bench_rows()]


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
    "training": training,
    "soft": soft,
    "paper": paper,
    "sweep": sweeps,
    "edge": edge,
    "unrolled": unrolled,
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
    Console(width=max(Console().width, 150)).print(table(rows))


if __name__ == "__main__":
    main()
