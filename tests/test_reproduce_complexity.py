"""scripts/reproduce_complexity_to_hardware: baselines are what they say, choices are made on validation."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge.data.registry import load_dataset
from bnnedge.hardware.folded import default_folds
from bnnedge.importers.load import load
from bnnedge.runs.toml import load_config
from tests.sweeps import Here

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of scripts/ by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def test_free_inputs_change_no_score_of_a_training_sample_and_make_the_tree_lighter(module: Any) -> None:
    model, data = (
        load("digits-tfc"),
        load_dataset("digits", validation=load_config("digits-tfc").data.validation),
    )
    made = module("complexity_baselines").free_inputs(model, data.train.inputs)
    before, after = (each.predict(data.train.inputs).scores for each in (model, made))
    assert np.array_equal(before, after)
    weights = made.layers[0].weights
    assert weights != model.layers[0].weights
    weight = module("bnnedge.complexity.spanning").spanning_tree_neurons
    assert weight(weights) < weight(model.layers[0].weights)


@pytest.mark.parametrize("bank", ["motif_bank", "most_frequent"])
def test_a_projected_layer_has_no_more_blocks_than_the_bank(module: Any, bank: str) -> None:
    baselines = module("complexity_baselines")
    model = load("digits-tfc")
    made = baselines.projected(model, 16, getattr(baselines, bank))
    folds = default_folds(model)
    for layer in made.layers:
        blocks = layer.weights.to_bits().reshape(-1, folds[layer.name].simd)
        assert len(np.unique(blocks, axis=0)) <= 16


def test_a_learnt_bank_is_nearer_than_the_most_frequent_blocks(module: Any) -> None:
    baselines = module("complexity_baselines")
    blocks = load("mnist-tfc").layers[1].weights.to_signs().astype(np.float32).reshape(-1, 16)

    def agreement(bank: Any) -> float:
        return float((blocks @ bank.T).max(axis=1).mean())

    frequent, learnt = (getattr(baselines, name)(blocks, 16) for name in ("most_frequent", "motif_bank"))
    assert agreement(learnt) > agreement(frequent)


def reading(module: Any, family: str, strength: float, **numbers: float) -> Any:
    arm = module("complexity_arms").Arm(family, strength, {})
    known = {"validation_accuracy": numbers["accuracy"], "rom_bits": 100.0} | numbers
    return module("complexity_readings").Reading("mnist", arm, 0, known)


def test_goals_are_chosen_by_validation_and_tell_what_was_lost_in_test(module: Any) -> None:
    readings = [
        reading(module, "none", 0.0, accuracy=0.95, luts=1000.0),
        reading(module, "tree", 1.0, accuracy=0.949, luts=800.0),
        reading(module, "tree", 2.0, accuracy=0.90, validation_accuracy=0.946, luts=400.0),
        reading(module, "tree", 3.0, accuracy=0.95, validation_accuracy=0.90, luts=100.0),
        reading(module, "narrower", 0.5, accuracy=0.95, luts=10.0),
    ]
    table = module("complexity_tables").goals(readings)
    keys = [column.key for column in table.columns]
    row = dict(zip(keys, table.rows[0], strict=True))
    assert (row["arm"], row["points"]) == ("tree 2", 0.5)
    assert row["saved"] == pytest.approx(0.6)
    assert row["test"] == pytest.approx(5.0)


def test_a_narrower_network_of_as_many_luts_lies_between_two_widths(module: Any) -> None:
    readings = [
        reading(module, "none", 0.0, accuracy=0.96, luts=1000.0),
        reading(module, "narrower", 0.5, accuracy=0.92, luts=500.0),
        reading(module, "tree", 1.0, accuracy=0.95, luts=750.0),
        reading(module, "tree", 2.0, accuracy=0.90, luts=400.0),
    ]
    smaller, larger = module("complexity_tables").frontier(readings).rows
    assert np.isnan(smaller[3])
    assert larger[3] == pytest.approx(0.94)
    assert larger[4] == pytest.approx(0.01)


def test_a_study_reads_again_what_it_has_trained(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = module("reproduce_complexity_to_hardware")
    monkeypatch.setattr(script, "LocalExecutor", lambda _: Here())
    arguments = "--dataset digits --families none,narrower:0.5,subset:16 --seeds 1 --epochs 1 --jobs 1 --json"
    found = []
    for more in ([], ["--collect"]):
        monkeypatch.setattr(sys, "argv", ["script", *arguments.split(), *more, "--out", str(tmp_path)])
        assert script.main() == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    runs = found[0]["runs"]
    assert {run["family"] for run in runs} == {"none", "narrower", "subset"}
    luts = {run["family"]: run["luts"] for run in runs}
    assert luts["narrower"] < luts["none"]
    assert (tmp_path / "digits.svg").read_text().startswith("<?xml")
