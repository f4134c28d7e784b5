"""Discrete local learning coefficients as a table, and as a page with the chains' traces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from bnnedge.llc.discrete import DiscreteEstimate
from bnnedge.report.charts import Line, colour_of, line_chart
from bnnedge.report.curves import Curve, Key
from bnnedge.report.study_page import study_page
from bnnedge.report.table import Cell, Column, Table

__all__ = ["ESTIMATE", "estimate_cells", "estimate_notes", "llc_page", "llc_table", "setting_notes"]

Named = Sequence[tuple[str, DiscreteEstimate]]

POINTS = 300  # of a trace

ESTIMATE = (
    Column("dllc", "dllc", "+.2f"),
    Column("standard_error", "±", ".2f"),
    Column("verdict", "verdict"),
    Column("accepted_share", "accepted", ".0%"),
    Column("effective_draws", "effective\ndraws", ",.0f"),
    Column("rhat", "split\nR-hat", ".3f"),
)
"""Columns of an estimate; see :func:`estimate_cells`."""

_COLUMNS = (
    Column("checkpoint", "checkpoint"),
    Column("layers", "bits that flip"),
    Column("loss_nats", "loss\n(nats)", ".4f"),
    *ESTIMATE,
)


def estimate_cells(one: DiscreteEstimate) -> Sequence[Cell]:
    """The cells of :data:`ESTIMATE`."""
    diagnosis = one.diagnosis
    return (one.value, one.standard_error, one.verdict, one.accepted, diagnosis.effective, diagnosis.rhat)


def setting_notes(estimates: Iterable[DiscreteEstimate], samples: str = "") -> list[str]:
    """p, nβ and n, to which a figure belongs, a line each of them that occurs; what the samples are."""
    settings = {(one.probability, one.inverse_temperature, one.samples) for one in estimates}
    return [f"p = {p:g}, nβ = {nbeta:,.1f}, n = {n:,}{samples}." for p, nbeta, n in sorted(settings)]


def estimate_notes(estimates: Named) -> list[str]:
    """Settings, and what is said against a figure or why it is missing."""
    notes = setting_notes(one for _, one in estimates)
    return notes + [f"{name}, {_flipping(one)}: {said}." for name, one in estimates for said in one.reasons]


def llc_table(estimates: Named) -> Table:
    """A row an estimate; p, nβ and n below, and why a figure is missing."""
    rows = [(name, _flipping(one), one.loss, *estimate_cells(one)) for name, one in estimates]
    title = "Discrete local learning coefficient: nβ (E[L] − L*) over flips"
    return Table(title, _COLUMNS, rows, notes=estimate_notes(estimates))


def llc_page(estimates: Named) -> str:
    """A self-contained page: the curve over checkpoints, the trace of every chain, and the table."""
    charts = [
        Curve(name, _flipping(one), line_chart(f"trace{place}", _lines(one), "scan"), POINTS)
        for place, (name, one) in enumerate(estimates)
    ]
    whole = [(name, one) for name, one in estimates if one.layers == estimates[0][1].layers]
    if len(whole) > 1:
        charts.insert(0, Curve("dllc", "over the checkpoints", _over_checkpoints(whole), len(whole)))
    _, first = estimates[0]
    tiles = {
        "p": f"{first.probability:g}",
        "nβ": f"{first.inverse_temperature:,.1f}",
        "n": f"{first.samples:,}",
        "Chains": f"{len(first.traces)}",
    }
    keys = [
        Key(f"chain {chain + 1}", colour_of(chain, len(first.traces))) for chain in range(len(first.traces))
    ]
    title, heading = "Discrete local learning coefficient", "Traces of nβ (L − L*)"
    return study_page(title, tiles, charts, keys, [llc_table(estimates)], {}, kind="llc", heading=heading)


def _over_checkpoints(estimates: Named) -> str:
    values = [math.nan if one.value is None else one.value for _, one in estimates]
    line = Line(list(range(len(values))), values, colour_of(0, 1), accent=True)
    return line_chart("checkpoints", [line], "checkpoint")


def _lines(one: DiscreteEstimate) -> list[Line]:
    chains, scans = one.traces.shape
    places = np.unique(np.linspace(0, scans - 1, min(POINTS, scans)).astype(int))
    return [
        Line(places.tolist(), one.traces[chain, places].tolist(), colour_of(chain, chains))
        for chain in range(chains)
    ]


def _flipping(one: DiscreteEstimate) -> str:
    return ", ".join(one.layers)
