"""Columns of the discrete local learning coefficient beside BDM, in tables of comparisons and of series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bnnedge.analysis.compare import Comparison, LayerComparison
from bnnedge.analysis.series import Series, SeriesPoint
from bnnedge.llc.discrete import DiscreteEstimate
from bnnedge.report.llc import ESTIMATE, estimate_cells, estimate_notes
from bnnedge.report.table import Cell, Column

__all__ = [
    "comparison_cells",
    "comparison_columns",
    "comparison_notes",
    "layer_cells",
    "layer_columns",
    "point_cells",
    "point_columns",
    "series_notes",
]

_SHOWN = ESTIMATE[:3]  # value, error, verdict


def point_columns(series: Series) -> tuple[Column, ...]:
    """Of all layers together; none where nothing was estimated."""
    return _SHOWN if _most(series) else ()


def point_cells(series: Series, point: SeriesPoint) -> Sequence[Cell]:
    """The cells of :func:`point_columns`."""
    return _cells(point.dllc[0] if point.dllc else None) if _most(series) else ()


def layer_columns(series: Series) -> tuple[Column, ...]:
    """A column a layer whose bits flip alone."""
    names = [name for name, _ in series.points[0].layers] if _most(series) > 1 else []
    return tuple(Column(f"dllc_{name}", f"dllc\n{name}", ESTIMATE[0].format) for name in names)


def layer_cells(series: Series, point: SeriesPoint) -> Sequence[Cell]:
    """The cells of :func:`layer_columns`."""
    count = len(layer_columns(series))
    alone = [estimate.value for estimate in point.dllc[1:]]
    return [*alone, *[None] * (count - len(alone))]


def series_notes(series: Series) -> list[str]:
    """Settings, and what is said against figures."""
    return estimate_notes([(point.name, one) for point in series.points for one in point.dllc])


def comparison_columns(comparison: Comparison) -> tuple[Column, ...]:
    """Before and after; none where nothing was estimated."""
    return tuple(
        replace(column, key=f"{column.key}_{side}", header=_sided(column.header, side))
        for side in ("before", "after")
        for column in _SHOWN
        if _estimated(comparison)
    )


def comparison_cells(comparison: Comparison, layer: LayerComparison) -> Sequence[Cell]:
    """The cells of :func:`comparison_columns`."""
    return [cell for one in layer.dllc for cell in _cells(one)] if _estimated(comparison) else ()


def comparison_notes(comparison: Comparison) -> list[str]:
    """Settings, and what is said against figures."""
    rows = (comparison.total, *comparison.layers)
    pairs = [pair for row in rows for pair in zip(comparison.names, row.dllc, strict=True)]
    return estimate_notes([(name, one) for name, one in pairs if one is not None])


def _most(series: Series) -> int:
    return max(len(point.dllc) for point in series.points)


def _estimated(comparison: Comparison) -> bool:
    return any(one is not None for one in comparison.total.dllc)


def _cells(one: DiscreteEstimate | None) -> Sequence[Cell]:
    return [None] * len(_SHOWN) if one is None else estimate_cells(one)[: len(_SHOWN)]


def _sided(header: str, side: str) -> str:
    return header if header == "±" else f"{header}\n{side}"
