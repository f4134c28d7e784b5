"""``bnnedge llc``: the table, JSON, a page, a run's curve, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bnnedge.errors import ConfigError
from tests.commands import Bnnedge, two_lines

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
    assert bnnedge("train", "digits-tfc", "--epochs", 2, "--out", run).code == 0
    done = bnnedge("llc", run, *QUICK, "--json", "--html", page)
    names = [json.loads(line)["checkpoint"] for line in done.out.splitlines()]
    assert len(names) == 3
    assert "over the checkpoints" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [("--probability", 0.7), ("--nbeta", -1.0)])
def test_settings_that_cannot_be(bnnedge: Bnnedge, options: tuple[str, float]) -> None:
    message, _ = two_lines(bnnedge("llc", "digits-tfc", *QUICK, *options), ConfigError)
    assert str(options[1]) in message
