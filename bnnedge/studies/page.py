"""A sweep's report page, off its table."""

from __future__ import annotations

from collections.abc import Mapping

from bnnedge.report.charts import colour_of
from bnnedge.report.curves import Curve, Key
from bnnedge.report.scatter import Dot, scatter_chart
from bnnedge.report.study_page import study_page
from bnnedge.studies.results import MEASURES, Results, number

__all__ = ["sweep_page"]

MOST_GROUPS = 8  # that have a colour each


def sweep_page(results: Results, failures: Mapping[str, str], pareto: tuple[str, str] | None = None) -> str:
    """HTML: accuracy against each other measure, the table, means over seeds, and what failed.

    Args:
        results: the table.
        failures: what went wrong, by job.
        pareto: the two measures whose front is marked; their chart comes first.
    """
    finished = sum(row["status"] == "finished" for row in results.rows)
    tiles = {"Jobs": f"{len(results.rows):,}", "Finished": f"{finished:,}"}
    tables = [results.table(), results.means()]
    if pareto is not None:
        tables.insert(0, results.front())
        tiles["On the front"] = f"{len(tables[0].rows):,}"
    groups = _groups(results)
    others = [name for name in results.measures if name not in ("accuracy", "test_accuracy")]
    pairs = [pareto] if pareto else []
    pairs += [("accuracy", name) for name in others if ("accuracy", name) not in pairs]
    charts = [_chart(results, y, x, groups, front=(y, x) == pareto) for y, x in pairs] if finished else []
    keys = [Key(name, colour) for name, colour in groups.items()] if len(groups) > 1 else []
    return study_page(results.title, tiles, charts, keys, tables, failures)


def _chart(results: Results, y: str, x: str, groups: Mapping[str, str], *, front: bool) -> Curve:
    dots = [
        Dot(
            number(row, x),
            number(row, y),
            groups[_group(results, row)] if len(groups) > 1 else colour_of(0, 1),
            front and row["pareto"] is not None,
        )
        for row in results.rows
    ]
    title = MEASURES[y].title.capitalize()
    return Curve(
        title, f"over {MEASURES[x].title}", scatter_chart(f"{y}-{x}", dots, MEASURES[x].title), len(dots)
    )


def _groups(results: Results) -> dict[str, str]:
    """Values of the first varied setting with their colours; none where they are too many."""
    names = list(dict.fromkeys(_group(results, row) for row in results.rows))
    if len(names) > MOST_GROUPS:
        return {}
    return {name: colour_of(place, len(names)) for place, name in enumerate(names)}


def _group(results: Results, row: Mapping[str, object]) -> str:
    if not results.varied:
        return ""
    value = row[results.varied[0]]
    return f"{results.varied[0]} = {'–' if value is None else value}"
