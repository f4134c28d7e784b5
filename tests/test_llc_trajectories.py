"""The study of dllc along trainings: correlations within runs, and what a cached trajectory depends on."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
EPOCHS = 8


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of scripts/ by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def rows_of(seed: int, sign: int) -> list[dict[str, Any]]:
    """A run in which the loss falls, BDM falls or rises with it, and the first checkpoint has no dllc."""
    return [
        {
            "seed": seed,
            "epoch": epoch,
            "value": None if not epoch else float(epoch * epoch),
            "verdict": "not mixed" if not epoch else "not a local minimum" if epoch == 1 else "ok",
            "bdm": 1000.0 + sign * epoch,
            "loss": 1 / (1 + epoch),
            "validation_accuracy": 0.5 + epoch / 20 - (epoch == 4) / 10,
        }
        for epoch in range(EPOCHS)
    ]


def test_correlations_are_within_runs_and_of_checkpoints_with_a_figure(module: Any) -> None:
    tables = module("llc_trajectory_tables")
    rows = [*rows_of(0, -1), *rows_of(1, 1)]
    found = {(row["reading"], row["pair"]): row for row in tables.correlations(rows)}
    readings: dict[str, list[list[int]]] = {reading: [] for reading, _ in found}
    for (reading, _), row in found.items():
        readings[reading].append(row["points"])
    assert readings == {
        "all with a dllc": [[EPOCHS - 1] * 2] * 6,
        "local minima": [[EPOCHS - 2] * 2] * 6,
        "changes": [[EPOCHS - 2] * 2] * 6,
    }
    whole = found["all with a dllc", "dllc, loss"]
    assert whole["by_run"] == pytest.approx([-1, -1])
    assert (whole["mean"], whole["low"], whole["high"]) == pytest.approx((-1, -1, -1))
    opposed = found["all with a dllc", "dllc, BDM"]
    assert opposed["by_run"] == pytest.approx([-1, 1])
    assert (opposed["low"], opposed["high"]) == pytest.approx((-1, 1))
    # The loss falls ever more slowly while dllc rises ever faster: changes of both go up.
    assert found["changes", "dllc, loss"]["by_run"] == pytest.approx([1, 1])
    assert "−1.00" in str(tables.correlations_table(list(found.values()), "a preset"))


def test_few_points_give_no_coefficient_and_one_run_no_interval(module: Any) -> None:
    tables = module("llc_trajectory_tables")
    one = {(row["reading"], row["pair"]): row for row in tables.correlations(rows_of(0, -1)[:6])}
    whole = one["all with a dllc", "dllc, loss"]
    assert (whole["runs"], whole["mean"], whole["low"], whole["high"]) == (1, pytest.approx(-1), None, None)
    minima = one["local minima", "dllc, loss"]
    assert (minima["runs"], minima["mean"], minima["by_run"]) == (0, None, [])
    assert "–" in str(tables.correlations_table(list(one.values()), "a preset"))


def test_a_cached_trajectory_is_of_its_plan(module: Any) -> None:
    study = module("llc_trajectories")
    plan = study.PLANS[0]
    assert study.sources(plan) == study.sources(dataclasses.replace(plan, seeds=plan.seeds + 1))
    assert study.sources(plan) != study.sources(dataclasses.replace(plan, samples=100))
    assert any("def dllc(" in source for source in study.sources(plan))
