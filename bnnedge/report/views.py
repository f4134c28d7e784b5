"""Audits, comparisons and series as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bnnedge.analysis.audit import Audit, LayerAudit
from bnnedge.analysis.compare import Comparison, LayerComparison
from bnnedge.analysis.cost import Costs
from bnnedge.analysis.measures import BLOCKS, Measures
from bnnedge.analysis.series import SETTLED, Series
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.measure import Measure
from bnnedge.complexity.sampling import Value
from bnnedge.report.beside import (
    comparison_cells,
    comparison_columns,
    comparison_notes,
    layer_cells,
    layer_columns,
    point_cells,
    point_columns,
    series_notes,
)
from bnnedge.report.table import Cell, Column, Table

__all__ = [
    "audit_table",
    "audits_table",
    "comparison_table",
    "costs_table",
    "details_table",
    "findings_table",
    "measures_table",
    "series_table",
    "settled_table",
]

_POOLED = "Row 'all' pools the blocks of all layers in one histogram; its BDM is no sum of the rows above."

_BASIC_COLUMNS = (
    Column("layer", "layer"),
    Column("shape", "shape"),
    Column("bits", "bits", ",d"),
    Column("bits_kept", "in blocks", ",d"),
    Column("bits_dropped", "dropped", ",d"),
    Column("density", "density", ".3f"),
    Column("bit_entropy_bits", "bit\nentropy", ".3f"),
    Column("distinct_blocks", "distinct\nblocks", ",d"),
    Column("block_entropy_bits", "block\nentropy", ".3f"),
    Column("bdm_bits", "BDM\n(bits)", ",.1f"),
    Column("bdm_per_bit", "BDM\nper bit", ".3f"),
)

_NULL_COLUMNS = (
    Column("bdm_z", "z against\nshuffles", "+.1f"),
    Column("bdm_low_over_permutations", "BDM if neurons\nare reordered", ",.0f"),
    Column("bdm_high_over_permutations", "to", ",.0f"),
    Column("bdm_z_inputs", "z against\nother pixels", "+.1f"),
)

_COST_COLUMNS = (
    Column("memory_bits", "weight memory\n(bits)", ",d"),
    Column("coded_memory_bits", "in its smallest\ncoding (bits)", ",d"),
    Column("unrolled_luts", "unrolled\n(LUTs, estimate)", ",d"),
    Column("synthesised_luts", "synthesised\n(LUTs)", ",d"),
)
# What predicts the LUTs of an unrolled layer best: in every audit, beside the figures of blocks.
_PREDICTED = next(each for each in MEASURES if each.key == "hardware_luts")
# The readings of complexity that each kind of hardware follows, beside what it costs.
_BESIDE_COST = ("spanning_tree_neurons_bits", "seriated_bdm_bits")

_COMPARISON_COLUMNS = (
    Column("layer", "layer"),
    Column("shape", "shape"),
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
    """The basic figures and null scores: one row for each layer and one for all."""
    flags = [f"{layer.name}: {flag}." for layer in audit.layers for flag in layer.flags]
    layouts = {layer.layout for layer in audit.layers if len(layer.shape) == 4}
    kernels = f"; kernels laid out {', '.join(sorted(layouts))}" if layouts else ""
    predictions = {layer.name: layer.values[_PREDICTED.key] for layer in audit.layers}
    flags += [f"{name}, {_PREDICTED.key}: {of.note}." for name, of in predictions.items() if of.note]
    predicted = [None if math.isnan(of.value) else of.value for of in predictions.values()]
    return Table(
        title=f"Audit of {audit.name} (sha256 {audit.digest[:12]})",
        columns=(*_BASIC_COLUMNS, *_NULL_COLUMNS, _headed(_PREDICTED)),
        rows=[
            (layer.name, _shape(layer.shape), *_basic(layer.measures), *_nulls(layer), cost)
            for layer, cost in zip(audit.layers, predicted, strict=True)
        ],
        total=("all", None, *_basic(audit.total), None, None, None, None, _summed(predicted)),
        notes=(f"Matrices are (out, in), {audit.blocks}{kernels}.", _POOLED, *audit.notes, *flags),
    )


def details_table(audit: Audit) -> Table:
    """Every further measure: one row each, one column a layer."""
    alike: dict[tuple[str, str], list[str]] = {}
    for layer in audit.layers:
        for each in MEASURES:
            if note := layer.values[each.key].note:
                alike.setdefault((layer.name, note), []).append(each.key)
    return Table(
        title="Further measures",
        columns=(Column("measure", "measure"), Column("unit", "unit"), *_layers(audit)),
        rows=[
            (each.key, each.unit, *(_formatted(each, layer.values[each.key]) for layer in audit.layers))
            for each in MEASURES
        ],
        notes=[f"{layer}: {note}: {', '.join(keys)}." for (layer, note), keys in alike.items()],
    )


def costs_table(audit: Audit, costs: Costs) -> Table:
    """Complexity beside cost: one row for each layer and one for all."""
    beside = [each for each in MEASURES if each.key in _BESIDE_COST]
    rows: list[tuple[Cell, ...]] = [
        (
            layer.name,
            layer.measures.bits,
            layer.measures.bdm,
            *(layer.values[each.key].value for each in beside),
            *_cost(costs, layer.name),
        )
        for layer in audit.layers
    ]
    summed = (_summed([row[place] for row in rows]) for place in range(3 + len(beside), len(rows[0])))
    return Table(
        title="Complexity beside cost",
        columns=(
            Column("layer", "layer"),
            Column("bits", "bits", ",d"),
            Column("bdm_bits", "BDM\n(bits)", ",.0f"),
            *map(_headed, beside),
            *_COST_COLUMNS,
        ),
        rows=rows,
        total=("all", audit.total.bits, audit.total.bdm, *[None] * len(beside), *summed),
        notes=costs.notes,
    )


def findings_table(audit: Audit) -> Table:
    """What an engineer can act on, one row each."""
    return Table(
        title=f"Findings: {len(audit.findings)}",
        columns=(
            Column("layer", "layer"),
            Column("kind", "kind", prose=24),
            Column("message", "finding", prose=72),
            Column("saves", "saves", prose=40),
        ),
        rows=[(each.layer, each.kind, each.message, each.saves) for each in audit.findings],
    )


def audits_table(audits: Sequence[Audit]) -> Table:
    """All figures of several audits, one row a layer with the name of its checkpoint: for CSV."""
    measures = [Column(each.key, each.header, each.format) for each in MEASURES]
    priced = any(audit.costs is not None for audit in audits)
    prices = _COST_COLUMNS if priced else ()
    rows: list[tuple[Cell, ...]] = []
    for audit in audits:
        for layer in audit.layers:
            values = [layer.values[each.key].value for each in MEASURES]
            basic = _basic(layer.measures)
            cost = _cost(audit.costs, layer.name) if priced else ()
            rows.append((audit.name, layer.name, _shape(layer.shape), *basic, *_nulls(layer), *values, *cost))
        nothing = [None] * (len(_NULL_COLUMNS) + len(measures) + len(prices))
        rows.append((audit.name, "all", None, *_basic(audit.total), *nothing))
    columns = (Column("checkpoint", "checkpoint"), *_BASIC_COLUMNS, *_NULL_COLUMNS, *measures, *prices)
    return Table(title="Audits", columns=columns, rows=rows)


def comparison_table(comparison: Comparison) -> Table:
    """One row for each layer and one for all."""
    notes = [f"Matrices are (out, in), {BLOCKS['ignore']}.", _POOLED]
    if not comparison.related:
        notes.append("Layers of different shapes stand side by side; no bit of one is a bit of the other.")
    return Table(
        title=f"From {comparison.names[0]} to {comparison.names[1]}",
        columns=(*_COMPARISON_COLUMNS, *comparison_columns(comparison)),
        rows=[
            (layer.name, _shapes(layer), *_comparison(layer), *comparison_cells(comparison, layer))
            for layer in comparison.layers
        ],
        total=("all", None, *_comparison(comparison.total), *comparison_cells(comparison, comparison.total)),
        notes=[*notes, *comparison_notes(comparison)],
    )


def measures_table(comparison: Comparison) -> Table:
    """Every further measure before and after: one row each, two columns a layer."""
    taken = [each for each in MEASURES if any(each.key in layer.values_after for layer in comparison.layers)]
    columns = [Column("measure", "measure"), Column("unit", "unit")]
    for layer in comparison.layers:
        columns += [Column(f"{layer.name}_{side}", f"{layer.name}\n{side}") for side in ("before", "after")]
    return Table(
        title="Further measures, before and after",
        columns=columns,
        rows=[
            (
                each.key,
                each.unit,
                *(
                    _formatted(each, values.get(each.key, Value(math.nan)))
                    for layer in comparison.layers
                    for values in (layer.values_before, layer.values_after)
                ),
            )
            for each in taken
        ],
    )


def series_table(series: Series, title: str, notes: Sequence[str] = ()) -> Table:
    """One row for each point, figures over all its layers; and each layer's BDM."""
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
            *point_cells(series, point),
            *(measures.bdm for _, measures in point.layers),
            *layer_cells(series, point),
        )
        for point in series.points
    ]
    layout = f"Matrices are (out, in), {BLOCKS['ignore']}; pooled over layers, except where one is named."
    return Table(
        title=title,
        columns=(
            *_SERIES_COLUMNS,
            *point_columns(series),
            *(Column(f"bdm_bits_{name}", f"BDM\n{name}", ",.1f") for name in layers),
            *layer_columns(series),
        ),
        rows=rows,
        notes=(layout, *series_notes(series), *notes),
    )


