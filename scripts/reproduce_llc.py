"""Local learning coefficients beside what is known of them; every finished row is kept in a cache."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bnnedge.data.registry import load_dataset
from bnnedge.files import write_atomically
from bnnedge.llc.deep_linear import learning_coefficient, local_value
from bnnedge.llc.discrete import FlipSampling, dllc
from bnnedge.llc.estimator import Sampling, llc
from bnnedge.llc.linear_model import DeepLinear, half_squares
from bnnedge.packed.file import load_packed
from bnnedge.report.table import Column, Table
from bnnedge.runs.config import load_config, override
from bnnedge.runs.directory import RunDirectory
from bnnedge.training.loop import train

Row = dict[str, Any]

# Widths of the smooth networks, by their number of parameters. The largest has narrow ends: all of its inputs
# fit in one batch of a hundred.
SMOOTH = {
    10**3: (16, 16, 16, 16, 16),
    10**4: (57, 57, 57, 57),
    10**5: (182, 182, 182, 182),
    10**6: (577, 577, 577, 577),
    10**7: (100, 3100, 3100, 100),
    10**8: (100, 9900, 9900, 100),
}
COLD = 1e7
SEEDS = 3  # of trainings on digits
FLIPPING = {"dense", "discrete", "flips", "walker"}  # modules of bnnedge.llc that only dllc takes


def smooth(parameters: int) -> Row:
    """A network of orthonormal layers: curvatures that are not 0 are alike, and λ is half their number."""
    widths = SMOOTH[parameters]
    net = DeepLinear.orthonormal(widths)
    started = time.perf_counter()
    large = parameters >= 10**7
    found = llc(
        net,
        half_squares,
        net.answers(),
        Sampling(
            chains=1 if large else 4,
            draws=200 if large else 100,
            most_draws=400,
            inverse_temperature=100 * COLD,
            localisation=1000.0,
            check_step=not large,
        ),
    )
    return {
        "parameters": sum(a * b for a, b in pairwise(widths)),
        "widths": list(widths),
        "truth": widths[0] * widths[-1] / 2,
        "value": found.value,
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "seconds": time.perf_counter() - started,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def random(seed: int) -> Row:
    """A network in the way of Lau et al. 2023: widths and depth at random, every other rank reduced."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(5, 31, size=int(rng.integers(3, 7)))
    matrices: list[NDArray[np.float64]] = []
    for before, after in pairwise(widths.tolist()):
        matrix = rng.normal(size=(after, before)) * math.sqrt(2 / (after + before))
        if rng.random() < 0.5:
            rank = int(rng.integers(min(after, before) + 1))
            left, values, right = np.linalg.svd(matrix, full_matrices=False)
            matrix = (left[:, :rank] * values[:rank]) @ right[:rank]
        matrices.append(matrix)
    net = DeepLinear([torch.tensor(matrix) for matrix in matrices])
    # nβ is large beside γ², or what is singular looks flat; γ is, or a chain leaves for where λ is another.
    # Both only make up for one another in float64, and curvatures of 10^-4 to 10^2 take BAOAB and a metric.
    sampling = Sampling(
        chains=8,
        draws=200,
        most_draws=3200,
        inverse_temperature=1e11,
        localisation=1e5,
        integrator="baoab",
        preconditioner="hessian",
        precision=0.02,
        check_temperature=True,
    )
    started = time.perf_counter()
    found = llc(net, half_squares, net.answers(), sampling)
    truth = local_value(matrices)
    rank = int(np.linalg.matrix_rank(np.linalg.multi_dot([*matrices[::-1], np.eye(int(widths[0]))])))
    return {
        "widths": widths.tolist(),
        "truth": None if truth.coefficient is None else float(truth.coefficient),
        "kind": truth.kind,
        "global": float(learning_coefficient(widths.tolist(), rank)[0]),
        "value": found.value,
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "seconds": time.perf_counter() - started,
    }


def bits(seed: int) -> list[Row]:
    """dllc, BDM, loss and accuracy at checkpoints of one training of digits-tfc."""
    data = load_dataset("digits")
    config = override(
        load_config("digits-tfc"),
        [f"training.seed={seed}", "training.epochs=100", "training.checkpoint_every=10"],
    )
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory.create(Path(scratch) / "run", config)
        train(config, data, run, lambda _: None)
        records = {record["step"]: record for record in run.records()}
        for step, path in run.checkpoints().items():
            if step and records[step]["epoch"] % 10:
                continue  # a best one between
            model = load_packed(path)
            found = dllc(model, data.train.inputs, data.train.labels, FlipSampling(seed=seed))
            record = records.get(step, {})
            rows.append(
                {
                    "seed": seed,
                    "epoch": record.get("epoch", 0),
                    "loss": found.loss,
                    "validation_accuracy": record.get("validation_accuracy"),
                    "bdm": record.get("bdm", {}).get("all"),
                    "dllc": found.value,
                    "mean": found.diagnosis.mean,
                    "error": found.diagnosis.error,
                    "verdict": found.verdict,
                }
            )
    return rows


