"""Tables with charts as one self-contained HTML page: what a sweep and an estimate of complexity show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bnnedge
from bnnedge.report.curves import Curve, Key
from bnnedge.report.html import render
from bnnedge.report.table import Table

__all__ = ["study_page"]


def study_page(
    title: str,
    tiles: Mapping[str, str],
    charts: Sequence[Curve],
    keys: Sequence[Key],
    tables: Sequence[Table],
    failures: Mapping[str, str],
    *,
    kind: str = "sweep",
    heading: str = "Runs",
    conclusions: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        title: of the study.
        tiles: figures that stand first, by what they are.
        charts: plots, side by side.
        keys: their legend.
        tables: below the charts.
        failures: what went wrong, by job.
        kind: of page, above its title.
        heading: of the charts.
        conclusions: sentences that stand before the charts.

    Returns:
        HTML, the same for the same arguments.
    """
    return render(
        "study.html.j2",
        title=title,
        tiles=tiles,
        charts=charts,
        keys=keys,
        tables=tables,
        failures=failures,
        kind=kind,
        heading=heading,
        conclusions=conclusions,
        version=bnnedge.__version__,
    )
