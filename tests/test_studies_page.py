"""Tables and the page of scripts/reproduce_paper, and the script itself, on the digits that are embedded."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bnnedge.packed.matrix import PackedMatrix
from bnnedge.studies.correlation import correlate
from bnnedge.studies.paper import Published, Row, whole
from bnnedge.studies.paper_page import conclusions, paper_page
from bnnedge.studies.paper_tables import (
    accuracies_table,
    controls_of,
    controls_table,
    correlations_of,
    correlations_table,
)
from bnnedge.studies.series import RunSeries
from bnnedge.studies.stopping_tables import ranking_table, rankings, stopping_table, trials

SCRIPT = Path(__file__).parents[1] / "scripts" / "reproduce_paper.py"
PUBLISHED = Published(block_entropy=(0.6, 0.7), bdm=(0.5, 1.0), accuracy=(50, 1))
ROW = Row("digits", "digits", hidden=(8, 4), published=PUBLISHED)
WIDTHS = (100, 8, 4, 10)
EPOCHS = 14


def run(seed: int) -> RunSeries:
    """BDM falls with the loss, block entropy does what it likes, and so do the bits of 100-8-4-10."""
    rng = np.random.default_rng(seed)
    loss = 1 + np.exp(-np.arange(EPOCHS) / 3) + rng.normal(0, 0.01, EPOCHS)
    bdm = np.stack([500 + 200 * loss] * 4)
    entropy = rng.uniform(4, 5, (4, EPOCHS))
    states = [
        [PackedMatrix.from_bits(rng.random((rows, columns)) < 0.5) for columns, rows in pairwise(WIDTHS)]
        for _ in range(EPOCHS + 1)
    ]
    signs = [np.concatenate([m.words.reshape(-1).view(np.uint8) for m in layers]) for layers in states]
    return RunSeries(seed, loss, loss, bdm, entropy, np.stack(signs), rng.uniform(0.4, 0.6, EPOCHS))


RUNS = [run(seed) for seed in range(12)]


def test_correlations_are_those_of_the_epochs_that_count() -> None:
    found = correlations_of(ROW, RUNS)
    assert found["bdm"].estimates["pearson", "mean of runs"].value > 0.999
    direct = correlate([r.train_loss[:-5] for r in RUNS], [r.block_entropy[-1, :-5] for r in RUNS])
    assert found["block_entropy"].estimates == direct.estimates
    table = correlations_table({ROW: found})
    assert [row[-1] for row in table.rows] == ["0.50 – 1.00", None, "0.60 – 0.70", None]


def test_accuracies_are_at_the_best_epoch_and_at_the_end() -> None:
    (row,) = accuracies_table({ROW: RUNS}).rows
    assert row[2:5] == (12, 0, 14.0)
    best = 100 * np.mean([r.test_accuracies[r.validation_loss.argmin()] for r in RUNS])
    assert str(row[5]).startswith(f"{best:.1f} ±")
    assert row[7] == "50.0 ± 1.0 %"
    (short,) = accuracies_table({whole(ROW): RUNS}).rows
    assert short[7] is None


def test_conclusions_say_what_the_figures_say() -> None:
    found = {ROW: correlations_of(ROW, RUNS)}
    controls = {ROW: controls_of(ROW, RUNS[:3])}
    assert len(controls_table(controls).rows) == len(controls[ROW])
    tried = trials({whole(ROW): RUNS})
    said = list(conclusions(found, controls, tried))
    assert "overlaps the published 0.50 to 1.00" in said[0]
    assert "does not overlap the published 0.60 to 0.70" in said[1]
    assert "0 is not in its interval" in said[2]
    assert any("stopping by BDM" in sentence for sentence in said)
    page = paper_page({ROW: RUNS}, found, controls, tried, [correlations_table(found)])
    assert page.count("<figure>") == 3
    for sentence in said[:2]:
        assert sentence in page.replace("&#39;", "'")
    assert page == paper_page({ROW: RUNS}, found, controls, tried, [correlations_table(found)])


def test_rules_are_tested_on_runs_that_they_were_not_chosen_on() -> None:
    other = Row("other", "digits", hidden=(8, 4), whole=True)
    found = trials({whole(ROW): RUNS, other: RUNS[:4]})
    table = stopping_table(found)
    assert {(row[0], row[1]) for row in table.rows} == {("digits-whole, second half", 6), ("other, all", 4)}
    changed = [*RUNS[:6], *(run(seed) for seed in range(20, 26))]
    again = trials({whole(ROW): changed, other: RUNS[:4]})
    assert [one.rule for one in found] == [one.rule for one in again]
    assert found[-1].accuracy == np.mean([r.test_accuracies[-1] for r in RUNS[:4]])
    reference = found[0]
    assert (reference.signal, reference.lost.value) == ("validation loss", 0)


def test_every_signal_ranks_the_runs_of_a_row() -> None:
    found = rankings(ROW, RUNS)
    table = ranking_table({ROW: (12, found)})
    assert [row[2] for row in table.rows] == list(found)
    assert found["training loss"].coefficient == found["validation loss"].coefficient


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paper")


def reproduce(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--rows", "digits", "--out", str(folder), "--processes", "1"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_the_script_trains_prints_and_writes_its_page(folder: Path) -> None:
    done = reproduce(folder, "--runs", "10", "--stopping", "4", "--json", "--html", str(folder / "page.html"))
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert [row["runs"] for row in printed["accuracies"]] == [10]
    assert {row["runs"] for row in printed["stopping"]} == {"digits-whole, second half"}
    assert {row["runs"] for row in printed["rankings"]} == {10}
    assert printed["conclusions"]
    page = (folder / "page.html").read_text()
    assert all(sentence in page.replace("&#39;", "'") for sentence in printed["conclusions"])
    again = reproduce(folder, "--runs", "10", "--markdown")
    assert "to be trained" in done.stderr
    assert "to be trained" not in again.stderr
    assert again.stdout.startswith("**Complexity and training loss**\n\n| row | hidden |")


def test_rows_that_nobody_knows_are_named(folder: Path) -> None:
    done = reproduce(folder, "--rows", "imagenet")
    assert done.returncode == 2
    assert "no rows imagenet" in done.stderr
