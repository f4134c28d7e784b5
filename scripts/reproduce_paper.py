"""Reproduces Sakabe et al., arXiv 2505.20646, row by row, and what it left open: scripts/reproduce_paper."""

from __future__ import annotations

import os

# Read when NumPy loads its libraries, so set before it is imported: each core has a process of its own.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import json
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from bnnedge.data.fetch import fetch
from bnnedge.errors import BnnedgeError
from bnnedge.files import write_atomically
from bnnedge.llc.discrete import FlipSampling
from bnnedge.report.table import Table
from bnnedge.share import cache
from bnnedge.studies.alone import (
    NETWORKS,
    alone_config,
    coefficients,
    layer_correlations,
    train_alone,
)
from bnnedge.studies.alone_tables import coefficients_table, layers_table
from bnnedge.studies.paper import SETS, Row, chunks, is_trained, runs_of, train_chunk, whole
from bnnedge.studies.paper_page import conclusions, paper_page
from bnnedge.studies.paper_tables import (
    accuracies_table,
    controls_of,
    controls_table,
    correlations_of,
    correlations_table,
)
from bnnedge.studies.stopping_tables import Trial, ranking_table, rankings, stopping_table, trials

QUICK_RUNS, RUNS = 20, 200
ALONE_SEEDS = (0, 1, 2)
MEASURED_EPOCHS = (1, 4, 14)
FLIPPED_SAMPLES = 500
FLIPS = FlipSampling(probability=0.01)

KNOWN = {**{row.name: (row,) for rows in SETS.values() for row in rows}, **SETS}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="mnist,fashion", help=f"NAME or NAME:RUNS of {','.join(KNOWN)}")
    parser.add_argument("--runs", type=int, help=f"of each row that has no number; {RUNS} if not given")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs of each row")
    parser.add_argument("--controls", type=int, default=0, help="runs of other measures and orders")
    parser.add_argument("--stopping", type=int, default=0, help="runs of all epochs, to try early stops on")
    parser.add_argument("--alone", action="store_true", help="convolutions, and discrete LLC, one by one")
    parser.add_argument("--out", type=Path, default=cache("paper"), help="where runs are kept")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="one a core if not given")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--markdown", action="store_true", help="Markdown tables")
    parser.add_argument("--html", type=Path, help="a page of it all too")
    given = parser.parse_args()
    names = [item.partition(":")[::2] for item in given.rows.split(",")]
    if unknown := [name for name, runs in names if name not in KNOWN or not (runs or "1").isdecimal()]:
        parser.error(f"no rows {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    most = given.runs or (QUICK_RUNS if given.quick else RUNS)
    counts: dict[Row, int] = {}
    for name, runs in names:
        counts |= {row: max(int(runs or most), counts.get(row, 0)) for row in KNOWN[name]}
    try:
        print(reproduced(given, counts))
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def reproduced(given: argparse.Namespace, counts: Mapping[Row, int]) -> str:
    """Train what is asked for and not there yet, so many runs a row, and what is printed of it."""
    # Other sets and widths are no test of the paper's own network.
    main_rows = [row for row in counts if row.published is not None or row.data == "digits"]
    wholes = {whole(row): given.stopping for row in main_rows if given.stopping}
    for data in {row.data for row in counts} - {"digits"}:
        fetch(data, say=say)
    train_all({**counts, **wholes}, given.out, given.processes)
    runs = {row: runs_of(row, count, given.out) for row, count in counts.items()}
    correlations = {row: correlations_of(row, series) for row, series in runs.items()}
    controls = {row: controls_of(row, runs[row][: given.controls]) for row in main_rows if given.controls}
    tables = {"correlations": correlations_table(correlations), "accuracies": accuracies_table(runs)}
    if controls:
        tables["controls"] = controls_table(controls)
    stopped: Sequence[Trial] = ()
    if wholes:
        stopped = trials({row: runs_of(row, count, given.out) for row, count in wholes.items()})
        ranked = {row: (len(runs[row]), rankings(row, runs[row])) for row in main_rows}
        tables |= {"stopping": stopping_table(stopped), "rankings": ranking_table(ranked)}
    if given.alone:
        tables |= alone_tables(given.out / "alone")
    if given.html is not None:
        page = paper_page(runs, correlations, controls, stopped, list(tables.values()))
        write_atomically(given.html, page.encode())
    said = list(conclusions(correlations, controls, stopped))
    if given.json:
        records = {name: _records(table) for name, table in tables.items()}
        return json.dumps({"schema": 1, "kind": "bnnedge.paper", **records, "conclusions": said})
    if given.markdown:
        parts = [
            "\n".join([f"**{table.title}**", "", table.markdown(), *table.notes]) for table in tables.values()
        ]
        return "\n\n".join([*parts, "\n".join(f"- {sentence}" for sentence in said)])
    return "\n\n".join([*map(str, tables.values()), "\n".join(said)])


def train_all(counts: Mapping[Row, int], out: Path, processes: int) -> None:
    """Train what is not there yet, a file of runs at a time, each process with one thread."""
    wanted = [(row, seeds) for row, runs in counts.items() for seeds in chunks(runs)]
    jobs = [(row, seeds) for row, seeds in wanted if not is_trained(row, seeds, out)]
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    say(f"{len(jobs)} of {len(wanted)} files of runs are to be trained")
    with ProcessPoolExecutor(processes, context, torch.set_num_threads, (1,)) as pool:
        waiting = {pool.submit(train_chunk, row, seeds, out): (row, seeds) for row, seeds in jobs}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                row, seeds = waiting[future]
                say(f"{row.name}: runs {seeds.start} to {seeds.stop - 1} ({done} of {len(jobs)} files)")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def alone_tables(folder: Path) -> dict[str, Table]:
    """Train the networks of :data:`NETWORKS`, and what they show."""
    runs = {
        name: [train_alone(alone_config(name, seed), folder / f"{name}-{seed}", say) for seed in ALONE_SEEDS]
        for name in NETWORKS
    }
    layers = {
        name: ([run.summary()["test"]["accuracy"] for run in some], layer_correlations(some))
        for name, some in runs.items()
    }
    found = []
    for run in runs["dense"]:
        say(f"{run.path.name}: discrete local learning coefficient of {len(MEASURED_EPOCHS)} networks")
        found += coefficients(run, MEASURED_EPOCHS, FLIPPED_SAMPLES, FLIPS)
    return {"layers": layers_table(layers), "coefficients": coefficients_table(found)}


def _records(table: Table) -> list[dict[str, object]]:
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, cells, strict=True)) for cells in table.rows]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
