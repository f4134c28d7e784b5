"""Tables and the plot of reproduce_complexity_to_hardware, off what was read."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from complexity_arms import BASELINES, DERIVED, Arm
from complexity_readings import AUDITED, Reading
from numpy.typing import NDArray

from bnnedge.report.charts import COLOURS
from bnnedge.report.table import Cell, Column, Table
from bnnedge.studies.pareto import pareto_front
from bnnedge.studies.statistics import bootstrap, spearman

__all__ = ["correlations", "frontier", "goals", "means_of", "plot", "table"]

COSTS = {"luts": "LUTs unrolled", "rom_bits": "weight memory folded, bits"}
GOALS = {("luts", 0.5): 0.30, ("rom_bits", 0.5): 0.50, ("luts", 2.0): 0.50, ("rom_bits", 2.0): 0.75}
"""By cost and points of accuracy that may be lost, the share that is to be saved."""
PREDICTORS = ("bdm_bits", "block_entropy_bits", "bdm_z", *AUDITED)
FEWEST_RUNS = 5

Means = Mapping[str, float]

_COLUMNS = (
    Column("arm", "family, strength"),
    Column("seeds", "seeds", "d"),
    Column("accuracy", "accuracy", ".2%"),
    Column("accuracy_sd", "±", ".2%"),
    Column("luts", "LUT,\nshared", ",.0f"),
    Column("luts_saved", "saved", ".0%"),
    Column("plain_luts", "LUT,\nplain", ",.0f"),
    Column("rom_bits", "ROM,\nsmallest (bits)", ",.0f"),
    Column("rom_bits_saved", "saved", ".0%"),
    Column("plain_rom_bits", "ROM,\nplain (bits)", ",.0f"),
    Column("bdm_bits", "BDM\n(bits)", ",.0f"),
    Column("bdm_z", "z", ".1f"),
    Column("seriated_bdm_bits", "BDM,\nseriated", ",.0f"),
    Column("block_entropy_bits", "block\nentropy", ".2f"),
    Column("aligned_patterns_6", "patterns\nof 6", ",.0f"),
    Column("spanning_tree_neurons_bits", "spanning\ntree", ",.0f"),
    Column("synth_luts", "LUT,\nYosys", ",.0f"),
)


def means_of(readings: Sequence[Reading]) -> dict[Arm, Means]:
    """By arm, the mean of each number over the seeds that have it, ``seeds`` and ``accuracy_sd``."""
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(str(reading.arm), []).append(reading)
    means: dict[Arm, Means] = {}
    for runs in found.values():
        keys = {key for run in runs for key in run.numbers}
        numbers = {
            key: float(np.mean([run.numbers[key] for run in runs if key in run.numbers])) for key in keys
        }
        accuracies = [run.numbers["accuracy"] for run in runs]
        numbers["accuracy_sd"] = float(np.std(accuracies, ddof=1)) if len(runs) > 1 else math.nan
        means[runs[0].arm] = numbers | {"seeds": len(runs)}
    return means


def table(readings: Sequence[Reading]) -> Table:
    """Means over seeds of every arm."""
    means = means_of(readings)
    plain = _unregularised(means)
    rows: list[Sequence[Cell]] = []
    for arm, numbers in means.items():
        saved = {
            f"{cost}_saved": math.nan if plain is None else 1 - numbers[cost] / plain[cost] for cost in COSTS
        }
        cells: dict[str, Cell] = {**numbers, **saved, "arm": str(arm), "seeds": int(numbers["seeds"])}
        rows.append([cells.get(column.key) for column in _COLUMNS])
    notes = [
        "Means over seeds; accuracy on the test split, of the best epoch by validation.",
        "LUTs are the generator's estimate, of sums alone; Yosys' are of whole networks, of the first seeds.",
        "Free inputs, projected and subset are not trained, but made of the unregularised networks.",
    ]
    return Table(f"Complexity and hardware, {readings[0].dataset}", _COLUMNS, rows, notes=notes)


def frontier(readings: Sequence[Reading]) -> Table:
    """Each regularised arm, and what a narrower network of as many LUTs reaches."""
    means = means_of(readings)
    arms = sorted(means, key=lambda arm: means[arm]["luts"])
    on_front = pareto_front([(-means[arm]["accuracy"], means[arm]["luts"]) for arm in arms])
    columns = [
        Column("arm", "family, strength"),
        Column("luts", "LUT", ",.0f"),
        Column("accuracy", "accuracy", ".2%"),
        Column("narrower", "narrower,\nas many LUT", ".2%"),
        Column("difference", "difference", "+.2%"),
        Column("front", "front"),
    ]
    rows: list[Sequence[Cell]] = []
    for arm, on in zip(arms, on_front, strict=True):
        if arm.family in BASELINES:
            continue
        luts, accuracy = means[arm]["luts"], means[arm]["accuracy"]
        narrower = _narrower_at(means, luts)
        rows.append([str(arm), luts, accuracy, narrower, accuracy - narrower, "yes" if on else None])
    notes = [
        "Narrower: in a line between the two nearest widths.",
        "Front: no arm, baselines included, is better in both accuracy and LUTs.",
    ]
    return Table("Accuracy at equal LUTs", columns, rows, notes=notes)


def goals(readings: Sequence[Reading]) -> Table:
    """What is saved within a loss of accuracy, beside what was asked for; arms chosen by validation."""
    means = means_of(readings)
    plain = _unregularised(means)
    columns = [
        Column("cost", "of"),
        Column("points", "points\nallowed", ".1f"),
        Column("wanted", "wanted", ".0%"),
        Column("arm", "arm"),
        Column("saved", "saved", ".1%"),
        Column("validation", "points lost,\nvalidation", ".2f"),
        Column("test", "points lost,\ntest", ".2f"),
    ]
    rows: list[Sequence[Cell]] = []
    if plain is not None:
        for (cost, points), wanted in GOALS.items():
            rows.append([COSTS[cost], points, wanted, *_most_saved(means, plain, cost, points)])
    note = "The term and weight that save most of those whose mean validation accuracy is within the points."
    return Table("Saved within a loss of accuracy", columns, rows, notes=[note])


def _most_saved(means: Mapping[Arm, Means], plain: Means, cost: str, points: float) -> Sequence[Cell]:
    """Arm, share saved, points lost in validation and in test; chosen without a look at the test split."""
    lost = {
        arm: [100 * (plain[key] - numbers[key]) for key in ("validation_accuracy", "accuracy")]
        for arm, numbers in means.items()
        if arm.family not in BASELINES
    }
    fit = [arm for arm, (validation, _) in lost.items() if validation <= points]
    if not fit:
        return [None] * 4
    best = min(fit, key=lambda arm: means[arm][cost])
    return [str(best), 1 - means[best][cost] / plain[cost], *lost[best]]


def correlations(readings: Sequence[Reading]) -> Table:
    """How well each measure ranks trained networks of one shape by their LUTs; intervals over runs."""
    runs = [one for one in readings if one.arm.family not in (*DERIVED, "narrower")]
    columns = [
        Column("measure", "measure"),
        Column("runs", "runs", "d"),
        Column("spearman", "Spearman\nwith LUTs", ".3f"),
        Column("low", "95 %,\nfrom", ".3f"),
        Column("high", "to", ".3f"),
    ]
    costs = np.array([run.numbers["luts"] for run in runs])
    rows: list[Sequence[Cell]] = []
    for key in PREDICTORS if len(runs) >= FEWEST_RUNS else ():
        values = np.array([run.numbers[key] for run in runs])

        def coefficient(chosen: NDArray[np.intp], values: NDArray[np.float64] = values) -> float:
            return spearman(values[chosen], costs[chosen])

        estimate = bootstrap(coefficient, len(runs))
        rows.append([key, estimate.runs, estimate.value, estimate.low, estimate.high])
    rows.sort(key=lambda row: -abs(row[2]) if isinstance(row[2], float) and not math.isnan(row[2]) else 1.0)
    note = "Networks of the preset's widths, whatever they were trained for. z: of the largest layer."
    return Table("Which complexity predicts LUTs", columns, rows, notes=[note])


def plot(readings: Sequence[Reading]) -> str:
    """An SVG: accuracy over LUTs and over bits of weight memory, a dot an arm, joined within families."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    means = means_of(readings)
    families = list(dict.fromkeys(arm.family for arm in means))
    with rc_context({"svg.hashsalt": "bnnedge", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        for axes, (cost, label) in zip(figure.subplots(1, 2), COSTS.items(), strict=True):
            for place, family in enumerate(families):
                points = sorted(
                    (numbers[cost], 100 * numbers["accuracy"])
                    for arm, numbers in means.items()
                    if arm.family == family
                )
                style = "--" if family in BASELINES else "-"
                marker = "os^Dv"[place // len(COLOURS) % 5]
                x, y = zip(*points, strict=True)
                axes.plot(
                    x, y, style, color=COLOURS[place % len(COLOURS)], marker=marker, markersize=4,
                    linewidth=1, label=family,
                )  # fmt: skip
            axes.set(xlabel=label, ylabel="test accuracy, %", xlim=(0, None))
            best = 100 * max(numbers["accuracy"] for numbers in means.values())
            axes.set_ylim(max(0.0, best - 8), best + 0.5)
        figure.axes[0].legend(fontsize=6, ncols=2)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _unregularised(means: Mapping[Arm, Means]) -> Means | None:
    return next((numbers for arm, numbers in means.items() if arm.family == "none"), None)


def _narrower_at(means: Mapping[Arm, Means], luts: float) -> float:
    """Accuracy of the preset with narrower layers, at so many LUTs; NaN beyond what was trained."""
    points = sorted(
        (numbers["luts"], numbers["accuracy"])
        for arm, numbers in means.items()
        if arm.family in ("narrower", "none")
    )
    if len(points) < 2 or not points[0][0] <= luts <= points[-1][0]:
        return math.nan
    x, y = zip(*points, strict=True)
    return float(np.interp(luts, x, y))
