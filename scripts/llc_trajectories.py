"""The discrete local learning coefficient along trainings, beside BDM, loss and accuracy of the same bits."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnedge.analysis.measures import measure
from bnnedge.cli.options import load_data
from bnnedge.llc import dense, diagnostics, discrete, flips, walker
from bnnedge.llc.discrete import FlipSampling, dllc
from bnnedge.packed.file import load_packed
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, override
from bnnedge.training.loop import train

__all__ = ["PLANS", "Plan", "Row", "sources", "trajectory"]

Row = dict[str, Any]

MOST_SCANS = 400


@dataclass(frozen=True)
class Plan:
    """What is trained, and where it is looked at.

    Attributes:
        preset: the network and its training, as shipped.
        seeds: trainings, of seeds 0 and up.
        epochs: after which the bits are looked at; closer where they change most.
        samples: of the training split, the first ones at most.
    """

    preset: str
    seeds: int
    epochs: Sequence[int]
    samples: int = 10_000


PLANS = (
    Plan("digits-tfc", 5, (0, 1, 3, 8, 20, 50, 100, 150, 200)),
    Plan("mnist-tfc", 1, (0, 1, 3, 6, 12, 20, 30, 40, 50), samples=5_000),
)


def trajectory(plan: Plan, seed: int) -> list[Row]:
    """A row a checkpoint of one training."""
    config = override(load_config(plan.preset), [f"training.seed={seed}"])
    data = load_data(config.data, None)
    inputs, labels = data.train.inputs[: plan.samples], data.train.labels[: plan.samples]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        run = RunDirectory.create(Path(scratch) / "run", config)
        train(config, data, run, lambda _: None)
        steps = {0: 0} | {record["epoch"]: record["step"] for record in run.records()}
        for epoch in plan.epochs:
            model = load_packed(run.checkpoint(steps[epoch]))
            found = dllc(model, inputs, labels, FlipSampling(seed=seed, most_scans=MOST_SCANS))
            right = model.predict(data.validation.inputs).labels == data.validation.labels
            rows.append(
                {
                    "preset": plan.preset,
                    "seed": seed,
                    "epoch": epoch,
                    "validation_accuracy": float(right.mean()),
                    "bdm": measure(layer.weights for layer in model.layers).bdm,
                    "scans": found.traces.shape[1],
                    **found.to_dict(),
                }
            )
            print(f"{plan.preset} seed {seed} epoch {epoch}: {found.verdict}", file=sys.stderr, flush=True)
    return rows


def sources(plan: Plan) -> list[str]:
    """What a trajectory depends on, besides the training: the plan, what makes rows of it, the sampler."""
    parts = (trajectory, dense, diagnostics, discrete, flips, walker)
    return [
        repr((plan.preset, plan.epochs, plan.samples, MOST_SCANS)),
        *[inspect.getsource(part) for part in parts],
    ]
