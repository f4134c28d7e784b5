"""What a sweep leaves: table, costs, front, page and Parquet, off runs of real trainings."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from bnnedge.errors import ConfigError
from bnnedge.hardware import folded, unrolled
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.packed.model import PackedModel
from bnnedge.report.table import Column, Table
from bnnedge.studies.costs import measured, rom_bits
from bnnedge.studies.jobs import perform
from bnnedge.studies.page import sweep_page
from bnnedge.studies.parquet import check_parquet, to_parquet
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.results import costs_among, number, results
from bnnedge.studies.study import Study
from bnnedge.studies.sweep import tasks_of
from bnnedge.studies.task import Cost
from tests.browser import Page
from tests.networks import Filters, random_conv_model
from tests.sweeps import a_study, place_in

COSTS: tuple[Cost, ...] = ("luts", "rom_bits")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SweepPlace]:
    """Three of four jobs, measured."""
    folder = tmp_path_factory.mktemp("study")
    study, place = a_study(folder, epochs=3), place_in(folder)
    for task in tasks_of(study, place, COSTS)[:3]:
        assert perform(task).error is None
    return study, place


Finished = tuple[Study, SweepPlace]


def test_a_row_says_what_the_run_says(finished: Finished) -> None:
    study, place = finished
    table = results(study, place, COSTS, ("accuracy", "luts")).table()
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    assert [row["net.hidden"] for row in rows] == ["[4]", "[4]", "[8, 4]", "[8, 4]"]
    assert [row["seed"] for row in rows] == ["0", "1", "0", "1"]
    assert [row["status"] for row in rows] == ["finished"] * 3 + ["waiting"]
    assert set(list(rows[3].values())[4:]) == {""}
    for job, row in zip(study.jobs[:3], rows, strict=False):
        run = place.job(job.key).run
        best = next(one for one in run.records() if one["epoch"] == int(row["best_epoch"]))
        assert run.path.name == row["job"]
        assert float(row["test_accuracy"]) == run.summary()["test"]["accuracy"]
        assert float(row["validation_accuracy"]) == best["validation_accuracy"]
        assert float(row["bdm_bits"]) == best["bdm"]["all"]
        assert float(row["block_entropy"]) == best["block_entropy"]["all"]
        model = load_packed(run.best_checkpoint())
        assert int(row["luts"]) == sum(layer.luts for layer in unrolled.generate(model).layers)
        assert int(row["rom_bits"]) == stored_bits(model)


def stored_bits(model: PackedModel) -> int:
    """What the layers' sources say about their weight memories."""
    design = folded.generate(model)
    texts = [design.files[f"{layer.module}.sv"] for layer in design.layers]
    sizes = [re.search(r"weights (?:plain|from a dictionary)[^.]*?([\d,]+) bits", text) for text in texts]
    return sum(int(size[1].replace(",", "")) for size in sizes if size is not None)


