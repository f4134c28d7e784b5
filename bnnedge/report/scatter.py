"""Scatter plots of two measures, a dot a run, with the front of those that nothing beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from bnnedge.report.charts import INK, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Dot", "scatter_chart"]


@dataclass(frozen=True)
class Dot:
    """One run.

    Attributes:
        x: of one measure.
        y: of the other; the dot is left out where either is NaN.
        colour: of its group.
        front: whether it is on the front, which a line goes through.
    """

    x: float
    y: float
    colour: str
    front: bool = False


def scatter_chart(key: str, dots: Sequence[Dot], x_label: str) -> str:
    """An ``<svg>`` of dots; those of the front are ringed, and joined by a stair.

    Args:
        key: goes before every id in the chart; unique in its page.
        dots: those of the front are drawn last.
        x_label: below the axis.
    """
    shown = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]

    def draw(axes: Axes) -> None:
        front = sorted({(dot.x, dot.y) for dot in shown if dot.front})
        if front:
            axes.step(*zip(*front, strict=True), where="post", color=INK, linewidth=1.0)
        for colour, on_front in sorted({(dot.colour, dot.front) for dot in shown}, key=itemgetter(1, 0)):
            some = [dot for dot in shown if (dot.colour, dot.front) == (colour, on_front)]
            x, y, edge = [dot.x for dot in some], [dot.y for dot in some], INK if on_front else "none"
            axes.scatter(x, y, s=14, color=colour, edgecolors=edge, linewidths=1.0, zorder=3)

    return drawn(key, draw, x_label, whole=False)