def settled_table(series: Series) -> Table:
    """When each layer came within 1 % of its last state for good, and how it got there."""
    first, last = series.points[0], series.points[-1]
    flips = {name: sum(point.flips[name] for point in series.points) for name in series.settled}
    rows: list[tuple[Cell, ...]] = [
        (name, settled, flips[name], flips[name] / before.bits, before.bdm, after.bdm, _change(before, after))
        for (name, before), (_, after), settled in zip(
            first.layers, last.layers, series.settled.values(), strict=True
        )
    ]
    return Table(
        title="Layers",
        columns=(
            Column("layer", "layer"),
            Column("settled", f"within {SETTLED:.0%} of\nits end from"),
            Column("flips", "flips between\nrows, in all", ",d"),
            Column("flips_per_bit", "per bit", ".2f"),
            Column("bdm_first_bits", "BDM\nfirst", ",.1f"),
            Column("bdm_last_bits", "BDM\nlast", ",.1f"),
            Column("bdm_change", "Δ BDM", "+.2%"),
        ),
        rows=rows,
    )


def _layers(audit: Audit) -> list[Column]:
    return [Column(layer.name, layer.name) for layer in audit.layers]


def _headed(measure: Measure) -> Column:
    return Column(measure.key, f"{measure.header}\n({measure.unit})", measure.format)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _shapes(layer: LayerComparison) -> str:
    """The shape, or both where they differ."""
    return " → ".join(dict.fromkeys("–" if shape is None else _shape(shape) for shape in layer.shapes))


