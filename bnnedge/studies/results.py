"""What came out of a sweep: a row a job, the same for the same finished jobs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnnedge.errors import FileError
from bnnedge.report.table import Cell, Column, Table
from bnnedge.runs.config import Config
from bnnedge.runs.toml import to_table
from bnnedge.studies.pareto import pareto_front
from bnnedge.studies.place import JobPlace, SweepPlace
from bnnedge.studies.study import Study
from bnnedge.studies.task import COSTS, Cost

__all__ = ["MEASURES", "Measure", "Results", "costs_among", "results"]


@dataclass(frozen=True)
class Measure:
    """What a run is judged by.

    Attributes:
        column: of the table.
        sign: +1 where small is good, −1 where large is.
        title: of its axis.
    """

    column: Column
    sign: int
    title: str


_HINT = "delete the job's folder: it is trained again"

# By the name under which --pareto takes them. A front is a choice, and those are made on validation samples.
MEASURES: Mapping[str, Measure] = {
    "accuracy": Measure(
        Column("validation_accuracy", "validation\naccuracy", ".2%"), -1, "validation accuracy"
    ),
    "test_accuracy": Measure(Column("test_accuracy", "test\naccuracy", ".2%"), -1, "test accuracy"),
    "bdm": Measure(Column("bdm_bits", "BDM\n(bits)", ",.1f"), 1, "BDM, bits"),
    "entropy": Measure(Column("block_entropy", "block\nentropy", ".3f"), 1, "block entropy, bits a block"),
    "luts": Measure(Column("luts", "LUT,\nestimate", ",d"), 1, "LUTs unrolled, estimate"),
    "rom_bits": Measure(Column("rom_bits", "ROM\n(bits)", ",d"), 1, "weight ROM folded, bits"),
    "synth_luts": Measure(Column("synth_luts", "LUT,\nYosys", ",d"), 1, "LUTs unrolled, Yosys"),
}


@dataclass(frozen=True)
class Results:
    """A sweep's table.

    Attributes:
        title: of it.
        columns: job, varied settings, seed, status, measures, and the front where one was asked for.
        rows: by key of their column, a job each.
        varied: keys of the columns of settings.
        measures: names in :data:`MEASURES` of the columns of measures.
        notes: why costs are missing, by reason.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    varied: tuple[str, ...]
    measures: tuple[str, ...]
    notes: tuple[str, ...]

    def table(self) -> Table:
        """All rows."""
        return self._table(self.title, self.rows, self.notes)

    def front(self) -> Table:
        """The rows on the front."""
        return self._table("On the front", [row for row in self.rows if row["pareto"]], ())

    def means(self) -> Table:
        """By setting, over its seeds: how many runs finished, and mean and deviation of each measure."""
        groups: dict[tuple[Cell, ...], list[Mapping[str, Cell]]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row[key] for key in self.varied), []).append(row)
        columns = [column for column in self.columns if column.key in self.varied]
        columns.append(Column("runs", "runs", ",d"))
        for name in self.measures:
            of = MEASURES[name].column
            form = ",.1f" if of.format == ",d" else of.format
            columns.append(Column(f"mean_{of.key}", of.header, form))
            columns.append(Column(f"sd_{of.key}", "±", form))
        rows = [
            [*group, sum(row["status"] == "finished" for row in rows), *self._spreads(rows)]
            for group, rows in groups.items()
        ]
        note = "Mean over seeds, and the standard deviation of one run (n − 1)."
        return Table("Over seeds", columns, rows, notes=[note])

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the version of their schema."""
        return {
            "schema": 1,
            "kind": "bnnedge.sweep",
            "title": self.title,
            "columns": [column.key for column in self.columns],
            "rows": [dict(row) for row in self.rows],
            "notes": list(self.notes),
        }

    def _table(self, title: str, rows: Sequence[Mapping[str, Cell]], notes: Sequence[str]) -> Table:
        cells = [[row[column.key] for column in self.columns] for row in rows]
        return Table(title, self.columns, cells, notes=notes)

    def _spreads(self, rows: Sequence[Mapping[str, Cell]]) -> list[Cell]:
        cells: list[Cell] = []
        for name in self.measures:
            values = [value for row in rows if math.isfinite(value := number(row, name))]
            mean = sum(values) / len(values) if values else math.nan
            square = sum((value - mean) ** 2 for value in values)
            cells += [mean, math.sqrt(square / (len(values) - 1)) if len(values) > 1 else math.nan]
        return cells


def number(row: Mapping[str, Cell], measure: str) -> float:
    """A measure of a row; NaN where it has none."""
    value = row[MEASURES[measure].column.key]
    return float(value) if isinstance(value, int | float) else math.nan


def costs_among(names: Sequence[str]) -> tuple[Cost, ...]:
    """Those of the names that are costs of hardware, each once."""
    return tuple(cost for cost in COSTS if cost in names)


def results(
    study: Study, place: SweepPlace, costs: Sequence[Cost] = (), pareto: tuple[str, str] | None = None
) -> Results:
    """Read the table off the jobs' directories.

    Args:
        study: whose jobs.
        place: where they are.
        costs: to be shown.
        pareto: two names in :data:`MEASURES`, the front of which is marked.

    Raises:
        FileError: a job's files are damaged.
    """
    measures = ("accuracy", "test_accuracy", "bdm", "entropy", *costs)
    found = [_row(place.job(job.key), costs) for job in study.jobs]
    rows: list[dict[str, Cell]] = [
        {"job": job.key}
        | {key: _setting(job.config, key) for key in study.keys}
        | {"seed": job.seed, **{key: row.get(key) for key in _columns_of(measures)}}
        for job, row in zip(study.jobs, found, strict=True)
    ]
    columns = [
        Column("job", "job"),
        *(Column(key, key, "g" * all(_is_number(row[key]) for row in rows)) for key in study.keys),
        Column("seed", "seed", "d"),
        Column("status", "status"),
        Column("best_epoch", "best\nepoch", ",d"),
        *(MEASURES[name].column for name in measures),
    ]
    if pareto is not None:
        columns.append(Column("pareto", "front"))
        signs = [MEASURES[name].sign for name in pareto]
        points = [(signs[0] * number(row, pareto[0]), signs[1] * number(row, pareto[1])) for row in rows]
        for row, on_front in zip(rows, pareto_front(points), strict=True):
            row["pareto"] = "yes" if on_front else None
    notes = tuple(dict.fromkeys(reason for row in found for reason in row.get("reasons", ())))
    return Results(f"Sweep {study.name}", tuple(columns), tuple(rows), study.keys, measures, notes)


def _columns_of(measures: Sequence[str]) -> list[str]:
    return ["status", "best_epoch", *(MEASURES[name].column.key for name in measures)]


def _row(job: JobPlace, costs: Sequence[Cost]) -> dict[str, Any]:
    """What a job's directory says; under ``reasons``, why it has no costs."""
    status = job.status()
    if status != "finished":
        return {"status": status}
    summary, records, hardware = job.run.summary(), job.run.records(), job.costs()
    known = {cost: hardware[cost] for cost in costs if cost in hardware}
    try:
        best = summary["best"]
        record = {record["epoch"]: record for record in records}[best["epoch"]]
        figures = {
            "best_epoch": best["epoch"],
            "validation_accuracy": best["validation_accuracy"],
            "test_accuracy": summary["test"]["accuracy"],
            "bdm_bits": record["bdm"]["all"],
            "block_entropy": record["block_entropy"]["all"],
        }
    except (LookupError, TypeError) as error:
        raise FileError(f"{job.run.path} does not say what came of it: {error!r}", _HINT) from error
    if odd := [name for name, value in figures.items() if value is not None and not _is_number(value)]:
        raise FileError(f"{job.run.path} has no number for its {odd[0]}", _HINT)
    return {
        "status": status,
        **figures,
        **{cost: value for cost, value in known.items() if not isinstance(value, str)},
        "reasons": [f"{cost}: {value}" for cost, value in known.items() if isinstance(value, str)],
    }


def _setting(config: Config, key: str) -> Cell:
    """A setting as a cell: lists and tables as JSON, and nothing where it is absent."""
    value: Any = to_table(config)
    for section in key.split("."):
        value = value.get(section) if isinstance(value, dict) else None
    if value is None or isinstance(value, str) or _is_number(value):
        return value  # type: ignore[no-any-return]
    return json.dumps(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
