"""What a term of the loss adds to a training step: the same network in plain PyTorch, with and without it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from bench_rows import Row
from bench_training import BATCH, PlainTfc
from torch.nn import functional

from bnnedge.soft.terms import TERMS

__all__ = ["rows"]

NETWORKS = {"TFC": (784, 64, 64, 64, 10), "256 wide": (784, 256, 256, 256, 10)}
# Each term whole, and with the share of blocks, segments or neurons that brings it near to a step's time.
CHARGED: tuple[tuple[str, float], ...] = (
    *(("bdm", share) for share in (1.0, 0.02)),
    *((name, 1.0) for name in ("bdm_drawn", "entropy_drawn", "rom_drawn")),
    *(("ctm", share) for share in (1.0, 0.02)),
    *(("rom", share) for share in (1.0, 0.02)),
    *(("distinct", share) for share in (1.0, 0.06)),
    *(("tree", share) for share in (1.0, 0.5)),
    ("hardware", 1.0),
)
_ROUNDS = 60
_SLOW = 10  # times a step alone, beyond which fewer rounds do


def step_times(widths: Sequence[int]) -> dict[tuple[str, float] | None, float]:
    """CPU seconds of a step, the best of many taken in turns, by term and share; None: without a term."""
    torch.set_num_threads(1)
    steps = {charge: _step(widths, charge) for charge in (None, *CHARGED)}
    times = dict.fromkeys(steps, math.inf)
    for turn in range(_ROUNDS):
        for charge, step in steps.items():
            if turn > 3 and turn % 10 and times[charge] > _SLOW * times[None]:
                continue
            start = time.process_time()
            step()
            times[charge] = min(times[charge], time.process_time() - start)
    return times


def _step(widths: Sequence[int], charge: tuple[str, float] | None) -> Callable[[], None]:
    """A step of Adam on a batch of random samples, whose latent weights lie anywhere between −1 and +1."""
    generator = torch.Generator().manual_seed(0)
    net = PlainTfc(widths)
    weights = list(net.layers.parameters())
    with torch.no_grad():
        for weight in weights:
            weight.uniform_(-1, 1, generator=generator)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.001)
    inputs = torch.where(torch.rand(BATCH, widths[0], generator=generator) < 0.5, -1.0, 1.0)
    labels = torch.randint(widths[-1], (BATCH,), generator=generator)

    def step() -> None:
        loss = functional.cross_entropy(net(inputs), labels)
        if charge is not None:
            term, share = charge
            probabilities = [(weight + 1) / 2 for weight in weights]
            loss = loss + 1e-6 * TERMS[term](probabilities, share, generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            for weight in weights:
                weight.clamp_(-1, 1)

    return step


def rows() -> list[Row]:
    """A training step that pays for complex weights, beside the step alone: all of a term, and a share."""
    found = []
    for network, widths in NETWORKS.items():
        times = {charge: 1e3 * seconds for charge, seconds in step_times(widths).items()}
        alone = times.pop(None)
        for charge, charged in times.items():
            term, share = charge or ("", 1.0)
            measure = f"a step with {term}, {network}" + (f", share {share:g}" if share < 1 else "")
            found.append(Row("soft", measure, "ms", charged, alone, "the step alone", alone / charged))
    return found