def _formatted(measure: Measure, value: Value) -> Cell:
    if math.isnan(value.value):
        return None
    return Column(measure.key, "", measure.format).show(value.value) + ("*" if value.note else "")


def _basic(measures: Measures) -> tuple[Cell, ...]:
    return (
        measures.bits,
        measures.bits_kept,
        measures.bits_dropped,
        measures.density,
        measures.bit_entropy,
        measures.distinct_blocks,
        measures.block_entropy,
        measures.bdm,
        measures.bdm_per_bit,
    )


def _nulls(layer: LayerAudit) -> tuple[Cell, ...]:
    scores = {score.null: score for score in layer.nulls if score.measure == "bdm_bits"}
    shuffle, neurons, inputs = (scores.get(name) for name in ("shuffle", "neurons", "inputs"))
    return (
        shuffle.z if shuffle else None,
        neurons.low if neurons else None,
        neurons.high if neurons else None,
        inputs.z if inputs else None,
    )


def _comparison(layer: LayerComparison) -> tuple[Cell, ...]:
    before, after, change = layer.before, layer.after, layer.change
    one = before or after
    counts: tuple[Cell, ...] = (None, None, None, one.blocks if one else None, None)
    if change is not None and one is not None:
        share = change.flipped_bits / one.bits
        thresholds = change.changed_thresholds
        counts = (change.flipped_bits, share, change.changed_blocks, one.blocks, thresholds)
    changes: tuple[Cell, ...] = (None, None, None)
    if before is not None and after is not None:
        changes = (
            after.density - before.density,
            after.block_entropy - before.block_entropy,
            after.distinct_blocks - before.distinct_blocks,
        )
    return (
        one.bits if one else None,
        *counts,
        *changes,
        before.bdm if before else None,
        after.bdm if after else None,
        _change(before, after) if before and after else None,
    )


def _change(before: Measures, after: Measures) -> float:
    return after.bdm / before.bdm - 1


def _cost(costs: Costs | None, layer: str) -> tuple[Cell, ...]:
    if costs is None:
        return (None,) * len(_COST_COLUMNS)
    cost = costs.layers[layer]
    return cost.memory_bits, cost.coded_memory_bits, cost.unrolled_luts, cost.synthesised_luts


def _summed(cells: Sequence[Cell]) -> Cell:
    """All of a column; None where a layer's figure is not known."""
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    return sum(numbers) if len(numbers) == len(cells) else None
