"""``bnnedge llc``: the table, JSON, a page, a run's curve, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bnnedge.errors import ConfigError, DataError, UnsupportedError
from bnnedge.packed.file import save_packed
from tests.commands import Bnnedge, two_lines
from tests.networks import random_model

QUICK = ("--samples", 100, "--burn-in", 8, "--scans", 8, "--most-scans", 8, "--chains", 2)


def test_a_checkpoint_in_json_and_on_a_page(bnnedge: Bnnedge, tmp_path: Path) -> None:
    page = tmp_path / "llc.html"
    done = bnnedge("llc", "digits-tfc", *QUICK, "--per-layer", "--json", "--html", page)
    lines = [json.loads(line) for line in done.out.splitlines()]
    layers = ["fc1", "fc2", "fc3", "fc4"]
    assert [line["layers"] for line in lines] == [layers, *([name] for name in layers)]
    for line in lines:
        assert (line["probability"], line["samples"], line["checkpoint"]) == (0.01, 100, "digits-tfc")
        assert (line["value"] is None) == (line["verdict"] in ("not mixed", "refused"))
        assert (line["verdict"] == "ok") == (not line["reasons"])
    html = page.read_text(encoding="utf-8")
    assert html.count("<figure>") == 5
    assert "Discrete local learning coefficient" in html


def test_the_table_says_its_settings_and_what_is_wrong(bnnedge: Bnnedge) -> None:
    done = bnnedge("llc", "digits-tfc", *QUICK, "--probability", 0.02, "--nbeta", 50)
    assert done.code == 0
    assert "p = 0.02, nβ = 50.0, n = 100." in done.out
    assert "fc1, fc2, fc3, fc4" in done.out


def test_a_run_gives_a_curve(bnnedge: Bnnedge, tmp_path: Path) -> None:
    run, page = tmp_path / "run", tmp_path / "llc.html"
    assert bnnedge("train", "digits-tfc", "--epochs", 2, "--set", "net.hidden=[8]", "--out", run).code == 0
    done = bnnedge("llc", run, *QUICK, "--json", "--html", page)
    names = [json.loads(line)["checkpoint"] for line in done.out.splitlines()]
    assert len(names) == 3
    assert "over the checkpoints" in page.read_text(encoding="utf-8")
    estimates = [json.loads(line) for line in done.out.splitlines()]
    beside(bnnedge, run, estimates, tmp_path / "compare.html")


def beside(bnnedge: Bnnedge, run: Path, estimates: list[dict[str, object]], page: Path) -> None:
    """The same estimates beside BDM, in the JSON, the tables and the page of ``bnnedge compare``."""
    points = json.loads(bnnedge("compare", run, "--llc", *QUICK, "--json").out)["points"]
    assert [point["name"] for point in points] == [estimate["checkpoint"] for estimate in estimates]
    for point, estimate in zip(points, estimates, strict=True):
        assert point["dllc"] == [{key: estimate[key] for key in point["dllc"][0]}]
    done = bnnedge("compare", run, "--llc", *QUICK, "--html", page)
    first = run / "checkpoints" / "step-00000000.safetensors"
    assert f"epoch 0, all layers: {estimates[0]['verdict']}" in done.err
    assert done.err.count("all layers") == len(points)  # the comparison of two has those of the series
    assert done.out.count("verdict") == 3
    assert "Discrete local learning coefficient" in page.read_text(encoding="utf-8")
    two = json.loads(bnnedge("compare", first, run, "--llc", *QUICK, "--per-layer", "--json").out)
    for row in (two["total"], *two["layers"]):
        assert all(estimate["samples"] == 100 for estimate in row["dllc"])


@pytest.mark.parametrize("options", [("--probability", 0.7), ("--nbeta", -1.0)])
def test_settings_that_cannot_be(bnnedge: Bnnedge, options: tuple[str, float]) -> None:
    message, _ = two_lines(bnnedge("llc", "digits-tfc", *QUICK, *options), ConfigError)
    assert str(options[1]) in message


def test_compare_wants_to_be_asked_and_a_network(bnnedge: Bnnedge, tmp_path: Path) -> None:
    done = bnnedge("compare", "digits-tfc", "digits-tfc", "--chains", 2, "--per-layer")
    assert done.code == 2
    assert "--per-layer, --chains: there is no sampling without --llc" in done.err
    np.savez(tmp_path / "weights.npz", fc1=np.sign(np.random.default_rng(0).normal(size=(8, 8))))
    two_lines(bnnedge("compare", tmp_path / "weights.npz", "digits-tfc", "--llc", *QUICK), UnsupportedError)


def test_nothing_is_sampled_before_all_files_are_known_to_fit(bnnedge: Bnnedge, tmp_path: Path) -> None:
    save_packed(random_model(0, (8, 4, 2)), tmp_path / "other.safetensors")
    done = bnnedge("compare", "digits-tfc", "digits-tfc", tmp_path / "other.safetensors", "--llc", *QUICK)
    two_lines(done, DataError)  # and no line of progress
