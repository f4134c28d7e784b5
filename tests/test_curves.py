"""Curves: what is drawn over what, and how much of it."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from bnnedge.analysis.series import Series, series
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.report import curves as module
from bnnedge.report.charts import Line
from bnnedge.report.curves import Curve, curves
from tests.browser import Page
from tests.networks import random_model

WIDTHS = (12, 8, 8)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[Line], str, float | None]]:
    """What reaches the charts, by their key."""
    charts: dict[str, tuple[list[Line], str, float | None]] = {}

    def record(key: str, lines: list[Line], x_label: str, mark: float | None = None) -> str:
        charts[key] = lines, x_label, mark
        return ""

    monkeypatch.setattr(module, "line_chart", record)
    return charts


def run(names: list[str]) -> Series:
    return series([random_model(seed, WIDTHS) for seed in range(len(names))], names)


Drawn = dict[str, tuple[list[Line], str, float | None]]


def test_checkpoints_named_after_epochs_stand_at_their_epochs(drawn: Drawn) -> None:
    result = run(["epoch 0", "epoch 5 (best)", "epoch 20"])
    curves(result, [])
    lines, label, mark = drawn["bdm"]
    assert (label, mark) == ("epoch", 5)
    assert [list(line.x) for line in lines] == [[0, 5, 20]] * 3
    first, last = result.points[0], result.points[-1]
    for place, (name, measures) in enumerate(last.layers):
        assert lines[place].y[-1] == measures.bdm / dict(first.layers)[name].bdm
    assert lines[-1].accent
    assert lines[-1].y[-1] == last.total.bdm / first.total.bdm
    flips = drawn["flips"][0]
    assert [line.y[0] for line in flips] == [0, 0, 0]
    assert flips[0].y[2] == result.points[2].flips["fc1"] / 96


def test_other_files_stand_in_their_order(drawn: Drawn) -> None:
    curves(run(["epoch 3", "another"]), [])
    lines, label, mark = drawn["bdm"]
    assert (label, mark) == ("file, in the order given", None)
    assert list(lines[0].x) == [0, 1]


def test_every_measure_that_was_taken_has_a_chart(drawn: Drawn) -> None:
    result = run(["epoch 0", "epoch 1"])
    by_layer = curves(result, []).by_layer
    taken = [each for each in MEASURES if each.key in result.points[0].values["fc1"]]
    titles = [curve.title for curve in by_layer]
    assert taken
    for each in taken:
        assert " ".join(each.header.split()) in titles
    assert len(titles) == len(drawn) == len(taken) + 6


def test_measures_that_are_missing_leave_gaps(drawn: Drawn) -> None:
    result = run(["epoch 0", "epoch 1"])
    bare = dataclasses.replace(result.points[1], values={"fc1": {}, "fc2": {}})
    curves(dataclasses.replace(result, points=(result.points[0], bare)), [])
    for key, (lines, _, _) in drawn.items():
        if key.startswith("m"):
            assert all(math.isnan(line.y[1]) for line in lines)


@pytest.mark.parametrize("count", [1, 2, 9, 200, 1001])
def test_long_series_are_thinned_and_keep_their_ends(drawn: Drawn, count: int) -> None:
    result = run(["epoch 0"])
    points = tuple(dataclasses.replace(result.points[0], name=f"epoch {epoch}") for epoch in range(count))
    by_layer = curves(dataclasses.replace(result, points=points), []).by_layer
    epochs = drawn["bdm"][0][0].x
    assert (epochs[0], epochs[-1]) == (0, count - 1)
    assert len(epochs) == by_layer[0].points <= count
    assert len(set(np.diff(epochs)[:-1])) <= 1
    vertices = sum(len(line.x) for lines, _, _ in drawn.values() for line in lines)
    assert vertices <= 1.02 * module.MOST_VERTICES


def test_history_has_what_complexity_adds_to_the_loss(drawn: Drawn) -> None:
    part = {"complexity_loss": 0.2, "complexity_weight": 0.3, "complexity_share": 0.7}
    run = curves(None, [{"epoch": 1, "train_loss": 2.0, **part}])
    assert [curve.title for curve in run.history][1:] == [
        "Loss by complexity",
        "Weight of complexity",
        "Complexity in the loss, of the weight bits",
    ]
    assert {key: drawn[f"h-{key}"][0][0].y for key in part} == {key: [value] for key, value in part.items()}


def test_history_has_loss_and_accuracy_where_there_are_any(drawn: Drawn) -> None:
    records: list[dict[str, Any]] = [
        {"epoch": 1, "train_loss": 2.0},
        {"epoch": 2, "train_loss": 1.0, "validation_loss": None},
    ]
    run = curves(None, records)
    assert [curve.title for curve in run.history] == ["Loss"]
    assert [key.name for key in run.history_keys] == ["training", "validation"]
    assert (run.by_layer, run.checkpoints) == ([], 0)
    lines, _, mark = drawn["h-loss"]
    assert mark is None
    assert (list(lines[0].x), list(lines[0].y)) == ([1, 2], [2, 1])
    assert all(math.isnan(value) for value in lines[1].y)
    assert curves(None, []).history == []


def test_learning_curves_mark_the_best_checkpoint_of_the_series(drawn: Drawn) -> None:
    records = [{"epoch": 1, "train_accuracy": 0.5}, {"epoch": 2, "train_accuracy": 0.6}]
    curves(run(["epoch 0", "epoch 2 (best)"]), records)
    lines, label, mark = drawn["h-accuracy"]
    assert (label, mark) == ("epoch", 2)
    assert list(lines[0].y) == [0.5, 0.6]


def test_checkpoints_may_lie_between_epochs(drawn: Drawn) -> None:
    curves(run(["epoch 0", "epoch 0.25", "epoch 0.5 (best)", "epoch 1"]), [])
    lines, label, mark = drawn["bdm"]
    assert (list(lines[0].x), label, mark) == ([0, 0.25, 0.5, 1], "epoch", 0.5)


def test_the_legend_has_the_colours_of_the_curves() -> None:
    result = run(["epoch 0", "epoch 1"])
    legend = curves(result, []).keys
    assert [key.name for key in legend] == ["fc1", "fc2", "all"]
    bdm = curves(result, []).by_layer[0]
    assert isinstance(bdm, Curve)
    for key in legend:
        assert re.search(re.escape(f"stroke: {key.colour}"), bdm.svg)
    assert "bdm-" in "".join(Page(bdm.svg).all("id"))
