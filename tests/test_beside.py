"""Estimates beside BDM: columns of tables, a curve, JSON by its schema, and nothing where none was made."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import pytest

from bnnedge.analysis.compare import compare
from bnnedge.analysis.series import Series, series
from bnnedge.llc.discrete import DiscreteEstimate, FlipSampling, dllc
from bnnedge.packed.model import PackedModel
from bnnedge.report import curves as module
from bnnedge.report.charts import Line
from bnnedge.report.views import comparison_table, series_table
from tests.networks import random_inputs, random_model

SCHEMAS = Path(module.__file__).parent / "schemas"
NAMES = ["epoch 0", "epoch 1", "epoch 2"]
MODELS = [random_model(seed, (6, 4, 3)) for seed in range(3)]


def estimates(model: PackedModel) -> tuple[DiscreteEstimate, ...]:
    """Of both layers together, and of each, on what the model itself says of random inputs."""
    inputs = random_inputs(model, 40, 0)
    labels = model.predict(inputs).labels
    sampling = FlipSampling(probability=0.2, scans=200, burn_in=8, inverse_temperature=4.0)
    names = [(), *((layer.name,) for layer in model.layers)]
    return tuple(
        dllc(model, inputs, labels, dataclasses.replace(sampling, layers=chosen)) for chosen in names
    )


@pytest.fixture(scope="module")
def made() -> list[tuple[DiscreteEstimate, ...]]:
    """Of each model; the second has no figure to give."""
    found = [estimates(model) for model in MODELS]
    nothing = [
        dataclasses.replace(
            one, value=None, standard_error=None, verdict="not mixed", reasons=("still drifting",)
        )
        for one in found[1]
    ]
    return [found[0], tuple(nothing), found[2]]


@pytest.fixture(scope="module")
def points(made: list[tuple[DiscreteEstimate, ...]]) -> Series:
    return series(MODELS, NAMES, dllc=made)


def test_a_series_has_a_figure_or_a_verdict_a_row(
    points: Series, made: list[tuple[DiscreteEstimate, ...]]
) -> None:
    table = series_table(points, "a run")
    keys = [column.key for column in table.columns]
    for row, of_model in zip(table.rows, made, strict=True):
        shown = dict(zip(keys, row, strict=True))
        assert shown["dllc"] == of_model[0].value
        assert shown["verdict"] == of_model[0].verdict
        assert [shown[f"dllc_{layer}"] for layer in ("fc1", "fc2")] == [one.value for one in of_model[1:]]
    assert keys.index("dllc") == keys.index("bdm_per_bit") + 1
    notes = "\n".join(table.notes)
    assert "p = 0.2" in notes
    assert "epoch 1, fc1, fc2: still drifting." in notes


def test_a_comparison_has_both_sides(made: list[tuple[DiscreteEstimate, ...]]) -> None:
    result = compare(MODELS[0], MODELS[1], dllc=(made[0], made[1]))
    table = comparison_table(result)
    keys = [column.key for column in table.columns]
    whole, first = (dict(zip(keys, row, strict=True)) for row in (table.all_rows[-1], table.rows[0]))
    assert (whole["dllc_before"], whole["dllc_after"]) == (made[0][0].value, None)
    assert (whole["verdict_before"], whole["verdict_after"]) == (made[0][0].verdict, "not mixed")
    assert first["dllc_before"] == made[0][1].value
    assert "after, fc1: still drifting." in table.notes
    alone = compare(MODELS[0], MODELS[1], dllc=(made[0][:1], ()))
    assert [layer.dllc for layer in alone.layers] == [(None, None)] * 2
    assert alone.total.dllc == (made[0][0], None)


def test_json_has_every_estimate(points: Series, made: list[tuple[DiscreteEstimate, ...]]) -> None:
    result = compare(MODELS[0], MODELS[1], dllc=(made[0], made[1]))
    for name, text in (("series", points.to_json()), ("comparison", result.to_json())):
        jsonschema.validate(json.loads(text), json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    first = json.loads(points.to_json())["points"][0]["dllc"]
    assert first == [json.loads(json.dumps(one.to_dict())) for one in made[0]]


def test_nothing_shows_where_nothing_was_estimated() -> None:
    texts = [
        str(series_table(series(MODELS, NAMES), "a run")),
        str(comparison_table(compare(MODELS[0], MODELS[1]))),
    ]
    assert not any("dllc" in text or "verdict" in text for text in texts)


def test_the_curve_leaves_a_gap_where_there_is_no_figure(
    points: Series, made: list[tuple[DiscreteEstimate, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, list[Line]] = {}

    def record(key: str, lines: list[Line], x_label: str, mark: float | None = None) -> str:
        drawn[key] = lines
        return ""

    monkeypatch.setattr(module, "line_chart", record)
    titles = [curve.title for curve in module.curves(points, []).by_layer]
    assert titles.index("Discrete local learning coefficient") == titles.index("BDM") + 2
    *layers, whole = drawn["dllc"]
    assert len(layers) == 2
    assert whole.accent
    assert [whole.y[0], whole.y[2]] == [made[0][0].value, made[2][0].value]
    assert all(math.isnan(line.y[1]) for line in drawn["dllc"])
    module.curves(
        dataclasses.replace(points, points=series(MODELS, NAMES, dllc=[m[:1] for m in made]).points), []
    )
    assert len(drawn["dllc"]) == 1
