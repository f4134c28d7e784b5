"""The page of a series: learning curves beside those of complexity, tables, and the command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bnnedge import PackedModel
from bnnedge.analysis.compare import compare
from bnnedge.analysis.series import Series, series
from bnnedge.cli.compare import command
from bnnedge.packed.file import save_packed
from bnnedge.report.series_page import series_page
from bnnedge.report.views import comparison_table
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import load_config, presets
from tests.browser import Page, probe
from tests.networks import Filters, random_conv_model

HOSTILE = '</script><img src=x onerror="document.title=1">&amp;{{ 7 * 7 }}'
RECORDS: list[dict[str, Any]] = [
    {
        "epoch": epoch, "step": 10 * epoch, "train_loss": 2 / epoch, "train_accuracy": 1 - 1 / (epoch + 1),
        "validation_loss": 2.5 / epoch, "validation_accuracy": 0.9 - 1 / (epoch + 1),
    }
    for epoch in (1, 2, 3)
]  # fmt: skip


def model(seed: int) -> PackedModel:
    return random_conv_model(seed, (1, 8, 8), (Filters(8), Filters(8, pool=2)), (12, 4), kind="bipolar")


@pytest.fixture(scope="module")
def points() -> Series:
    return series([model(seed) for seed in range(4)], ["epoch 0", "epoch 1", "epoch 2 (best)", "epoch 3"])


def test_the_page_of_a_convolutional_run_in_a_browser(points: Series, tmp_path: Path) -> None:
    table = comparison_table(compare(model(0), model(2)))
    page = series_page(points, "Checkpoints of a run", RECORDS, [table])
    answer = probe(
        page,
        tmp_path,
        """
        return {
          title: document.title, text: document.body.innerText,
          heights: [...document.querySelectorAll("svg.chart")].map((svg) => svg.clientHeight),
          captions: [...document.querySelectorAll("figcaption b")].map((b) => b.textContent),
          rows: [...document.querySelectorAll("table")].map((table) => table.tBodies[0].rows.length),
          sideways: document.documentElement.scrollWidth > innerWidth,
        };
        """,
    )
    assert answer["title"] == "Checkpoints of a run"
    assert answer["captions"][:3] == ["Loss", "Accuracy", "BDM"]
    assert min(answer["heights"]) > 100
    assert answer["rows"] == [4, 4, 4]
    assert not answer["sideways"]
    for text in (
        "training",
        "validation",
        "conv1",
        "fc4",
        "8 x 8 x 3 x 3",
        "From before to after",
        "epoch 2 (best)",
    ):
        assert text in answer["text"]


def test_the_page_refers_to_nothing_outside_itself(points: Series) -> None:
    source = series_page(points, "a", RECORDS)
    page = Page(source)
    ids = page.all("id")
    assert len(ids) == len(set(ids)) > 0
    assert {link.removeprefix("#") for link in page.all("href")} <= set(ids)
    assert not re.search(r"(?<![-\w])(https?:|//\w|@import)", source)
    assert series_page(points, "a", RECORDS) == source


def test_hostile_names_stay_text() -> None:
    run = series([model(0), model(1)], [HOSTILE, f"{HOSTILE}2"])
    page = series_page(run, HOSTILE, [{"epoch": 1, HOSTILE: HOSTILE}])
    assert HOSTILE not in page
    text = Page(page).text
    assert text.count("{{ 7 * 7 }}") >= 4
    assert "Loss" not in text


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = RunDirectory.create(tmp_path / "run", load_config(presets()["digits-tfc"]))
    for place in range(4):
        save_packed(model(place), made.checkpoint(10 * place))
    for record in RECORDS:
        made.append(record)
    best, last = ({"step": step, "epoch": step // 10} for step in (20, 30))
    made.write_summary({"status": "finished", "best": best, "last": last})
    return made


def test_compare_writes_the_page_of_a_run(run: RunDirectory, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(run.path), "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0
    assert f"page: {tmp_path / 'page.html'}" in done.stderr
    assert "From the first checkpoint to the best" in done.stdout
    text = Page((tmp_path / "page.html").read_text(encoding="utf-8")).text
    for part in ("Learning, by epoch", "Loss", "Accuracy", "over 4 checkpoints", "From the first checkpoint"):
        assert part in text


def test_a_page_of_two_files_is_none(tmp_path: Path) -> None:
    save_packed(model(0), tmp_path / "a")
    two = [str(tmp_path / "a")] * 2
    done = CliRunner().invoke(command, [*two, "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 2
    assert "three checkpoints" in done.stderr
    assert not (tmp_path / "page.html").exists()
