"""An audit as one self-contained HTML page, under 1 MB, that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import bnnedge
from bnnedge.analysis.audit import Audit, LayerAudit
from bnnedge.analysis.findings import Finding
from bnnedge.analysis.series import Series
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.ctm import ctm_table
from bnnedge.complexity.layout import lay_out
from bnnedge.complexity.nulls import NullScore
from bnnedge.complexity.sampling import Value
from bnnedge.packed.weights import WeightSet
from bnnedge.report.charts import ScoreScale
from bnnedge.report.curves import curves
from bnnedge.report.headlines import headlines
from bnnedge.report.html import render
from bnnedge.report.pictures import COLDEST, HOTTEST, Picture, bits_picture, heat_colours, heat_picture
from bnnedge.report.table import Column
from bnnedge.report.views import audit_table, costs_table

__all__ = ["audit_page"]

PICTURE_BYTES = 340_000  # of all PNGs together; a third more in base64
MOST_FINDINGS = 400  # listed; the rest are counted
MOST_NEURONS = 24
WIDEST = 1040  # CSS pixels of the page's column

_NULLS = {
    "shuffle": "bits shuffled, density kept",
    "neurons": "neurons reordered, function kept",
    "inputs": "inputs reordered",
}
_SCORED = {"bdm_bits": "BDM (bits)", "block_entropy_bits": "block entropy (bits a block)"}


def audit_page(
    audit: Audit,
    weights: WeightSet,
    series: Series | None = None,
    records: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page.

    Args:
        audit: what to show.
        weights: the bits it was made from, for the pictures.
        series: the run's checkpoints, for curves of the measures.
        records: the run's metrics by epoch, for curves of loss and accuracy.

    Returns:
        HTML, the same for the same arguments.
    """
    scores = [score for layer in audit.layers for score in layer.nulls]
    return render(
        "page.html.j2",
        audit=audit,
        headlines=headlines(audit),
        table=audit_table(audit),
        costs=None if audit.costs is None else costs_table(audit, audit.costs),
        details=_details(audit),
        measures=[each for each in MEASURES if any(each.key in layer.values for layer in audit.layers)],
        scale=ScoreScale.of(scores),
        scale_scores=bool(scores),
        draws=max((score.draws for score in scores), default=0),
        form=lambda key: ",.0f" if key == "bdm_bits" else ",.3f",
        scored=_SCORED,
        null_names=_NULLS,
        is_inside=_is_inside,
        findings=_by_layer(audit),
        findings_left_out=max(0, len(audit.findings) - MOST_FINDINGS),
        saved_bits=sum(finding.weight_bits for finding in audit.findings if finding.keeps_function),
        neurons=_neurons,
        run=curves(series, records),
        pictures=_pictures(audit, weights),
        average=float(ctm_table((4, 4)).mean()),
        heat_gradient=", ".join("rgb({:.0f} {:.0f} {:.0f})".format(*c) for c in heat_colours()[::9]),
        coldest=COLDEST,
        hottest=HOTTEST,
        provenance=list(_flat(audit.provenance)),
        version=bnnedge.__version__,
    )


@dataclass(frozen=True)
class _Row:
    """A further measure: formatted cells by layer, each with the number of its footnote or 0."""

    key: str
    header: str
    unit: str
    cells: list[tuple[str, int]]


@dataclass(frozen=True)
class _Details:
    rows: list[_Row]
    notes: list[str]


def _details(audit: Audit) -> _Details:
    notes: dict[str, int] = {}
    rows = []
    nothing = Value(math.nan, "not measured")
    for each in MEASURES:
        values = [layer.values.get(each.key, nothing) for layer in audit.layers]
        shown = [Column(each.key, "", each.format).show(value.value) for value in values]
        marks = [notes.setdefault(value.note, len(notes) + 1) if value.note else 0 for value in values]
        rows.append(
            _Row(each.key, each.header.replace("\n", " "), each.unit, list(zip(shown, marks, strict=True)))
        )
    return _Details(rows, list(notes))


def _is_inside(score: NullScore) -> bool:
    return score.low <= score.observed <= score.high


def _by_layer(audit: Audit) -> list[tuple[str, list[Finding]]]:
    """Findings by layer, in model order."""
    order = {layer.name: place for place, layer in enumerate(audit.layers)}
    ranked = sorted(audit.findings, key=lambda finding: order.get(finding.layer, len(order)))
    return [(name, list(group)) for name, group in groupby(ranked[:MOST_FINDINGS], lambda each: each.layer)]


def _neurons(finding: Finding) -> str:
    shown = ", ".join(map(str, finding.neurons[:MOST_NEURONS]))
    more = len(finding.neurons) - MOST_NEURONS
    return f"{shown} and {more:,} more" if more > 0 else shown


@dataclass(frozen=True)
class _Shown:
    """A picture at the size it is shown in, CSS pixels, with what a pixel of it is."""

    picture: Picture
    width: float
    height: float
    caption: str


@dataclass(frozen=True)
class _Pair:
    layer: LayerAudit
    bits: _Shown
    heat: _Shown | None
    dropped: str


def _pictures(audit: Audit, weights: WeightSet) -> list[_Pair]:
    tensors = {tensor.name: tensor for tensor in weights.tensors}
    share = PICTURE_BYTES // len(audit.layers)
    pairs = []
    for layer in audit.layers:
        matrix = lay_out(tensors[layer.name], layer.layout)
        bits, heat = bits_picture(matrix, 2 * share // 3), heat_picture(matrix, share // 3)
        across, down = -(-matrix.columns // bits.columns_per_pixel), -(-matrix.rows // bits.rows_per_pixel)
        pixel = max(1, min(6, 320 // across, 480 // down))
        scale = min(pixel, WIDEST / across) / bits.columns_per_pixel, pixel / bits.rows_per_pixel
        pairs.append(
            _Pair(
                layer,
                _shown(bits, scale, "weight", "the share of +1 among"),
                _shown(heat, scale, "block", "the mean over") if heat is not None else None,
                _dropped(matrix.rows, matrix.columns),
            )
        )
    return pairs


def _shown(picture: Picture, scale: tuple[float, float], cell: str, mean: str) -> _Shown:
    side = 4 if cell == "block" else 1
    tall, wide = picture.rows_per_pixel // side, picture.columns_per_pixel // side
    caption = f"one pixel a {cell}"
    if (tall, wide) != (1, 1):
        caption = f"downsampled: each pixel is {mean} {tall:,} x {wide:,} {cell}s"
    return _Shown(picture, picture.columns * scale[0], picture.rows * scale[1], caption)


def _dropped(rows: int, columns: int) -> str:
    parts = [f"{rest} {noun}" for rest, noun in ((rows % 4, "rows"), (columns % 4, "columns")) if rest]
    return f"the last {' and '.join(parts)} lie in no whole block" if parts else ""


def _flat(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested provenance as dotted keys."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        pairs += _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, str(value))]
    return pairs