def cached(folder: Path, kind: str, key: int, make: Callable[[int], Any]) -> Any:
    """What was worked out before by this very function and estimator, or now."""
    room = Path(llc.__code__.co_filename).parent
    parts = [path for path in sorted(room.glob("*.py")) if (path.stem in FLIPPING) <= (kind == "bits")]
    sources = [inspect.getsource(make), *(path.read_text(encoding="utf-8") for path in parts)]
    version = hashlib.sha256("".join(sources).encode()).hexdigest()[:12]
    path = folder / f"{kind}-{key}-{version}.json"
    if not path.exists():
        print(f"{kind} {key:,} ...", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(make(key)))
    return json.loads(path.read_text(encoding="utf-8"))


def smooth_table(rows: Sequence[Row]) -> Table:
    columns = (
        Column("parameters", "parameters", ",d"),
        Column("truth", "λ, half of\nJacobian's rank", ",.1f"),
        Column("value", "estimate", ",.1f"),
        Column("error", "error", "+.2%"),
        Column("verdict", "verdict"),
        Column("seconds", "seconds", ",.1f"),
        Column("gigabytes", "peak (GiB)", ".1f"),
    )
    cells = [[_error(row) if one.key == "error" else row[one.key] for one in columns] for row in rows]
    notes = sorted({said for row in rows for said in row["reasons"]})
    return Table("Smooth deep linear networks", columns, cells, notes=notes)


def random_table(rows: Sequence[Row]) -> Table:
    """Shares, and how near the estimates are that nothing is said against."""
    told = [row for row in rows if row["verdict"] == "ok"]
    known = [row for row in told if row["truth"] is not None]
    pairs = np.array([(row["truth"], row["value"]) for row in known])
    errors = np.abs(pairs[:, 1] - pairs[:, 0]) / np.maximum(pairs[:, 0], 0.5)
    figures: list[tuple[str, float, str]] = [
        ("networks", len(rows), ",d"),
        ("refused", len(rows) - len(told), ",d"),
        *(
            (f"truth {kind}", sum(row["kind"] == kind for row in rows), ",d")
            for kind in ("smooth", "singular", "unknown")
        ),
        ("given, with a known truth", len(known), ",d"),
        ("correlation with it", float(np.corrcoef(pairs.T)[0, 1]), ".4f"),
        ("median error", float(np.median(errors)), ".2%"),
        ("largest error", float(errors.max()), ".2%"),
        ("beyond 15 %", int((errors > 0.15).sum()), ",d"),
    ]
    columns = (Column("figure", "figure"), Column("value", "value"))
    return Table(
        "Random deep linear networks", columns, [(name, format(value, form)) for name, value, form in figures]
    )


def bits_table(rows: Sequence[Row]) -> Table:
    columns = (
        Column("seed", "seed", "d"),
        Column("epoch", "epoch", "d"),
        Column("loss", "training loss\n(nats)", ".4f"),
        Column("validation_accuracy", "validation\naccuracy", ".1%"),
        Column("bdm", "BDM\n(bits)", ",.0f"),
        Column("dllc", "dllc", "+.2f"),
        Column("error", "±", ".2f"),
        Column("verdict", "verdict"),
    )
    return Table("Digits, p = 1 %", columns, [[row[one.key] for one in columns] for row in rows])


def _error(row: Row) -> float | None:
    return None if row["value"] is None else row["value"] / row["truth"] - 1


def sections(options: argparse.Namespace) -> Iterator[tuple[str, list[Row], Table]]:
    """Each section that is asked for, as soon as its rows are there."""
    if "smooth" in options.sections:
        rows = [cached(options.out, "smooth", size, smooth) for size in SMOOTH if size <= options.largest]
        yield "smooth", rows, smooth_table(rows)
    if "random" in options.sections:
        rows = [cached(options.out, "random", seed, random) for seed in range(options.networks)]
        yield "random", rows, random_table(rows)
    if "bits" in options.sections:
        rows = [row for seed in range(SEEDS) for row in cached(options.out, "bits", seed, bits)]
        yield "bits", rows, bits_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("smooth", "random", "bits")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(names))
    parser.add_argument("--largest", type=int, default=10**6, help="most parameters of a smooth network")
    parser.add_argument("--networks", type=int, default=100, help="random ones")
    parser.add_argument("--out", type=Path, default=Path.home() / ".cache" / "bnnedge" / "llc")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(names):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    options.sections = options.sections or names
    for name, rows, table in sections(options):
        print(json.dumps({"section": name, "rows": rows}) if options.json else f"{table}\n", flush=True)


if __name__ == "__main__":
    main()