def test_costs_are_measured_once(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    study, place = finished
    task = tasks_of(study, place, COSTS)[0]
    assert task.done()
    assert not tasks_of(study, place, ("synth_luts",))[0].done()
    before = (task.place.run.path / "costs.json").stat().st_mtime_ns
    monkeypatch.setattr("bnnedge.studies.jobs.measured", None)
    assert perform(task).error is None
    assert (task.place.run.path / "costs.json").stat().st_mtime_ns == before


def test_the_front_is_of_validation_accuracy_and_cost(finished: Finished) -> None:
    found = results(*finished, COSTS, ("accuracy", "luts"))
    done = [row for row in found.rows if row["status"] == "finished"]
    best = max(number(row, "accuracy") for row in done)
    cheapest = min(number(row, "luts") for row in done)
    for row in found.front().rows:
        assert row[-1] == "yes"
    on_front = [row for row in found.rows if row["pareto"]]
    assert any(number(row, "accuracy") == best for row in on_front)
    assert any(number(row, "luts") == cheapest for row in on_front)
    assert found.rows[3]["pareto"] is None
    assert math.isnan(number(found.rows[3], "luts"))


def test_means_over_seeds(finished: Finished) -> None:
    found = results(*finished)
    means = found.means()
    keys = [column.key for column in means.columns]
    values = [number(row, "bdm") for row in found.rows]
    first, second = (dict(zip(keys, row, strict=True)) for row in means.rows)
    assert (first["runs"], second["runs"]) == (2, 1)
    assert first["mean_bdm_bits"] == pytest.approx(np.mean(values[:2]))
    assert first["sd_bdm_bits"] == pytest.approx(np.std(values[:2], ddof=1))
    assert second["mean_bdm_bits"] == values[2]
    assert math.isnan(float(str(second["sd_bdm_bits"])))


def test_a_cost_that_is_not_to_be_had_has_a_reason(finished: Finished, tmp_path: Path) -> None:
    model = random_conv_model(0, (1, 8, 8), (Filters(4, pool=2),), (4,), kind="bipolar")
    save_packed(model, tmp_path / "conv.safetensors")
    found = measured(tmp_path / "conv.safetensors", ["luts", "rom_bits"])
    assert "convolution" in str(found["luts"])
    assert found["rom_bits"] == rom_bits(model) > 0
    study, place = finished
    job = place.job(study.jobs[0].key)
    before = job.costs()
    job.write_costs(before | {"luts": found["luts"]})
    table = results(study, place, COSTS)
    job.write_costs(before)
    assert table.rows[0]["luts"] is None
    assert table.notes == (f"luts: {found['luts']}",)


def test_the_page(finished: Finished) -> None:
    found = results(*finished, COSTS, ("accuracy", "luts"))
    html = sweep_page(found, {"<b>0123</b>": "<script>alert(1)</script>"}, ("accuracy", "luts"))
    page = Page(html)
    assert html == sweep_page(found, {"<b>0123</b>": "<script>alert(1)</script>"}, ("accuracy", "luts"))
    assert "<script>alert" not in html
    for text in ("Sweep tiny", "On the front", "net.hidden = [8, 4]", "<script>alert(1)</script>"):
        assert text in page.text
    assert html.count('<svg class="chart"') == 4
    assert html.index("over LUTs unrolled") < html.index("over BDM, bits")


def test_nothing_finished_makes_a_page_too(tmp_path: Path) -> None:
    html = sweep_page(results(a_study(tmp_path), place_in(tmp_path)), {})
    assert "<svg" not in html
    assert "waiting" in Page(html).text


def test_parquet_has_the_cells_of_the_table(finished: Finished) -> None:
    table = results(*finished, COSTS, ("accuracy", "luts")).table()
    data = to_parquet(table)
    assert to_parquet(table) == data
    back = pyarrow.parquet.read_table(io.BytesIO(data))
    assert back.column_names == [column.key for column in table.columns]
    assert [list(row.values()) for row in back.to_pylist()] == [list(row) for row in table.rows]


def test_parquet_of_mixed_cells() -> None:
    columns = [Column("a", "a"), Column("b", "b"), Column("c", "c")]
    table = Table("t", columns, [(1, 2, None), ("x", 0.5, math.nan)])
    back = pyarrow.parquet.read_table(io.BytesIO(to_parquet(table)))
    assert back.to_pylist() == [{"a": "1", "b": 2.0, "c": None}, {"a": "x", "b": 0.5, "c": None}]


def test_parquet_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pyarrow") as caught:
        check_parquet()
    assert "bnnedge[parquet]" in caught.value.hint


def test_json_has_every_row(finished: Finished) -> None:
    found = results(*finished, COSTS)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"] == [
        dict(row) for row in found.rows
    ]


def test_costs_among_names() -> None:
    assert costs_among(["accuracy", "luts", "bdm", "luts"]) == ("luts",)
