"""Tables of local learning coefficients after trainings that differ in one setting, and their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np
from llc_orderings import TASKS, Row

from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.statistics import spearman

__all__ = ["orderings", "orderings_table", "recipes_table"]

SIGNS = {"learning_rate": -1, "batch_size": 1, "momentum": -1}
"""Of the settings' correlations with the coefficient in Lau et al. 2023."""

_RECIPES = (
    Column("learning_rate", "learning\nrate", "g"),
    Column("batch_size", "batch", "d"),
    Column("momentum", "momentum", "g"),
    Column("training_loss", "training\nloss", ".3f"),
    Column("test_loss", "test\nloss", ".2f"),
    Column("test_accuracy", "test\naccuracy", ".1%"),
    Column("mean", "nβ(E[L] − L*),\nmean of seeds", ",.2f"),
    Column("least", "least", ",.2f"),
    Column("most", "most", ",.2f"),
    Column("error", "largest\nstandard error", ",.2f"),
    Column("given", "given as λ̂"),
)


def recipes_table(rows: Sequence[Row]) -> Table:
    """A row a recipe, over seeds; figures of refused estimates are in it, counted and with their reasons."""
    first = rows[0]
    recipes = sorted({tuple(row[name] for name in SIGNS) for row in rows})
    cells = [_recipe([row for row in rows if tuple(row[name] for name in SIGNS) == one]) for one in recipes]
    notes = [
        f"On {first['source']}.",
        f"{first['epochs']} epochs, {first['parameters']:,} parameters, n = {first['samples']}, "
        f"nβ = {first['inverse_temperature']:.1f}, γ = {first['localisation']:g}; losses in nats.",
        *_said(rows),
    ]
    return Table(f"After training: {first['task']}", _RECIPES, cells, notes=notes)


def _recipe(rows: Sequence[Row]) -> list[Cell]:
    """The cells of one recipe, whose rows differ in their seed."""
    drawn = [row["diagnosis"] for row in rows if row["diagnosis"] is not None]
    means = [diagnosis["mean"] for diagnosis in drawn]
    found: Row = {
        **{name: rows[0][name] for name in SIGNS},
        **{
            name: float(np.mean([row[name] for row in rows]))
            for name in ("training_loss", "test_loss", "test_accuracy")
        },
        "mean": float(np.mean(means)) if means else None,
        "least": min(means, default=None),
        "most": max(means, default=None),
        "error": max((diagnosis["error"] for diagnosis in drawn), default=None),
        "given": f"{sum(row['verdict'] == 'ok' for row in rows)} of {len(rows)}",
    }
    return [found[column.key] for column in _RECIPES]


def _said(rows: Sequence[Row]) -> list[str]:
    """What was not checked, counted; and why each refused figure is."""
    unchecked = Counter(reason for row in rows if row["verdict"] == "ok" for reason in row["reasons"])
    counted = [f"{many} of {len(rows)} given; {reason}." for reason, many in unchecked.items()]
    refused = [
        f"Refused at learning rate {row['learning_rate']:g}, batch {row['batch_size']}, momentum "
        f"{row['momentum']:g}, seed {row['seed']}: {'; '.join(row['reasons'])}."
        for row in rows
        if row["verdict"] != "ok"
    ]
    return counted + refused


def orderings(rows: Sequence[Row]) -> list[Row]:
    """Of each task and setting: in how many seeds, and how closely, coefficients follow it as in the paper.

    Last of each task, what the paper does not order by: the training loss, over all recipes of a seed.
    """
    found = []
    for name, task in TASKS.items():
        own = [row for row in rows if row["task"] == name and row["diagnosis"] is not None]
        seeds = [[row for row in own if row["seed"] == seed] for seed in sorted({row["seed"] for row in own})]
        for setting in task.varied:
            alike = asdict(task.middle)
            del alike[setting]
            runs = [[row for row in seed if alike.items() <= row.items()] for seed in seeds]
            found.append(_ordering(name, setting, runs))
        found.append(_ordering(name, "training_loss", seeds))
    return found


def _ordering(task: str, setting: str, runs: Sequence[Sequence[Row]]) -> Row:
    """How the chains' means of each seed's rows go with one of their figures."""
    means = [[row["diagnosis"]["mean"] for row in run] for run in runs]
    by_seed = [spearman([row[setting] for row in run], mean) for run, mean in zip(runs, means, strict=True)]
    row: Row = {"task": task, "setting": setting, "by_seed": by_seed, "seeds": len(runs)}
    if setting not in SIGNS:
        return row
    pairs = [
        SIGNS[setting] * (one[setting] - other[setting]) * (mean[i] - mean[j]) > 0
        for run, mean in zip(runs, means, strict=True)
        for (i, one), (j, other) in combinations(enumerate(run), 2)
    ]
    return row | {
        "in_order": sum(SIGNS[setting] * coefficient > 1 - 1e-9 for coefficient in by_seed),
        "pairs_in_order": sum(pairs),
        "pairs": len(pairs),
        "loss_by_seed": [
            spearman([row[setting] for row in run], [row["training_loss"] for row in run]) for run in runs
        ],
    }


def orderings_table(rows: Sequence[Row]) -> Table:
    """A row a task and setting."""
    columns = (
        Column("task", "network"),
        Column("setting", "ordered by"),
        Column("paper", "Lau et al.:\ncoefficient"),
        Column("mean", "Spearman,\nmean of seeds", "+.2f"),
        Column("least", "least", "+.2f"),
        Column("most", "most", "+.2f"),
        Column("seeds", "seeds in that\norder throughout"),
        Column("pairs", "pairs in\nthat order"),
        Column("loss", "Spearman with\ntraining loss", "+.2f"),
    )
    return Table(
        "Orders of the coefficient",
        columns,
        [[_cells(row)[column.key] for column in columns] for row in rows],
        notes=["Figures of refused estimates count too; training losses are over all recipes of a seed."],
    )


def _cells(row: Row) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        "task": row["task"],
        "setting": row["setting"].replace("_", " "),
        "mean": float(np.mean(row["by_seed"])),
        "least": min(row["by_seed"]),
        "most": max(row["by_seed"]),
    }
    if row["setting"] not in SIGNS:
        return cells | dict.fromkeys(("paper", "seeds", "pairs", "loss"))
    return cells | {
        "paper": "falls" if SIGNS[row["setting"]] < 0 else "rises",
        "seeds": f"{row['in_order']} of {row['seeds']}",
        "pairs": f"{row['pairs_in_order']} of {row['pairs']}",
        "loss": float(np.mean(row["loss_by_seed"])),
    }
