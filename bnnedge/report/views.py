"""Audits and comparisons as tables."""

from __future__ import annotations

from collections.abc import Sequence

from bnnedge.analysis.audit import Audit
from bnnedge.analysis.compare import Comparison, Difference, Series
from bnnedge.analysis.measures import LAYOUT, Measures
from bnnedge.report.table import Cell, Column, Table

__all__ = ["audit_table", "audits_table", "comparison_table", "series_table"]

_POOLED = "Row 'all' pools the blocks of all layers in one histogram; its BDM is no sum of the rows above."

_AUDIT_COLUMNS = (
    Column("layer", "layer"),
    Column("outputs", "out", "d"),
    Column("inputs", "in", "d"),
    Column("bits", "bits", ",d"),
    Column("bits_kept", "in blocks", ",d"),
    Column("bits_dropped", "dropped", ",d"),
    Column("density", "density", ".3f"),
    Column("bit_entropy_bits", "bit\nentropy", ".3f"),
    Column("blocks", "blocks", ",d"),
    Column("distinct_blocks", "distinct", ",d"),
    Column("block_entropy_bits", "block\nentropy", ".3f"),
    Column("bdm_bits", "BDM\n(bits)", ",.1f"),
    Column("bdm_per_bit", "BDM\nper bit", ".3f"),
)

_COMPARISON_COLUMNS = (
    Column("layer", "layer"),
    Column("bits", "bits", ",d"),
    Column("flipped_bits", "flipped", ",d"),
    Column("flipped_share", "share", ".2%"),
    Column("changed_blocks", "changed\nblocks", ",d"),
    Column("blocks", "of", ",d"),
    Column("changed_thresholds", "changed\nthresholds", ",d"),
    Column("density_change", "Δ density", "+.3f"),
    Column("block_entropy_change_bits", "Δ block\nentropy", "+.3f"),
    Column("distinct_blocks_change", "Δ distinct", "+,d"),
    Column("bdm_before_bits", "BDM\nbefore", ",.1f"),
    Column("bdm_after_bits", "BDM\nafter", ",.1f"),
    Column("bdm_change", "Δ BDM", "+.2%"),
)

_SERIES_COLUMNS = (
    Column("name", "checkpoint"),
    Column("flipped_since_previous", "flipped since\nthe row above", ",d"),
    Column("flipped_since_first", "flipped since\nthe first", ",d"),
    Column("density", "density", ".3f"),
    Column("block_entropy_bits", "block\nentropy", ".3f"),
    Column("distinct_blocks", "distinct\nblocks", ",d"),
    Column("bdm_bits", "BDM\n(bits)", ",.1f"),
    Column("bdm_per_bit", "BDM\nper bit", ".3f"),
)


def audit_table(audit: Audit) -> Table:
    """One row for each layer and one for all."""
    rows = [
        (layer.name, layer.outputs, layer.inputs, *_audit_cells(layer.measures)) for layer in audit.layers
    ]
    reasons = [f"{layer.name}: {layer.measures.reason}." for layer in audit.layers if layer.measures.reason]
    return Table(
        title=f"Audit of {audit.name} (sha256 {audit.digest[:12]})",
        columns=_AUDIT_COLUMNS,
        rows=rows,
        total=("all", None, None, *_audit_cells(audit.total)),
        notes=(f"Layout: {LAYOUT}.", _POOLED, *reasons),
    )


def audits_table(audits: Sequence[Audit]) -> Table:
    """The rows of several audits under one another, each with the name of its checkpoint: for CSV."""
    tables = [audit_table(audit) for audit in audits]
    return Table(
        title="Audits",
        columns=(Column("checkpoint", "checkpoint"), *_AUDIT_COLUMNS),
        rows=[(a.name, *row) for a, table in zip(audits, tables, strict=True) for row in table.all_rows],
    )


def comparison_table(comparison: Comparison) -> Table:
    """One row for each layer and one for all."""
    return Table(
        title=f"From {comparison.names[0]} to {comparison.names[1]}",
        columns=_COMPARISON_COLUMNS,
        rows=[(name, *_comparison_cells(difference)) for name, difference in comparison.layers],
        total=("all", *_comparison_cells(comparison.total)),
        notes=(f"Layout: {LAYOUT}.", _POOLED),
    )


def series_table(series: Series, title: str, notes: Sequence[str] = ()) -> Table:
    """One row for each model, measures over all its layers; and each layer's BDM."""
    layers = [name for name, _ in series.points[0].layers]
    rows: list[tuple[Cell, ...]] = [
        (
            point.name,
            point.flipped_since_previous,
            point.flipped_since_first,
            point.total.density,
            point.total.block_entropy,
            point.total.distinct_blocks,
            point.total.bdm,
            point.total.bdm_per_bit,
            *(measures.bdm for _, measures in point.layers),
        )
        for point in series.points
    ]
    return Table(
        title=title,
        columns=(*_SERIES_COLUMNS, *(Column(f"bdm_bits_{name}", f"BDM\n{name}", ",.1f") for name in layers)),
        rows=rows,
        notes=(f"Layout: {LAYOUT}. Blocks of all layers pooled, except where a layer is named.", *notes),
    )


def _audit_cells(measures: Measures) -> tuple[Cell, ...]:
    return (
        measures.bits,
        measures.bits_kept,
        measures.bits_dropped,
        measures.density,
        measures.bit_entropy,
        measures.blocks,
        measures.distinct_blocks,
        measures.block_entropy,
        measures.bdm,
        measures.bdm_per_bit,
    )


def _comparison_cells(difference: Difference) -> tuple[Cell, ...]:
    before, after = difference.before, difference.after
    return (
        before.bits,
        difference.flipped_bits,
        difference.flipped_bits / before.bits,
        difference.changed_blocks,
        before.blocks,
        difference.changed_thresholds,
        after.density - before.density,
        after.block_entropy - before.block_entropy,
        after.distinct_blocks - before.distinct_blocks,
        before.bdm,
        after.bdm,
        after.bdm / before.bdm - 1,
    )
