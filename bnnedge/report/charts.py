"""Small charts as inline SVG: curves by matplotlib, score strips by hand.

No text of a file ever enters a chart; names stand in the page around it, where they are escaped. Colours
of axes are the page's own (``var(--…)``), so that charts follow its light or dark scheme.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnnedge.complexity.nulls import NullScore

if TYPE_CHECKING:  # importing it takes half a second
    from matplotlib.axes import Axes

__all__ = ["Line", "ScoreScale", "colour_of", "drawn", "line_chart"]

# Okabe and Ito's colours, which differ for colour-blind eyes, without those that vanish on white or black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")
INK, RULE = "#010203", "#040506"  # stand-ins for the page's colours
SIZE = (3.3, 1.9)  # inches of 72 points
STRIP = (220, 20)
TICKS = (2, 10, 100, 1000)


@dataclass(frozen=True)
class Line:
    """One curve: NaN where there is no value; ``accent`` draws it thicker."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    accent: bool = False


def colour_of(position: int, count: int) -> str:
    """The colour of a layer; in deep networks a ramp from first to last."""
    if count <= len(COLOURS):
        return COLOURS[position]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["viridis"](0.9 * position / (count - 1)))


def line_chart(key: str, lines: Sequence[Line], x_label: str, mark: float | None = None) -> str:
    """An ``<svg>`` of curves over a common x axis.

    Args:
        key: goes before every id in the chart; unique in its page.
        lines: drawn in this order.
        x_label: below the axis.
        mark: an x at which a dotted vertical line stands.
    """

    def draw(axes: Axes) -> None:
        for line in lines:
            alone = _alone(line.y)
            axes.plot(
                line.x,
                line.y,
                color=line.colour,
                linewidth=2.0 if line.accent else 1.2,
                marker="o" if alone else "",
                markevery=alone or None,
                markersize=3,
            )
        if mark is not None:
            axes.axvline(mark, color=INK, linewidth=0.8, linestyle=":")

    return drawn(key, draw, x_label, whole=True)


def _alone(values: Sequence[float]) -> list[int]:
    """Places of those that no line reaches, as what stands beside them is NaN, or nothing."""
    there = [False, *map(math.isfinite, values), False]
    return [place for place in range(len(values)) if there[place : place + 3] == [False, True, False]]


def drawn(key: str, draw: Callable[[Axes], None], x_label: str, *, whole: bool) -> str:
    """An ``<svg>`` of what a function draws on matplotlib's axes, in the style of all charts.

    Args:
        key: goes before every id in the chart; unique in its page.
        draw: puts its curves or points on the axes.
        x_label: below the axis.
        whole: ticks of the x axis are at whole numbers.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    style = rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "bnnedge",
            "font.family": "sans-serif",
            "font.size": 8,
            "path.simplify": True,
            "axes.formatter.useoffset": False,
            "axes.formatter.limits": (-4, 6),
        }
    )
    with style:
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.02, y=0.08)
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.tick_params(length=0, colors=INK, labelcolor=INK)
        axes.set_xlabel(x_label, color=INK, fontsize=8)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(RULE)
        stream = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", metadata=nothing, transparent=True)
    return _inline(stream.getvalue(), key)


def _inline(document: str, key: str) -> str:
    """What matplotlib wrote, fit for a page: no prologue, no page-wide style, ids of its own, small."""
    svg = document[document.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg class="chart" viewBox="\1" aria-hidden="true">', svg
    )
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace("xlink:href", "href")
    for opening in (' id="', 'href="#', "url(#"):
        svg = svg.replace(opening, f"{opening}{key}-")
    svg = re.sub(r"font-family:[^;\"]*(;|(?=\"))", "", svg)
    svg = re.sub(r'transform="rotate\(-?0 [^"]*"', "", svg)
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d)\d+", r"\1", tag[0]), svg)
    svg = svg.replace(INK, "var(--muted)").replace(RULE, "var(--rule)")
    return re.sub(r"\s+", " ", svg).replace("> <", "><").strip()


@dataclass(frozen=True)
class ScoreScale:
    """A common axis for z-scores, linear near 0 and logarithmic beyond, so that −2 and −200 both show.

    Attributes:
        furthest: |z| at its ends.
    """

    furthest: float

    @classmethod
    def of(cls, scores: Sequence[NullScore]) -> ScoreScale:
        """The scale on which all of them fit."""
        reach = (abs(score.z) for score in scores if math.isfinite(score.z))
        return cls(1.15 * max([6.0, *reach]))

    def axis(self) -> str:
        """An ``<svg>`` of labels, to stand above the strips."""
        labels = []
        for z in self._ticks():
            sign = "−" if z < 0 else "+" if z else ""
            labels.append(f'<text x="{self._x(z):.1f}" y="14" text-anchor="middle">{sign}{abs(z)}</text>')
        return f"{self._opening('axis')}{''.join(labels)}</svg>"

    def strip(self, score: NullScore) -> str:
        """An ``<svg>`` of one score: the null's 95 % interval as a bar, the observed value as a dot.

        Empty where z is not a number.
        """
        if not math.isfinite(score.z):
            return ""
        low, high = (self._x((end - score.mean) / score.sd) for end in (score.low, score.high))
        side = "in" if score.low <= score.observed <= score.high else "out"
        middle = STRIP[1] / 2
        rules = "".join(f'<path d="M{self._x(z):.1f} 0v{STRIP[1]}" class="rule"/>' for z in self._ticks())
        return (
            f"{self._opening('strip')}{rules}"
            f'<rect x="{low:.1f}" y="{middle - 4:g}" width="{max(high - low, 1):.1f}" height="8" rx="2"/>'
            f'<circle cx="{self._x(score.z):.1f}" cy="{middle:g}" r="4" class="{side}"/></svg>'
        )

    def _opening(self, kind: str) -> str:
        width, height = STRIP
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        return f'<svg class="{kind}" {size} aria-hidden="true">'

    def _ticks(self) -> list[int]:
        shown = [tick for tick in TICKS if tick < self.furthest]
        return [*(-tick for tick in reversed(shown)), 0, *shown]

    def _x(self, z: float) -> float:
        return STRIP[0] / 2 * (1 + 0.94 * math.asinh(z / 2) / math.asinh(self.furthest / 2))
