"""``bnnedge compare``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from bnnedge.analysis.compare import QUICK, Comparison, compare
from bnnedge.analysis.series import Series, series
from bnnedge.cli.options import newest_or, runs_option, spaced
from bnnedge.cli.sampling import SHOWN as ESTIMATED
from bnnedge.cli.sampling import Flipping, flipping_options, given_options
from bnnedge.complexity.measure import Cost
from bnnedge.importers import load, load_weights
from bnnedge.llc.discrete import DiscreteEstimate
from bnnedge.report.table import Table
from bnnedge.report.views import comparison_table, measures_table, series_table, settled_table
from bnnedge.runs.directory import RunDirectory

SHOWN = 20  # rows of a series that fit a screen
DRAWN = 100  # checkpoints that a page's curves are drawn through
ALL: tuple[Cost, ...] = (*QUICK, "quadratic", "slow")
NOTHING: list[Sequence[DiscreteEstimate]] = [(), ()]


@click.command("compare")
@click.argument("checkpoints", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; of a run, every checkpoint is in it.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    help="Take every Nth checkpoint; default: about 20 rows, 10 with --llc.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a series as one page with curves.",
)
@click.option("--details", is_flag=True, help="Print every further measure before and after, too.")
@click.option(
    "--measures",
    type=click.Choice(["default", "all"]),
    default="default",
    show_default=True,
    help="Take the quick measures alone, or all.",
)
@click.option(
    "--llc",
    is_flag=True,
    help="Also estimate the discrete local learning coefficient, as `bnnedge llc` does; takes the data set.",
)
@flipping_options
@runs_option
def command(
    checkpoints: tuple[str, ...],
    as_json: bool,
    every: int | None,
    html: Path | None,
    details: bool,
    measures: str,
    llc: bool,
    flipping: Flipping,
    runs: Path,
) -> None:
    """Show which bits flipped, which blocks changed and what became simpler.

    Two CHECKPOINTS are compared layer by layer; files of different shapes are put side by side. Three or more
    make a series. A single run directory (without one, the newest run) gives the series over its checkpoints,
    and the first compared with the best; its page has the learning curves beside those of complexity. Other
    people's files are read as `bnnedge audit` reads them. With --llc, the discrete local learning coefficient
    stands beside BDM, with its verdict; options of the sampling are those of `bnnedge llc`.
    """
    if not llc and (needless := given_options()):
        raise click.UsageError(f"{', '.join(needless)}: there is no sampling without --llc")
    costs = ALL if measures == "all" else QUICK
    if len(checkpoints) == 2:
        if html is not None:
            raise click.UsageError("--html takes a run directory, or three checkpoints or more")
        before, after = checkpoints
        both = list(_estimates(flipping, [before, after], checkpoints)) if llc else NOTHING
        result = _two(before, after, checkpoints, costs, both)
        click.echo(result.to_json() if as_json else _printed(_tables_of(result, details)))
        return
    if len(checkpoints) > 2:
        title, run = "Checkpoints in the order given", None
        paths: dict[str, str | Path] = {name: name for name in checkpoints}
    else:
        run = RunDirectory.open(Path(newest_or(checkpoints[0] if checkpoints else None, runs)))
        title, paths = f"Checkpoints of {run.path}", {**run.checkpoint_names()}
    most = ESTIMATED if llc else len(paths) if as_json else DRAWN if html else SHOWN
    names = spaced(list(paths), every or max(1, len(paths) // most))
    files = [load_weights(paths[name]) for name in names]
    estimates = _estimates(flipping, [paths[name] for name in names], names) if llc else ()
    points = series(files, names, costs=costs, dllc=estimates)
    tables: list[Table] = []
    if run is not None and (html or not as_json):
        ends = run.first_checkpoint(), run.best_checkpoint()
        known = {paths[point.name]: point.dllc for point in points.points}
        both = [known.get(end, ()) for end in ends]
        tables = _tables_of(_two(*ends, ("the first checkpoint", "the best"), costs, both), details)
    if html is not None:
        _write_page(html, points, title, run, tables)
    if as_json:
        click.echo(points.to_json())
        return
    left_out = len(paths) - len(names)
    notes = [f"{left_out} checkpoints between these are left out; --every 1 shows all."] if left_out else []
    click.echo(_printed([series_table(points, title, notes), settled_table(points), *tables]))


def _write_page(
    path: Path, points: Series, title: str, run: RunDirectory | None, tables: Sequence[Table]
) -> None:
    from bnnedge.files import write_atomically
    from bnnedge.report.series_page import series_page

    write_atomically(path, series_page(points, title, run.records() if run is not None else (), tables))
    click.echo(f"page: {path}", err=True)


def _estimates(
    flipping: Flipping, places: Sequence[str | Path], names: Sequence[str]
) -> Iterator[Sequence[DiscreteEstimate]]:
    """Of one checkpoint after another, once it is known that all are networks."""
    models = [load(place) for place in places]
    for model, name in zip(models, names, strict=True):
        yield list(flipping.estimates(model, name))


def _two(
    before: str | Path,
    after: str | Path,
    names: Sequence[str],
    costs: Sequence[Cost],
    estimates: Sequence[Sequence[DiscreteEstimate]],
) -> Comparison:
    dllc = estimates[0], estimates[1]
    return compare(load_weights(before), load_weights(after), (names[0], names[1]), costs=costs, dllc=dllc)


def _tables_of(comparison: Comparison, details: bool) -> list[Table]:
    return [comparison_table(comparison), *([measures_table(comparison)] if details else [])]


def _printed(tables: Sequence[Table]) -> str:
    return "\n\n".join(map(str, tables))
