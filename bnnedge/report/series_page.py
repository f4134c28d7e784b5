"""A series as one self-contained HTML page: learning curves beside those of complexity, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bnnedge
from bnnedge.analysis.series import Series
from bnnedge.report.curves import curves
from bnnedge.report.html import render
from bnnedge.report.table import Table
from bnnedge.report.views import series_table, settled_table

__all__ = ["series_page"]


def series_page(
    series: Series,
    title: str,
    records: Sequence[Mapping[str, Any]] = (),
    tables: Sequence[Table] = (),
) -> str:
    """The page.

    Args:
        series: checkpoints of one shape, in order.
        title: what they are.
        records: a run's metrics by epoch, for its learning curves.
        tables: of what was compared besides, shown last.

    Returns:
        HTML, under 1 MB, the same for the same arguments.
    """
    return render(
        "series.html.j2",
        title=title,
        run=curves(series, records),
        total=series.points[-1].total,
        first=series.points[0],
        last=series.points[-1],
        tables=[series_table(series, "Checkpoints"), settled_table(series), *tables],
        version=bnnedge.__version__,
    )
