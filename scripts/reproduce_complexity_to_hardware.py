"""What training for low complexity buys in hardware: scripts/reproduce_complexity_to_hardware."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from complexity_arms import DEFAULT, DERIVED, FAMILIES, PRESETS, arms_of, study_of
from complexity_readings import Reading, read_job
from complexity_tables import correlations, frontier, goals, plot, table

from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError
from bnnedge.files import write_atomically
from bnnedge.runs.toml import load_config
from bnnedge.share import cache
from bnnedge.studies.local import LocalExecutor, workers_for
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.sweep import Standing, run_sweep, tasks_of

SEEDS, QUICK_SEEDS, QUICK_EPOCHS = 5, 2, 10


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="mnist", choices=list(PRESETS), help="default: mnist")
    parser.add_argument(
        "--families", default=",".join(DEFAULT), help=f"of {','.join(FAMILIES)}; strengths behind colons"
    )
    parser.add_argument("--seeds", type=int, help=f"of each arm; default: {SEEDS}")
    parser.add_argument("--epochs", type=int, help="of each training; default: the preset's")
    parser.add_argument(
        "--quick", action="store_true", help=f"fewer arms, {QUICK_SEEDS} seeds, {QUICK_EPOCHS} epochs"
    )
    parser.add_argument("--yosys", type=int, default=0, metavar="N", help="synthesise seeds below N")
    parser.add_argument("--jobs", type=int, help="trainings at a time; default: one a core")
    parser.add_argument("--collect", action="store_true", help="train nothing; show what is there")
    parser.add_argument("--reread", action="store_true", help="what was read off networks, anew")
    parser.add_argument("--out", type=Path, help="where runs are kept; default: the user's cache")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    try:
        families = {
            name: [float(strength) for strength in strengths]
            for name, *strengths in (family.split(":") for family in given.families.split(","))
        }
    except ValueError as error:
        parser.error(f"--families: {error}")
    if unknown := [name for name in families if name not in FAMILIES]:
        parser.error(f"no families {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    if "none" not in families and (derived := [name for name in families if name in DERIVED]):
        parser.error(f"{', '.join(derived)} are made of the networks of none: add it")
    try:
        readings = studied(given, families)
        if not readings:
            parser.error("no run is finished: leave out --collect")
        print(shown(readings, given.out or cache("complexity"), given.dataset, as_json=given.json))
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def studied(given: argparse.Namespace, families: Mapping[str, Sequence[float]]) -> list[Reading]:
    """Train what is not there yet, and read all that is."""
    preset = PRESETS[given.dataset]
    arms = list(arms_of(preset, families, quick=given.quick))
    study = study_of(
        given.dataset,
        arms,
        given.seeds or (QUICK_SEEDS if given.quick else SEEDS),
        given.epochs or (QUICK_EPOCHS if given.quick else None),
    )
    settings = load_config(preset).data
    if settings.name != "digits":
        fetch(settings.name, say=say)
    place = SweepPlace.make((given.out or cache("complexity")) / given.dataset)
    with place.held(alone=not given.collect):
        tasks = tasks_of(study, place)
        if not given.collect:
            workers = workers_for(1, given.jobs, os.cpu_count() or 1)
            run_sweep(study, tasks, lambda: LocalExecutor(workers), 1, progress)
        data = load_dataset(**dataclasses.asdict(settings))
        by_name = {str(arm): arm for arm in arms}
        baselines = [arm for arm in arms if arm.family in DERIVED]
        return [
            reading
            for job, task in zip(study.jobs, tasks, strict=True)
            if task.place.run.finished()
            for reading in read_job(
                given.dataset,
                by_name[job.settings["arm"]],
                job.seed,
                task.place,
                data,
                baselines,
                yosys=job.seed < given.yosys,
                anew=given.reread,
            )
        ]


def shown(readings: Sequence[Reading], out: Path, dataset: str, *, as_json: bool) -> str:
    """Tables, or JSON; the plot goes to a file."""
    tables = [table(readings), frontier(readings), goals(readings), correlations(readings)]
    picture = out / f"{dataset}.svg"
    write_atomically(picture, plot(readings))
    say(f"the plot: {picture}")
    if not as_json:
        return "\n\n".join(map(str, tables))
    records = [
        {"dataset": one.dataset, "family": one.arm.family, "strength": one.arm.strength, "seed": one.seed}
        | {key: None if value != value else value for key, value in one.numbers.items()}
        for one in readings
    ]
    return json.dumps({"schema": 1, "kind": "bnnedge.complexity-to-hardware", "runs": records})


def progress(standing: Standing) -> None:
    """A line for each job that ends."""
    if standing.job is not None:
        what = f"{standing.job.settings['arm']}, seed {standing.job.seed}"
        wrong = "" if standing.error is None else f": {standing.error}"
        say(f"{standing.done} of {standing.jobs}: {what}{wrong}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
