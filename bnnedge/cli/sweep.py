"""``bnnedge sweep``."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bnnedge.errors import ConfigError, JobError
from bnnedge.files import write_atomically
from bnnedge.studies.cluster import RayExecutor, check_ray
from bnnedge.studies.local import LocalExecutor, workers_for
from bnnedge.studies.page import sweep_page
from bnnedge.studies.parquet import check_parquet, to_parquet
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.results import MEASURES, Results, costs_among, results
from bnnedge.studies.slurm import array_script
from bnnedge.studies.study import Job, Study, load_study
from bnnedge.studies.sweep import Standing, recorded_failures, run_sweep, tasks_of
from bnnedge.studies.task import COSTS, Executor

SHOWN = 40  # rows that fit a screen or two


@click.command("sweep")
@click.argument("path", metavar="STUDY.toml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Directory; default: runs/sweep-NAME.")
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs jobs: processes of this machine, or a Ray cluster (needs the extra of that name).",
)
@click.option("--address", help="Of the Ray cluster; default: one on this machine, for this sweep.")
@click.option(
    "--gpus",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    help="Share of a GPU that a job asks Ray for, such as 0.25.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Local processes; default: as many as cores allow.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How often a job that broke is tried again.",
)
@click.option(
    "--only", type=int, multiple=True, metavar="INDEX", help="Run this job alone; no table. Repeatable."
)
@click.option("--collect", is_flag=True, help="Run nothing; write the table of what is there.")
@click.option("--emit", type=click.Choice(["slurm"]), help="Print a script for a cluster; run nothing.")
@click.option(
    "--measure", multiple=True, type=click.Choice(COSTS), help="Also what the hardware costs. Repeatable."
)
@click.option(
    "--pareto",
    nargs=2,
    type=click.Choice(list(MEASURES)),
    metavar="A B",
    help=f"Mark runs that no other beats in both; two of {', '.join(MEASURES)}.",
)
@click.option("--parquet", is_flag=True, help="Also write table.parquet; needs the extra of that name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    path: Path,
    out: Path | None,
    executor: str,
    address: str | None,
    gpus: float,
    jobs: int | None,
    retries: int,
    only: tuple[int, ...],
    collect: bool,
    emit: str | None,
    measure: tuple[str, ...],
    pareto: tuple[str, str] | None,
    parquet: bool,
    as_json: bool,
) -> None:
    """Train every job of a study, and put what came out into one table and one page.

    A study is a base configuration, a grid or list of settings, and seeds: see bnnedge/studies/study.py. Each
    job has a run directory named by its configuration's hash. The same command again goes on where it was
    stopped or killed: finished jobs stay as they are, interrupted ones resume to the same bits.
    """
    study = load_study(path)
    out = out or Path("runs") / f"sweep-{study.name}"
    threads = max(job.config.training.threads for job in study.jobs)
    costs = costs_among([*measure, *(pareto or ())])
    if emit is not None:
        options = [f"--measure={cost}" for cost in costs]
        click.echo(array_script(path, out, len(study.jobs), study.name, threads, options), nl=False)
        return
    if parquet:
        check_parquet()
    make = _executor(executor, address, gpus, jobs, threads)
    place = SweepPlace.make(out)
    tasks = tasks_of(study, place, costs, only)
    with place.held(alone=not (only or collect)):
        if collect:
            failures = recorded_failures(tasks)
        else:
            with _progress(study) as show:
                failures = run_sweep(study, tasks, make, retries, show)
        if not only:
            _write(place, results(study, place, costs, pareto), failures, study, pareto, parquet, as_json)
    if failures:
        for index, error in failures.items():
            click.echo(f"{_label(study.jobs[index], study)}: {error}", err=True)
        first = study.jobs[next(iter(failures))]
        raise JobError(
            f"{len(failures)} of {len(tasks)} jobs failed",
            f"see attempts.json in {place.job(first.key).run.path}; the same command tries them again",
        )


def _executor(
    kind: str, address: str | None, gpus: float, jobs: int | None, threads: int
) -> Callable[[], Executor]:
    if kind == "ray":
        check_ray()
        if jobs is not None:
            raise ConfigError(
                "--jobs is for local processes", "Ray runs as many jobs as its machines have CPUs"
            )
        return lambda: RayExecutor(address, gpus)
    if address is not None or gpus:
        raise ConfigError("--address and --gpus are for Ray", "add --executor ray")
    workers = workers_for(threads, jobs, os.cpu_count() or 1)
    return lambda: LocalExecutor(workers, threads)


def _write(
    place: SweepPlace,
    found: Results,
    failures: dict[int, str],
    study: Study,
    pareto: tuple[str, str] | None,
    parquet: bool,
    as_json: bool,
) -> None:
    """The table as files and for reading."""
    table = found.table()
    write_atomically(place.table_file, table.csv())
    if parquet:
        write_atomically(place.parquet_file, to_parquet(table))
    by_key = {study.jobs[index].key: error for index, error in failures.items()}
    write_atomically(place.page_file, sweep_page(found, by_key, pareto))
    if as_json:
        click.echo(json.dumps(found.to_dict(), allow_nan=False, indent=2))
    else:
        shown = [table if len(table.rows) <= SHOWN else found.means()]
        shown += [found.front()] if pareto is not None else []
        click.echo("\n\n".join(map(str, shown)))
    click.echo(f"table: {place.table_file}", err=True)
    click.echo(f"page: {place.page_file}", err=True)


@contextlib.contextmanager
def _progress(study: Study) -> Iterator[Callable[[Standing], None]]:
    """A bar on a terminal; one plain line a job elsewhere. Both on stderr: stdout is for the table."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda standing: click.echo(_line(standing, study), err=True)
        return
    columns = (
        TextColumn(study.name),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None)

        def show(standing: Standing) -> None:
            ended = standing.done + standing.failed
            failed = f"{standing.failed} failed" if standing.failed else ""
            progress.update(bar, total=standing.jobs, completed=ended, description=failed)
            if standing.error is not None:
                progress.console.print(_line(standing, study), markup=False, highlight=False)

        yield show


def _line(standing: Standing, study: Study) -> str:
    ended = f"{standing.done + standing.failed}/{standing.jobs}"
    if standing.job is None:
        return f"{ended} jobs of {study.name} are done"
    if standing.error is None:
        return f"{ended}  {_label(standing.job, study)}"
    what = "broke, and is tried again" if standing.retried else "failed"
    return f"{ended}  {_label(standing.job, study)} {what}: {standing.error}"


def _label(job: Job, study: Study) -> str:
    settings = [f"{key}={json.dumps(job.settings[key])}" for key in study.keys if key in job.settings]
    return " ".join([job.key, *settings, f"seed={job.seed}"])
