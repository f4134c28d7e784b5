"""Tables of scripts/reproduce_paper: convolutions, and the discrete local learning coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bnnedge.report.llc import ESTIMATE, estimate_cells, setting_notes
from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.alone import Coefficient
from bnnedge.studies.correlation import Correlation
from bnnedge.studies.paper_tables import interval

__all__ = ["coefficients_table", "layers_table"]

_LAYERS = (
    Column("network", "network"),
    Column("runs", "runs", ",d"),
    Column("test_accuracy", "test accuracy,\nmean", ".1%"),
    Column("layer", "layer"),
    Column("mean_of_runs", "BDM and loss, Pearson,\nmean of runs, our 95 %"),
    Column("differences", "epoch to epoch\nour 95 %"),
)
_COEFFICIENTS = (
    Column("seed", "seed", "d"),
    Column("epoch", "epoch", "d"),
    Column("train_loss", "training\nloss (nats)", ".3f"),
    Column("bdm", "BDM\n(bits)", ",.0f"),
    *ESTIMATE,
)


def layers_table(
    found: Mapping[str, tuple[Sequence[float], Mapping[str, Correlation]]],
) -> Table:
    """How BDM follows the loss in each layer, by network: test accuracies of its runs, and correlations."""
    lines: list[Sequence[Cell]] = [
        (
            network,
            len(accuracies),
            float(np.mean(accuracies)),
            layer,
            interval(one.estimates["pearson", "mean of runs"]),
            interval(one.differences["pearson"]),
        )
        for network, (accuracies, layers) in found.items()
        for layer, one in layers.items()
    ]
    notes = (
        "Trained one by one for 14 epochs; matrices of convolutions are flat: (out, in x 3 x 3).",
        "A dash: no whole 4x4 block, or no run in which it changes. Intervals are of few runs.",
    )
    return Table("Convolutions, layer by layer", _LAYERS, lines, notes=notes)


def coefficients_table(found: Sequence[Coefficient]) -> Table:
    """The discrete local learning coefficient along training; a dash where the chains cannot be believed."""
    lines: list[Sequence[Cell]] = [
        (one.seed, one.epoch, one.train_loss, one.bdm, *estimate_cells(one.estimate)) for one in found
    ]
    notes = setting_notes((one.estimate for one in found), " training samples")
    return Table("Discrete local learning coefficient along training", _COEFFICIENTS, lines, notes=notes)
