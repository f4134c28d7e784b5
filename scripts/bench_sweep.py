"""What a sweep costs beside the trainings in it."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

from bench_rows import Row

from bnnedge.data.registry import load_dataset
from bnnedge.runs.directory import RunDirectory
from bnnedge.studies.local import LocalExecutor
from bnnedge.studies.page import sweep_page
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.results import results
from bnnedge.studies.study import Study, load_study
from bnnedge.studies.sweep import Standing, run_sweep, tasks_of
from bnnedge.training.loop import train

__all__ = ["alone", "sweep", "tiny_study"]

STUDY = """
base = "digits-tfc"
seeds = {jobs}
[set]
training.epochs = 1
net.hidden = [8]
"""


def tiny_study(folder: Path, jobs: int) -> Study:
    """Trainings of one epoch of the digits, a fraction of a second each."""
    path = folder / "tiny.toml"
    path.write_text(STUDY.format(jobs=jobs), encoding="utf-8")
    return load_study(path)


def sweep(jobs: int) -> tuple[float, float]:
    """Wall seconds, in one process: from a job's end to the next one's, and of all that is done once."""
    moments = []
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        study, place = tiny_study(Path(scratch), jobs), SweepPlace.make(Path(scratch) / "sweep")

        def show(standing: Standing) -> None:
            if standing.job is not None:
                moments.append(time.perf_counter())

        failures = run_sweep(study, tasks_of(study, place), lambda: LocalExecutor(1), 0, show)
        if failures:
            raise RuntimeError(f"jobs failed: {failures}")
        found = results(study, place)
        found.table().csv()
        sweep_page(found, {})
        total = time.perf_counter() - start
    a_job = (moments[-1] - moments[0]) / (jobs - 1)
    return a_job, total - jobs * a_job


def alone(jobs: int) -> float:
    """Wall seconds a training, one after the other by a loop that does nothing else."""
    with tempfile.TemporaryDirectory() as scratch:
        study = tiny_study(Path(scratch), jobs)
        data = load_dataset("digits")
        start = time.perf_counter()
        for job in study.jobs:
            run = RunDirectory.create(Path(scratch) / job.key, job.config)
            train(job.config, data, run, lambda _: None)
        return (time.perf_counter() - start) / jobs


def rows() -> list[Row]:
    """What ``bnnedge sweep`` adds to the trainings in it, one process, beside a loop that does only these."""
    jobs, loop, whole, once = 20, math.inf, math.inf, math.inf
    for _ in range(4):  # in turns, so that both have the machine's better and worse moments
        loop = min(loop, alone(jobs))
        a_job, rest = sweep(jobs)
        whole, once = min(whole, a_job), min(once, rest)
    name = "a loop of trainings"
    return [
        Row("sweep", "a tiny job, in a sweep", "ms", whole * 1e3, loop * 1e3, name, loop / whole),
        Row("sweep", "overhead a job", "ms", (whole - loop) * 1e3, loop * 1e3, name, loop / (whole - loop)),
        Row("sweep", "start, table and page, once", "ms", once * 1e3, loop * 1e3, name, loop / once),
    ]
