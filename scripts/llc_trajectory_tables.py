"""Tables of dllc, BDM, loss and accuracy along trainings, and how closely they go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from llc_trajectories import Row
from numpy.typing import NDArray

from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.statistics import bootstrap, spearman

__all__ = ["correlations", "correlations_table", "trajectories_table"]

Run = NDArray[np.float64]
"""(checkpoints with a figure, 4): dllc, BDM, loss and accuracy in the order of training."""

FOLLOWED = {"value": "dllc", "bdm": "BDM", "loss": "loss", "validation_accuracy": "accuracy"}
FEWEST = 5  # checkpoints, of which ranks say something

_COLUMNS = (
    Column("seed", "seed", "d"),
    Column("epoch", "epoch", "d"),
    Column("loss", "training loss\n(nats)", ".4f"),
    Column("validation_accuracy", "validation\naccuracy", ".1%"),
    Column("bdm", "BDM\n(bits)", ",.0f"),
    Column("value", "dllc", "+.2f"),
    Column("standard_error", "±", ".2f"),
    Column("verdict", "verdict"),
    Column("scans", "scans", ",d"),
)


def trajectories_table(rows: Sequence[Row]) -> Table:
    """A row a checkpoint."""
    first = rows[0]
    p, nbeta, n = (first[key] for key in ("probability", "inverse_temperature", "samples"))
    cells = [[row[one.key] for one in _COLUMNS] for row in rows]
    return Table(
        f"Along the training of {first['preset']}",
        _COLUMNS,
        cells,
        notes=[f"p = {p:g}, nβ = {nbeta:,.1f}, n = {n:,}."],
    )


def correlations(rows: Sequence[Row]) -> list[Row]:
    """Spearman's coefficient of every pair within a run, its mean over runs, and an interval over these.

    Three readings: over the checkpoints that have a dllc; over those alone that are local minima, of verdict
    ``ok``; and of the changes from one to the next that has a dllc, which no common trend can make alike.
    """
    readings: dict[str, list[Run]] = {
        "all with a dllc": _runs(rows, lambda row: row["value"] is not None),
        "local minima": _runs(rows, lambda row: row["verdict"] == "ok"),
    }
    readings["changes"] = [np.diff(run, axis=0) for run in readings["all with a dllc"]]
    found = []
    for reading, every in readings.items():
        runs = [run for run in every if len(run) >= FEWEST]
        for pair in combinations(range(len(FOLLOWED)), 2):
            found.append(_correlation(reading, runs, pair))
    return found


def _correlation(reading: str, runs: Sequence[Run], pair: tuple[int, int]) -> Row:
    names = list(FOLLOWED.values())
    each = np.array([spearman(run[:, pair[0]], run[:, pair[1]]) for run in runs])
    row = {
        "reading": reading,
        "pair": f"{names[pair[0]]}, {names[pair[1]]}",
        "runs": len(runs),
        "points": [len(run) for run in runs],
        "by_run": each.tolist(),
        "mean": float(each.mean()) if len(runs) else None,
        "low": None,
        "high": None,
    }
    if len(runs) > 1:
        interval = bootstrap(lambda drawn: float(each[drawn].mean()), len(runs))
        row |= {"low": interval.low, "high": interval.high}
    return row


def correlations_table(rows: Sequence[Row], preset: str) -> Table:
    """A row a pair and reading."""
    columns = (
        Column("reading", "checkpoints"),
        Column("pair", "of"),
        Column("mean", "Spearman,\nmean of runs", "+.2f"),
        Column("low", "95 %\nfrom", "+.2f"),
        Column("high", "to", "+.2f"),
        Column("runs", "runs", "d"),
        Column("points", "points\na run"),
    )
    return Table(
        f"Rank correlations within a training of {preset}",
        columns,
        [[_cells(row)[one.key] for one in columns] for row in rows],
        notes=["Intervals by bootstrap over runs, and few of them; a run's points are not independent."],
    )


def _cells(row: Row) -> Mapping[str, Cell]:
    least, most = min(row["points"], default=0), max(row["points"], default=0)
    return row | {"points": str(least) if least == most else f"{least}–{most}"}


def _runs(rows: Sequence[Row], taken: Callable[[Row], bool]) -> list[Run]:
    """What was followed at the checkpoints that are taken, by run."""
    runs: dict[int, list[list[float]]] = {}
    for row in rows:
        runs.setdefault(row["seed"], [])
        if taken(row):
            runs[row["seed"]].append([row[key] for key in FOLLOWED])
    return [np.array(run, dtype=np.float64).reshape(-1, len(FOLLOWED)) for run in runs.values()]
