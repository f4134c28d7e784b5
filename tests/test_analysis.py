"""Audit and comparison: every figure against a plain computation, JSON against its schema."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from bnnedge import PackedMatrix, PackedModel, audit, bdm, block_entropy, compare
from bnnedge.analysis.compare import series
from bnnedge.analysis.measures import measure
from bnnedge.errors import DataError
from bnnedge.packed.model import PackedLayer
from bnnedge.report.views import audit_table, audits_table, comparison_table, series_table
from tests.networks import random_model

SCHEMAS = Path(__file__).parents[1] / "bnnedge" / "report" / "schemas"
WIDTHS = (30, 18, 10, 3)


def model_of(seed: int) -> PackedModel:
    return random_model(seed=seed, widths=WIDTHS, kind="bipolar")


def flip(model: PackedModel, layer: int, entries: list[tuple[int, int]]) -> PackedModel:
    """The model with some weights of one layer negated."""
    bits = model.layers[layer].weights.to_bits()
    for row, column in entries:
        bits[row, column] ^= True
    layers = list(model.layers)
    layers[layer] = dataclasses.replace(layers[layer], weights=PackedMatrix.from_bits(bits))
    return dataclasses.replace(model, layers=tuple(layers))


def validate(name: str, document: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(document)
    jsonschema.validate(value, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    return value


def test_an_audit_is_what_the_functions_say() -> None:
    model = model_of(0)
    result = audit(model)
    for layer, row in zip(model.layers, result.layers, strict=True):
        assert (row.name, row.outputs, row.inputs) == (layer.name, *layer.weights.shape)
        bits = layer.weights.to_bits()
        rows, columns = bits.shape[0] // 4 * 4, bits.shape[1] // 4 * 4
        measures = row.measures
        assert measures.bits == bits.size
        assert measures.bits_kept == rows * columns == 16 * measures.blocks
        assert measures.bits_dropped == bits.size - rows * columns
        assert measures.density == bits.mean()
        if rows and columns:
            tiles = bits[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4)
            blocks = tiles.swapaxes(1, 2).reshape(-1, 16)
            assert measures.distinct_blocks == len(np.unique(blocks, axis=0))
            assert measures.bdm == bdm(layer.weights)
            assert measures.block_entropy == block_entropy(layer.weights)
            assert measures.bdm_per_bit == measures.bdm / measures.bits_kept
    assert result.total.bits == sum(layer.weights.bits for layer in model.layers)
    assert result.total.blocks == sum(row.measures.blocks for row in result.layers)


def test_layers_are_pooled_in_one_histogram() -> None:
    matrix = PackedMatrix.from_bits(np.eye(8, dtype=bool))
    once, twice = measure([matrix]), measure([matrix, matrix])
    assert twice.distinct_blocks == once.distinct_blocks == 2
    assert twice.bdm == once.bdm + 2  # every multiplicity doubles: log2 2 for each of two distinct blocks
    assert twice.block_entropy == once.block_entropy


def test_a_layer_without_a_block_has_no_value_and_says_why() -> None:
    measures = measure([PackedMatrix.from_bits(np.ones((3, 40), dtype=bool))])
    assert math.isnan(measures.bdm)
    assert math.isnan(measures.block_entropy)
    assert math.isnan(measures.bdm_per_bit)
    assert measures.reason == "no whole 4x4 block fits"
    assert measures.to_dict()["bdm"] is None
    assert measures.bit_entropy == 0
    result = audit(model_of(0))  # its last layer has 3 rows
    text = str(audit_table(result))
    assert "fc3: no whole 4x4 block fits." in text
    rows = list(csv.DictReader(io.StringIO(audit_table(result).csv())))
    assert rows[2]["bdm_bits"] == ""
    assert float(rows[0]["bdm_bits"]) == result.layers[0].measures.bdm


def test_flipped_bits_and_changed_blocks_are_counted() -> None:
    before = model_of(0)
    # Two flips in one block, one in another, one on the edge that no block covers (30 = 7 * 4 + 2).
    after = flip(before, 0, [(0, 0), (3, 3), (4, 0), (0, 29)])
    result = compare(before, after, ("a", "b"))
    name, first = result.layers[0]
    assert (name, first.flipped_bits, first.changed_blocks, first.changed_thresholds) == ("fc1", 4, 2, 0)
    assert all(difference.flipped_bits == 0 for _, difference in result.layers[1:])
    assert result.total.flipped_bits == 4
    assert first.before == measure([before.layers[0].weights])
    assert first.after == measure([after.layers[0].weights])
    assert compare(before, before).total.changed_blocks == 0


def test_thresholds_that_moved_are_counted() -> None:
    before = model_of(0)
    thresholds = before.layers[0].thresholds
    assert thresholds is not None
    moved = dataclasses.replace(
        thresholds,
        values=thresholds.values + np.array([2, 2] + [0] * 16, dtype=np.int32),
        directions=thresholds.directions * np.array([-1, 1, -1] + [1] * 15, dtype=np.int8),
    )
    layers = (dataclasses.replace(before.layers[0], thresholds=moved), *before.layers[1:])
    result = compare(before, dataclasses.replace(before, layers=layers))
    assert result.layers[0][1].changed_thresholds == result.total.changed_thresholds == 3


def test_a_series_counts_from_the_row_above_and_from_the_first() -> None:
    first = model_of(0)
    second = flip(first, 0, [(0, 0), (1, 1)])
    third = flip(second, 1, [(2, 2), (0, 0)])
    back = flip(third, 0, [(0, 0), (1, 1)])
    points = series([first, second, third, back], list("abcd")).points
    assert [point.flipped_since_previous for point in points] == [0, 2, 2, 2]
    assert [point.flipped_since_first for point in points] == [0, 2, 4, 2]
    assert points[2].total == measure([layer.weights for layer in third.layers])


def test_networks_of_different_shapes_are_not_compared() -> None:
    with pytest.raises(DataError, match="different shapes") as caught:
        compare(model_of(0), random_model(seed=0, widths=(30, 18, 3), kind="bipolar"))
    assert "fc1 18x30" in caught.value.hint


def test_json_is_valid_by_its_schema() -> None:
    first, second = model_of(0), model_of(1)
    document = validate("audit", audit(first).to_json())
    assert document["layers"][0]["bdm"] == audit(first).layers[0].measures.bdm
    assert validate("comparison", compare(first, second).to_json())["total"]["flipped_bits"] > 0
    assert len(validate("series", series([first, second], ["a", "b"]).to_json())["points"]) == 2
    with pytest.raises(jsonschema.ValidationError):
        validate("audit", json.dumps(document | {"digest": None}))


@pytest.mark.parametrize("view", ["audit", "comparison", "series"])
def test_print_outs_are_as_frozen(view: str, golden: Any) -> None:
    first, second = model_of(0), model_of(1)
    tables = {
        "audit": lambda: audit_table(audit(first, "some.safetensors")),
        "comparison": lambda: comparison_table(compare(first, second, ("a", "b"))),
        "series": lambda: series_table(series([first, second], ["0", "1"]), "A series", ["A note."]),
    }
    table = tables[view]()
    golden(f"{view}.txt", f"{table}\n")
    golden(f"{view}.csv", table.csv())
    golden(f"{view}.md", table.markdown())


def test_csv_of_several_audits_names_the_checkpoint() -> None:
    audits = [audit(model_of(0), "a"), audit(model_of(1), "b")]
    rows = list(csv.DictReader(io.StringIO(audits_table(audits).csv())))
    assert [row["checkpoint"] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert [row["layer"] for row in rows[:4]] == ["fc1", "fc2", "fc3", "all"]


def test_measures_of_one_layer_alone() -> None:
    layer = PackedLayer("fc1", PackedMatrix.from_bits(np.zeros((4, 8), dtype=bool)))
    measures = measure([layer.weights])
    assert (measures.density, measures.bit_entropy, measures.block_entropy) == (0.0, 0.0, 0.0)
    assert measures.distinct_blocks == 1
