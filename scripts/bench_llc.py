"""Our local learning coefficient beside devinterp's, of the same networks and the same posterior.

Two deep linear networks whose coefficient is known: of orthonormal layers, whose curvatures are alike, and
of random ones, where they are not. Both estimates are means of ten chains, devinterp's default, and neither
is checked at half its step. Ours finds its step and its length. devinterp is given what it leaves to its
user: shares of the largest stable step, as many steps as it takes, of which the first half is left out, and
the exact loss at the start. Of all these the shortest run counts from which on the mean of three chains,
whose time is multiplied, is and stays as near to the truth as ours, or within 1 %.

Times are CPU times of one thread, which other work on the machine moves little.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_rows import Row, run
from numpy.typing import NDArray

from bnnedge.llc.deep_linear import jacobian_rank
from bnnedge.llc.estimator import Sampling, llc
from bnnedge.llc.linear_model import DeepLinear, half_squares

__all__ = ["rows"]

SEEDS = 2
WANTED = 0.01
"""Error, as a share of the truth, that is near enough."""
SHORTEST = 64  # steps of a chain
CHAINS = 10
CHAINS_RUN = 3
"""Of devinterp, for the time of ten: it runs one after another."""
NBETA = 1e9
OURS = Sampling(
    chains=CHAINS, draws=50, inverse_temperature=NBETA, localisation=1e4, precision=WANTED, check_step=False
)


@dataclass(frozen=True)
class Case:
    """A network and how it is sampled.

    Attributes:
        name: in the table.
        net: at a smooth point.
        sampling: of ours.
        steps: of a chain of devinterp, at most.
        shares: its step sizes, of that at which Euler's dynamics become unstable.
    """

    name: str
    net: DeepLinear
    sampling: Sampling
    steps: int
    shares: tuple[float, ...]

    @property
    def truth(self) -> float:
        return jacobian_rank(self.net.matrices()) / 2


def rows() -> list[Row]:
    """CPU seconds until a coefficient is known, beside devinterp's."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=(b, a)) * (2 / (a + b)) ** 0.5 for a, b in pairwise((18, 18, 13, 29))]
    uneven = DeepLinear([torch.tensor(matrix, dtype=torch.float32) for matrix in drawn])
    sampling = replace(OURS, integrator="baoab", preconditioner="hessian")
    cases = (
        Case(
            "orthonormal layers, 10^4 parameters",
            DeepLinear.orthonormal((57, 57, 57, 57)),
            OURS,
            2048,
            (0.005, 0.01, 0.02, 0.05),
        ),
        Case("random layers, 10^3 parameters", uneven, sampling, 8192, (0.02, 0.05, 0.1, 0.2)),
    )
    return [_row(case) for case in cases]


def _row(case: Case) -> Row:
    error, seconds = _ours(case)
    wanted = max(error, WANTED)
    theirs, reference = _theirs(case, wanted)
    return Row("llc", f"llc, {case.name}: {error:.1%}", "s", seconds, theirs, reference, theirs / seconds)


def _ours(case: Case) -> tuple[float, float]:
    """Root mean square error, and CPU seconds, of one estimate."""
    errors, started = [], time.process_time()
    for seed in range(SEEDS):
        found = llc(case.net, half_squares, case.net.answers(), replace(case.sampling, seed=seed))
        if found.value is None:
            raise SystemExit(f"{case.name}: refused, {'; '.join(found.reasons)}")
        errors.append(found.value / case.truth - 1)
    return float(np.sqrt(np.mean(np.square(errors)))), (time.process_time() - started) / SEEDS


def _theirs(case: Case, wanted: float) -> tuple[float, str]:
    """CPU seconds of the shortest run that comes as near, and its name; of the longest run if none does."""
    unstable = 4 / (NBETA * _steepest(case.net.matrices()) + OURS.localisation)
    script = Path(__file__).with_name("bench_devinterp.py")
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights.npz"
        layers: dict[str, Any] = {f"layer{i}": matrix for i, matrix in enumerate(case.net.matrices())}
        np.savez(weights, **layers)
        posterior = ["--nbeta", NBETA, "--localization", OURS.localisation]
        steps = [
            "--steps",
            case.steps,
            "--chains",
            CHAINS_RUN,
            "--lr",
            *(share * unstable for share in case.shares),
        ]
        command = [script.with_name("with_devinterp"), script, weights, *posterior, *steps]
        lines = run(list(map(str, command))).stdout.splitlines()
    reached, longest, nearest = [], 0.0, np.inf
    for one in map(json.loads, lines):
        traces, length, stays = np.array(one["traces"]), case.steps, True
        longest = max(longest, CHAINS * length * one["seconds"])
        while length >= SHORTEST:
            error = float(abs(traces[:, length // 2 : length].mean() / case.truth - 1))
            nearest, stays = min(nearest, error), stays and error <= wanted
            if stays:
                reached.append(CHAINS * length * one["seconds"])
            length //= 2
    if reached:
        return min(reached), f"devinterp 1.3.2, to {wanted:.1%}"
    return longest, f"devinterp 1.3.2, {case.steps:,} steps: {nearest:.1%} at best"


def _steepest(matrices: list[NDArray[np.float32]]) -> float:
    """The largest curvature of the loss: of the map ``J Jᵀ`` on products, by power iteration."""
    before, after = [np.eye(matrices[0].shape[1])], [np.eye(matrices[-1].shape[0])]
    for matrix in matrices[:-1]:
        before.append(matrix @ before[-1])
    for matrix in matrices[:0:-1]:
        after.insert(0, after[0] @ matrix)
    sides = [(a @ a.T, b.T @ b) for a, b in zip(after, before, strict=True)]
    direction = np.random.default_rng(0).normal(size=(len(after[-1]), len(before[0])))
    largest = 0.0
    for _ in range(200):
        direction = direction / np.linalg.norm(direction)
        direction = reduce(add, (left @ direction @ right for left, right in sides))
        largest = float(np.linalg.norm(direction))
    return largest
