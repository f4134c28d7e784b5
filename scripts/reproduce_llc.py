"""Local learning coefficients beside what is known of them; every finished row is kept in a cache."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import llc_orderings
import numpy as np
import torch
from llc_ordering_tables import orderings, orderings_table, recipes_table
from llc_trajectories import PLANS, Row, sources, trajectory
from llc_trajectory_tables import correlations, correlations_table, trajectories_table
from numpy.typing import NDArray

from bnnedge.files import write_atomically
from bnnedge.llc.deep_linear import learning_coefficient, local_value
from bnnedge.llc.estimator import Sampling, llc
from bnnedge.llc.linear_model import DeepLinear, half_squares
from bnnedge.report.table import Column, Table

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
            burn_in=20 if large else 100,
            most_draws=400,
            inverse_temperature=100 * COLD,
            localisation=1000.0,
            courant=1.5 if large else 0.5,  # all that is not flat is as steep
            check_step=parameters < 10**8,
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


def cached(folder: Path, kind: str, key: Any, make: Callable[[Any], Any], sources: Sequence[str] = ()) -> Any:
    """What was worked out before by these sources, by default this very function and estimator; or now."""
    room = Path(llc.__code__.co_filename).parent
    parts = [path for path in sorted(room.glob("*.py")) if path.stem not in FLIPPING]
    sources = sources or [inspect.getsource(make), *(path.read_text(encoding="utf-8") for path in parts)]
    version = hashlib.sha256("".join(sources).encode()).hexdigest()[:12]
    path = folder / f"{kind}-{key}-{version}.json"
    if not path.exists():
        print(f"{kind} {key} ...", flush=True)
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
        for plan in PLANS:
            make, kind = partial(trajectory, plan), f"bits-{plan.preset}"
            runs = [cached(options.out, kind, seed, make, sources(plan)) for seed in range(plan.seeds)]
            rows = [row for run in runs for row in run]
            yield kind, rows, trajectories_table(rows)
            found = correlations(rows)
            yield f"{kind}-correlations", found, correlations_table(found, plan.preset)
    if "orderings" in options.sections:
        parts, trials = llc_orderings.sources(), llc_orderings.trials(options.seeds, options.device)
        every = [cached(options.out, "orderings", trial, llc_orderings.measured, parts) for trial in trials]
        for task in llc_orderings.TASKS:
            rows = [row for row in every if row["task"] == task]
            yield f"orderings-{task}", rows, recipes_table(rows)
        found = orderings(every)
        yield "orderings", found, orderings_table(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("smooth", "random", "bits", "orderings")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(names))
    parser.add_argument("--largest", type=int, default=10**6, help="most parameters of a smooth network")
    parser.add_argument("--networks", type=int, default=100, help="random ones")
    parser.add_argument("--seeds", type=int, default=3, help="of each training of orderings")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="that orderings are trained and sampled on")
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
