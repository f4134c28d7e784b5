"""Charts: fit to stand in a page, and true to their numbers."""

from __future__ import annotations

import math
import re
import subprocess
import sys

from bnnedge.complexity.nulls import NullScore
from bnnedge.report.charts import Line, ScoreScale, colour_of, line_chart
from tests.browser import Page


def a_score(z: float, null: str = "shuffle") -> NullScore:
    sd = 0.0 if math.isnan(z) else 10.0
    return NullScore(null, "bdm_bits", 100 + 10 * (0 if math.isnan(z) else z), 100, sd, z, 81, 119, 50)


def test_a_chart_is_an_svg_fit_for_a_page() -> None:
    lines = [
        Line([0, 1, 2], [1.234567, math.nan, 3.0], "#0072b2"),
        Line([0, 1, 2], [2, 2, 2], "#d55e00", True),
    ]
    svg = line_chart("key", lines, "epoch", mark=1)
    assert svg.startswith('<svg class="chart" viewBox="0 0 ')
    for foreign in ("<?xml", "<!DOCTYPE", "<style", "http", "xlink", "metadata", "DejaVu"):
        assert foreign not in svg
    page = Page(svg)
    assert all(name.startswith("key-") for name in page.all("id"))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', svg)) <= set(page.all("id"))
    assert "#0072b2" in svg
    assert "epoch" in page.text
    assert line_chart("key", lines, "epoch", mark=1) == svg


def test_a_value_between_gaps_is_a_dot() -> None:
    gaps = [2.0, math.nan, 3.0, math.nan, 1.0, 2.0]
    dots = {
        name: line_chart("k", [Line(range(len(values)), values, "#0072b2")], "x").count("<use")
        for name, values in (("gaps", gaps), ("whole", [1.0, 2.0]), ("one", [1.0]), ("none", [math.nan] * 2))
    }
    ticks = dots["whole"]
    assert {name: count - ticks for name, count in dots.items()} == {
        "gaps": 2,
        "whole": 0,
        "one": 1,
        "none": 0,
    }


def test_tick_labels_are_not_shortened() -> None:
    text = Page(line_chart("k", [Line([0, 1], [1.876, 1.883], "#000000")], "x")).text
    assert len(set(re.findall(r"1\.8[78]\d", text))) > 1


def test_charts_leave_the_global_state_of_pyplot_alone() -> None:
    # dict.items, since the settings' own would look for a backend, and import pyplot to do so.
    check = (
        "import sys; from bnnedge.report.charts import Line, line_chart; import matplotlib as m;"
        "before = repr(list(dict.items(m.rcParams))); line_chart('k', [Line([0], [1.0], '#000')], 'x');"
        "sys.exit('matplotlib.pyplot' in sys.modules or before != repr(list(dict.items(m.rcParams))))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_layers_have_colours_of_their_own() -> None:
    for count in (1, 2, 8, 9, 100):
        colours = [colour_of(place, count) for place in range(count)]
        assert len(set(colours)) == count
        assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in colours)


def test_strips_put_scores_on_one_axis() -> None:
    scores = [a_score(z) for z in (-300.0, -3.0, -1.0, 0.0, 1.0, 40.0)]
    scale = ScoreScale.of([*scores, a_score(math.nan)])
    assert scale.strip(a_score(math.nan)) == ""
    places = []
    for score in scores:
        attributes = dict(Page(scale.strip(score)).elements)
        assert attributes["circle"]["class"] == ("in" if abs(score.z) <= 1.9 else "out")
        low, width = float(attributes["rect"]["x"] or ""), float(attributes["rect"]["width"] or "")
        assert abs(low + width / 2 - 110) < 0.2  # the interval is symmetric here, so its middle is z = 0
        places.append(float(attributes["circle"]["cx"] or ""))
    assert places == sorted(set(places))
    assert 0 < places[0] < places[-1] < 220
    assert Page(scale.axis()).text == "−100−10−20+2+10+100"
