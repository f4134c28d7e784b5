"""Audit and comparison: every figure against a plain computation, JSON against its schema."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from bnnedge import PackedMatrix, PackedModel, audit, bdm, block_entropy, compare
from bnnedge.analysis.measures import count, measure
from bnnedge.analysis.series import series
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.measure import Measure
from bnnedge.complexity.sampling import WHOLE_BITS, take
from bnnedge.errors import ConfigError, DataError
from bnnedge.hardware.costs import unrolled_luts
from bnnedge.packed.file import load_packed
from bnnedge.packed.weights import BitTensor, WeightSet, weights_of
from bnnedge.report.views import (
    audit_table,
    audits_table,
    comparison_table,
    details_table,
    findings_table,
    measures_table,
    series_table,
    settled_table,
)
from bnnedge.share import share
from tests.networks import Filters, random_conv_model, random_model

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
    result = audit(model, nulls=20)
    for layer, row in zip(model.layers, result.layers, strict=True):
        assert (row.name, row.shape, row.reading) == (layer.name, layer.weights.shape, "packed")
        bits = layer.weights.to_bits()
        rows, columns = bits.shape[0] // 4 * 4, bits.shape[1] // 4 * 4
        measures = row.measures
        assert measures.bits == bits.size
        assert measures.bits_kept == rows * columns == 16 * measures.blocks
        assert measures.bits_dropped == bits.size - rows * columns
        assert measures.density == bits.mean()
        assert row.values.keys() == {each.key for each in MEASURES}
        if rows and columns:
            tiles = bits[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4)
            blocks = tiles.swapaxes(1, 2).reshape(-1, 16)
            assert measures.distinct_blocks == len(np.unique(blocks, axis=0))
            assert measures.bdm == bdm(layer.weights)
            assert measures.block_entropy == block_entropy(layer.weights)
            assert measures.bdm_per_bit == measures.bdm / measures.bits_kept
            assert {score.draws for score in row.nulls} == {20}
            assert all(score.observed in (measures.bdm, measures.block_entropy) for score in row.nulls)
    assert {score.null for score in result.layers[0].nulls} >= {"shuffle", "neurons", "inputs"}
    assert {score.null for score in result.layers[1].nulls} == {"shuffle", "neurons"}
    assert result.total.bits == sum(layer.weights.bits for layer in model.layers)
    assert result.total.blocks == sum(row.measures.blocks for row in result.layers)


def test_an_audit_depends_on_its_seed_and_not_on_threads() -> None:
    model = model_of(0)
    assert audit(model).to_json() == audit(model, threads=4).to_json()
    assert audit(model).to_json() != audit(model, seed=1).to_json()
    assert all(not layer.nulls for layer in audit(model, nulls=0).layers)


def test_layers_are_pooled_in_one_histogram() -> None:
    matrix = PackedMatrix.from_bits(np.eye(8, dtype=bool))
    once, twice = measure([matrix]), measure([matrix, matrix])
    assert twice.distinct_blocks == once.distinct_blocks == 2
    assert twice.bdm == once.bdm + 2  # every multiplicity doubles: log2 2 for each of two distinct blocks
    assert twice.block_entropy == once.block_entropy
    assert (count(matrix) + count(matrix)).measures() == twice


def test_a_rule_that_drops_no_edge() -> None:
    model = model_of(0)
    ignore, recursive = (audit(model, nulls=0, boundary=rule) for rule in ("ignore", "recursive"))
    assert ignore.total.bits_dropped > recursive.total.bits_dropped
    assert ignore.blocks != recursive.blocks
    with pytest.raises(ConfigError, match="correlated"):
        audit(model, boundary="correlated")


def test_a_layer_without_a_block_has_no_value_and_says_why() -> None:
    measures = measure([PackedMatrix.from_bits(np.ones((3, 40), dtype=bool))])
    assert math.isnan(measures.bdm)
    assert math.isnan(measures.block_entropy)
    assert math.isnan(measures.bdm_per_bit)
    assert measures.reason == "no whole 4x4 block fits"
    assert measures.to_dict()["bdm"] is None
    assert measures.bit_entropy == 0
    result = audit(model_of(0))  # its last layer has 3 rows
    assert "fc3: no whole 4x4 block fits." in str(audit_table(result))
    assert result.layers[2].nulls == ()
    rows = list(csv.DictReader(io.StringIO(audit_table(result).csv())))
    assert rows[2]["bdm_bits"] == ""
    assert float(rows[0]["bdm_bits"]) == result.layers[0].measures.bdm


def test_hardware_complexity_is_in_the_table_and_near_the_luts_of_the_generator() -> None:
    model = load_packed(share("models") / "mnist-tfc" / "model.safetensors")
    rows = list(csv.DictReader(io.StringIO(audit_table(audit(model, nulls=0)).csv())))
    generated = unrolled_luts(model)
    assert [row["layer"] for row in rows] == [*generated, "all"]
    for row, luts in zip(rows, [*generated.values(), sum(generated.values())], strict=True):
        assert float(row["hardware_luts"]) == pytest.approx(luts, rel=0.3)


def test_a_layer_of_more_blocks_than_patterns_is_flagged() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, (1056, 16), dtype=np.uint64)
    tensor = BitTensor("fc1", PackedMatrix(words, 1024), (1056, 1024))
    result = audit(WeightSet("large", (tensor,), None, "0" * 64), nulls=0)
    assert result.layers[0].flags[0].startswith("saturated: 67,584 blocks of only 65,536 patterns")
    tiled = result.layers[0].values["bdm_tile_per_bit"]
    assert tiled.note == "mean of 4 tiles of 256 x 256"
    assert result.layers[0].measures.bdm_per_bit < 1.7 < tiled.value < 1.95  # i.i.d. bits


def test_a_layer_too_large_for_null_models_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnnedge.analysis.audit.PERMUTED_BITS", 200)
    large, small, _ = audit(model_of(0), nulls=5).layers
    assert large.nulls == ()
    assert large.flags[0].startswith("null models are not drawn of more than 200 bits")
    assert small.nulls
    assert not small.flags
    assert audit(model_of(0), nulls=5, whole=True).layers[0].nulls
    assert not audit(model_of(0), nulls=0).layers[0].flags


def test_measures_of_large_layers_are_taken_on_seeded_tiles() -> None:
    share = Measure("share", "share", "share", "slow", "ones", lambda m: m.ones / m.bits)
    for shape in [(1000, 700), (3, 100_000), (100_000, 3), (257, 257)]:
        matrix = PackedMatrix.from_bits(np.random.default_rng(0).random(shape) < 0.3)
        assert matrix.bits > WHOLE_BITS["slow"]
        value = take([share], matrix, seed=0)["share"]
        assert value.note.startswith("mean of 4 tiles of ")
        assert value.value == pytest.approx(0.3, abs=0.02)
        assert take([share], matrix, seed=0) == {"share": value}
        whole = take([share], matrix, seed=0, whole=True)["share"]
        assert (whole.value, whole.note) == (matrix.ones / matrix.bits, "")


def test_flipped_bits_and_changed_blocks_are_counted() -> None:
    before = model_of(0)
    # Two flips in one block, one in another, one on the edge that no block covers (30 = 7 * 4 + 2).
    after = flip(before, 0, [(0, 0), (3, 3), (4, 0), (0, 29)])
    result = compare(before, after, ("a", "b"))
    first = result.layers[0]
    assert first.change is not None
    assert (first.name, first.change.flipped_bits, first.change.changed_blocks) == ("fc1", 4, 2)
    assert first.change.changed_thresholds == 0
    assert [layer.change.flipped_bits for layer in result.layers[1:] if layer.change] == [0, 0]
    assert result.total.change is not None
    assert result.total.change.flipped_bits == 4
    assert first.before == measure([before.layers[0].weights])
    assert first.after == measure([after.layers[0].weights])
    assert first.values_before.keys() == first.values_after.keys() > {"bdm_1d_bits"}


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
    assert result.total.change is not None
    assert result.total.change.changed_thresholds == 3


def test_networks_of_different_shapes_stand_side_by_side() -> None:
    other = random_model(seed=0, widths=(30, 18, 12, 8, 3), kind="bipolar")
    result = compare(model_of(0), other)
    assert not result.related
    assert [layer.name for layer in result.layers] == ["fc1", "fc2", "fc3", "– → fc4"]
    assert result.layers[0].change is not None
    assert result.layers[1].change is None
    assert result.layers[3].before is None
    assert "stand side by side" in str(comparison_table(result))
    validate("comparison", result.to_json())


def test_convolutions_are_compared_with_their_shapes() -> None:
    sizes = {"kind": "bipolar", "maximum": 16}
    one, other = (
        random_conv_model(seed, (1, 8, 8), (Filters(4, pool=2), Filters(channels)), (5,), **sizes)  # type: ignore[arg-type]
        for seed, channels in ((0, 4), (1, 6))
    )
    result = compare(one, other)
    assert [layer.shapes for layer in result.layers] == [
        ((4, 1, 3, 3), (4, 1, 3, 3)), ((4, 4, 3, 3), (6, 4, 3, 3)), ((5, 4), (5, 6))
    ]  # fmt: skip
    assert [layer.change is None for layer in result.layers] == [False, True, True]
    shapes = [row[1] for row in comparison_table(result).rows]
    assert shapes == ["4 x 1 x 3 x 3", "4 x 4 x 3 x 3 → 6 x 4 x 3 x 3", "5 x 4 → 5 x 6"]
    assert validate("comparison", result.to_json())["layers"][2]["shapes"] == [[5, 4], [5, 6]]


def test_a_series_counts_from_the_row_above_and_from_the_first() -> None:
    first = model_of(0)
    second = flip(first, 0, [(0, 0), (1, 1)])
    third = flip(second, 1, [(2, 2), (0, 0)])
    back = flip(third, 0, [(0, 0), (1, 1)])
    result = series([first, second, third, back], list("abcd"))
    assert [point.flipped_since_previous for point in result.points] == [0, 2, 2, 2]
    assert [point.flipped_since_first for point in result.points] == [0, 2, 4, 2]
    assert result.points[2].total == measure([layer.weights for layer in third.layers])
    # 2 of 540 bits are less than 1 %: fc1 was never far from its end; 2 of 180 are more.
    assert result.settled == {"fc1": "a", "fc2": "c", "fc3": "a"}
    with pytest.raises(DataError, match="make no series") as caught:
        series([first, random_model(seed=0, widths=(30, 18, 3), kind="bipolar")], ["a", "b"])
    assert "fc1 18x30" in caught.value.hint
    with pytest.raises(DataError, match="series of nothing"):
        series([], [])


def test_json_is_valid_by_its_schema() -> None:
    first, second = model_of(0), model_of(1)
    document = validate("audit", audit(first).to_json())
    assert document["layers"][0]["bdm"] == audit(first).layers[0].measures.bdm
    comparison = validate("comparison", compare(first, second).to_json())
    assert comparison["total"]["change"]["flipped_bits"] > 0
    assert len(validate("series", series([first, second], ["a", "b"]).to_json())["points"]) == 2
    with pytest.raises(jsonschema.ValidationError):
        validate("audit", json.dumps(document | {"digest": None}))


@pytest.mark.parametrize(
    "view", ["audit", "details", "findings", "comparison", "measures", "series", "settled"]
)
def test_print_outs_are_as_frozen(view: str, golden: Callable[[str, str], None]) -> None:
    first, second = model_of(0), model_of(1)
    one = audit(weights_of(first, "some.safetensors"))
    two, several = compare(first, second, ("a", "b")), series([first, second], ["0", "1"])
    table = {
        "audit": lambda: audit_table(one),
        "details": lambda: details_table(one),
        "findings": lambda: findings_table(one),
        "comparison": lambda: comparison_table(two),
        "measures": lambda: measures_table(two),
        "series": lambda: series_table(several, "A series", ["A note."]),
        "settled": lambda: settled_table(several),
    }[view]()
    golden(f"{view}.txt", f"{table}\n")
    golden(f"{view}.csv", table.csv())
    golden(f"{view}.md", table.markdown())


def test_csv_of_several_audits_names_the_checkpoint() -> None:
    audits = [audit(weights_of(model_of(seed), name)) for seed, name in enumerate("ab")]
    rows = list(csv.DictReader(io.StringIO(audits_table(audits).csv())))
    assert [row["checkpoint"] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert [row["layer"] for row in rows[:4]] == ["fc1", "fc2", "fc3", "all"]
    assert rows[0].keys() > {each.key for each in MEASURES}
    assert float(rows[0]["rank_gf2"]) == audits[0].layers[0].values["rank_gf2"].value


def test_measures_of_one_layer_alone() -> None:
    measures = measure([PackedMatrix.from_bits(np.zeros((4, 8), dtype=bool))])
    assert (measures.density, measures.bit_entropy, measures.block_entropy) == (0.0, 0.0, 0.0)
    assert measures.distinct_blocks == 1


def test_tensors_that_do_not_fit_are_refused() -> None:
    matrix = PackedMatrix.from_bits(np.zeros((4, 18), dtype=bool))
    assert BitTensor("conv", matrix, (4, 2, 3, 3)).is_convolution
    with pytest.raises(DataError, match="does not fit a 4 x 18 matrix"):
        BitTensor("conv", matrix, (4, 3, 3, 3))
    with pytest.raises(DataError, match="no weights"):
        BitTensor("fc", PackedMatrix.from_bits(np.zeros((0, 3), dtype=bool)), (0, 3))
    tensor = BitTensor("fc", matrix, (4, 18))
    with pytest.raises(DataError, match="names must differ"):
        WeightSet("file", (tensor, tensor), None, "")
    with pytest.raises(DataError, match="holds no weights"):
        WeightSet("file", (), None, "")
