"""The HTML page: in a real browser, with hostile names, and its pictures pixel by pixel."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnnedge import PackedMatrix, PackedModel, load
from bnnedge.analysis.audit import Audit, audit
from bnnedge.analysis.findings import Finding
from bnnedge.analysis.series import Series, series
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.layout import lay_out
from bnnedge.packed.weights import BitTensor, WeightSet, weights_of
from bnnedge.report.headlines import headlines
from bnnedge.report.page import audit_page
from bnnedge.report.pictures import bits_picture
from tests.browser import Page, probe
from tests.networks import Filters, random_conv_model, random_model

MEGABYTE = 1_000_000
HOSTILE = '</script><img src=x onerror="document.title=1">&amp;{{ 7 * 7 }}'


def flip(model: PackedModel, seed: int) -> PackedModel:
    """The model with a fifth of its weights drawn again."""
    rng = np.random.default_rng(seed)
    layers = []
    for layer in model.layers:
        bits = layer.weights.to_bits() ^ (rng.random(layer.weights.shape) < 0.1)
        layers.append(dataclasses.replace(layer, weights=PackedMatrix.from_bits(bits)))
    return dataclasses.replace(model, layers=tuple(layers))


def run_of(model: PackedModel, points: int) -> tuple[Series, list[dict[str, Any]]]:
    models = [*(flip(model, seed) for seed in range(points - 1)), model]
    names = [f"epoch {epoch}" for epoch in range(points - 1)] + [f"epoch {points - 1} (best)"]
    splits = ("train", "validation")
    records = [
        {"epoch": epoch} | {f"{split}_{what}": 1 / epoch for split in splits for what in ("loss", "accuracy")}
        for epoch in range(1, points)
    ]
    return series(models, names), records


@pytest.fixture(scope="module")
def digits() -> tuple[Audit, str]:
    model = load("digits-tfc")
    weights = weights_of(model, "digits-tfc")
    result = audit(weights, nulls=10)
    return result, audit_page(result, weights, *run_of(model, 4))


def test_the_page_in_a_browser(digits: tuple[Audit, str], tmp_path: Path) -> None:
    result, page = digits
    answer = probe(
        page,
        tmp_path,
        """
        const heads = [...document.querySelectorAll("#layers th")];
        const column = heads.findIndex((head) => head.textContent.startsWith("density"));
        const button = heads[column].querySelector("button");
        const rows = "#layers tbody tr";
        const names = () => [...document.querySelectorAll(rows)].map((row) => row.cells[0].textContent);
        const entries = performance.getEntriesByType("resource").map((entry) => entry.name);
        const charts = [...document.querySelectorAll("svg.chart")];
        const states = [[heads[column].ariaSort, names()]];
        button.focus();
        const focused = document.activeElement === button && button.tabIndex === 0;
        for (let click = 0; click < 3; click++) {
          button.click();
          states.push([heads[column].ariaSort, names()]);
        }
        heads[0].querySelector("button").click();
        return {
          states, focused, byName: [heads[0].ariaSort, heads[column].ariaSort, names()],
          text: document.body.innerText,
          images: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
          charts: charts.map((svg) => svg.getBoundingClientRect().height),
          fetched: entries.filter((name) => !name.startsWith("data:")),
          sideways: document.documentElement.scrollWidth > innerWidth,
        };
        """,
    )
    names = [layer.name for layer in result.layers]
    density = {layer.name: layer.measures.density for layer in result.layers}
    assert answer["states"] == [
        ["none", names],
        ["descending", sorted(names, key=lambda name: -density[name])],
        ["ascending", sorted(names, key=lambda name: density[name])],
        ["none", names],
    ]
    assert answer["byName"] == ["ascending", "none", sorted(names)]
    assert answer["focused"]
    assert not answer["sideways"]
    assert answer["fetched"] == []
    assert answer["images"] == [True] * 2 * len(names)
    assert len(answer["charts"]) >= 2 + 6
    assert min(answer["charts"]) > 100
    expected = ["digits-tfc", result.digest, "12,928", "Findings", "Curves of the run", "z against", *names]
    for text in [*expected, *(finding.message for finding in result.findings), *headlines(result)]:
        assert text in answer["text"]
    for measure in MEASURES:
        assert measure.meaning in answer["text"]


def test_missing_values_sort_last_both_ways(tmp_path: Path) -> None:
    weights = weights_of(random_model(0, (3, 12, 12, 8)))
    page = audit_page(audit(weights, nulls=0), weights)
    states = probe(
        page,
        tmp_path,
        """
        const heads = [...document.querySelectorAll("#layers th")];
        const button = heads.find((h) => h.textContent.startsWith("BDM")).querySelector("button");
        return [1, 2].map(() => {
          button.click();
          return [...document.querySelectorAll("#layers tbody tr")].map((row) => row.cells[0].textContent);
        });
        """,
    )
    assert states == [["fc2", "fc3", "fc1"], ["fc3", "fc2", "fc1"]]


def hostile() -> tuple[Audit, WeightSet]:
    bits = np.random.default_rng(0).random((8, 8)) < 0.5
    tensor = BitTensor(HOSTILE, PackedMatrix.from_bits(bits), (8, 8))
    weights = WeightSet(HOSTILE, (tensor,), None, "0" * 64, {HOSTILE: {"inner": HOSTILE}}, (HOSTILE,))
    finding = Finding("duplicate-neurons", HOSTILE, tuple(range(40)), HOSTILE, HOSTILE, 8, True)
    result = audit(weights, nulls=5)
    layer = dataclasses.replace(result.layers[0], flags=(HOSTILE,))
    return dataclasses.replace(result, layers=(layer,), findings=(finding,)), weights


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    result, weights = hostile()
    run = series([weights, weights], [HOSTILE, f"{HOSTILE}2"])
    page = audit_page(result, weights, run, [{"epoch": 1, "train_loss": 1.0, HOSTILE: HOSTILE}])
    assert HOSTILE not in page
    answer = probe(
        page,
        tmp_path,
        """
        return {
          title: document.title, heading: document.querySelector("h1").textContent,
          cell: document.querySelector("#layers tbody td").textContent,
          images: [...document.images].map((image) => [image.src.slice(0, 15), image.alt]),
          strange: document.querySelectorAll("[onerror], iframe, link, script[src]").length,
          shown: document.body.textContent.split("{{ 7 * 7 }}").length - 1,
        };
        """,
    )
    assert answer["title"] == f"Audit of {HOSTILE}"
    assert answer["heading"] == answer["cell"] == HOSTILE
    assert answer["images"] == [
        ["data:image/png;", f"{what} of {HOSTILE}"] for what in ("Bits", "Block complexity")
    ]
    assert answer["strange"] == 0
    assert answer["shown"] > 10


def test_the_page_refers_to_nothing_outside_itself(digits: tuple[Audit, str]) -> None:
    _, source = digits
    page = Page(source)
    ids = page.all("id")
    assert len(ids) == len(set(ids)) > 0
    links = page.all("href")
    assert {link for link in links if not link.startswith("#")} == set()
    assert {link[1:] for link in links} <= set(ids)
    assert {uri[:22] for uri in page.all("src")} == {"data:image/png;base64,"}
    assert set(re.findall(r"url\(#?([^)]*)\)", source)) <= set(ids)
    assert not re.search(r"(?<![-\w])(https?:|//\w|@import)", re.sub(r"base64,[^\"]*", "", source))


def test_the_same_audit_gives_the_same_page(digits: tuple[Audit, str]) -> None:
    result, page = digits
    model = load("digits-tfc")
    assert audit_page(result, weights_of(model, "digits-tfc"), *run_of(model, 4)) == page


def test_a_page_stays_small() -> None:
    model = load("mnist-tfc")
    weights = weights_of(model, "mnist-tfc")
    result, run = audit(weights, nulls=2), run_of(model, 3)
    long = dataclasses.replace(run[0], points=run[0].points * 100)
    assert len(audit_page(result, weights, long, run[1] * 1000).encode()) < MEGABYTE
    rng = np.random.default_rng(0)
    large = PackedMatrix.from_bits(rng.random((1500, 2100)) < 0.5)
    tensors = tuple(BitTensor(f"layer{place}", large, large.shape) for place in range(3))
    weights = WeightSet("large", tensors, None, "0" * 64)
    layers = tuple(
        dataclasses.replace(result.layers[0], name=tensor.name, shape=tensor.shape) for tensor in tensors
    )
    page = audit_page(dataclasses.replace(result, layers=layers), weights)
    assert 200_000 < len(page.encode()) < MEGABYTE
    assert page.count("downsampled: each pixel is the share of +1 among") == 3
    assert page.count("downsampled: each pixel is the mean over") == 3


def test_many_layers_and_findings_stay_small() -> None:
    model = random_model(0, (12,) * 61)
    weights = weights_of(model)
    result = audit(weights, nulls=2)
    many = tuple(
        Finding("same-weights", "fc1", tuple(range(9)), f"number {i}", "saves", 0, False) for i in range(900)
    )
    page = audit_page(dataclasses.replace(result, findings=many), weights, *run_of(model, 12))
    assert len(page.encode()) < MEGABYTE
    assert "number 399" in page
    assert "number 400" not in page
    assert "500 more are not listed here" in page


def test_a_page_without_nulls_findings_or_a_run() -> None:
    weights = weights_of(random_model(0, (8, 3, 2)), "plain")
    result = dataclasses.replace(audit(weights, nulls=0), findings=())
    text = Page(audit_page(result, weights)).text
    assert "No null model was drawn." in text
    assert "None: no constant, duplicate or complementary neuron" in text
    assert "No whole 4x4 block fits." in text
    assert "Curves of the run" not in text


def test_the_page_of_a_convolutional_run(tmp_path: Path) -> None:
    filters = (Filters(8, padding=1), Filters(12, pool=2))
    model = random_conv_model(1, (1, 8, 8), filters, (20, 5), kind="thermometer")
    weights = weights_of(model, "conv")
    result = audit(weights, nulls=3, layout="kernels")
    page = audit_page(result, weights, *run_of(model, 3))
    text = " ".join(Page(page).text.split())
    for shown in (
        "8 x 3 x 3 x 3, laid out kernels",
        "12 x 8 x 3 x 3, laid out kernels",
        "20 x 108",
        "5 x 20",
    ):
        assert shown in text
    for tensor in weights.tensors:
        assert bits_picture(lay_out(tensor, "kernels"), 10_000).uri in page
    assert [curve in text for curve in ("Learning, by epoch", "Loss", "Accuracy")] == [True] * 3


def test_kernels_are_drawn_as_the_audit_laid_them_out() -> None:
    bits = np.random.default_rng(0).random((8, 6, 3, 3)) < 0.5
    tensor = BitTensor("conv", PackedMatrix.from_bits(bits.reshape(8, -1)), bits.shape)
    weights = WeightSet("net", (tensor,), None, "0" * 64)
    for layout in ("flat", "tall"):
        matrix = lay_out(tensor, layout)
        page = audit_page(audit(weights, layout=layout, nulls=0), weights)
        assert bits_picture(matrix, 10_000).uri in page
        assert f"8 x 6 x 3 x 3, laid out {layout}" in " ".join(Page(page).text.split())
    assert lay_out(tensor, "flat").shape != lay_out(tensor, "tall").shape
