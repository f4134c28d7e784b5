"""``bnnedge compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bnnedge.analysis.compare import QUICK, compare
from bnnedge.analysis.series import series
from bnnedge.cli.options import newest_or, runs_option
from bnnedge.complexity.measure import Cost
from bnnedge.importers import load_weights
from bnnedge.report.views import comparison_table, measures_table, series_table, settled_table
from bnnedge.runs.directory import RunDirectory

SHOWN = 20  # rows of a series that fit a screen
ALL: tuple[Cost, ...] = (*QUICK, "quadratic", "slow")


@click.command("compare")
@click.argument("checkpoints", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; of a run, every checkpoint is in it.")
@click.option(
    "--every", type=click.IntRange(min=1), help="Take every Nth checkpoint; default: about 20 rows."
)
@click.option("--details", is_flag=True, help="Print every further measure before and after, too.")
@click.option(
    "--measures",
    type=click.Choice(["default", "all"]),
    default="default",
    show_default=True,
    help="Take the quick measures alone, or all.",
)
@runs_option
def command(
    checkpoints: tuple[str, ...], as_json: bool, every: int | None, details: bool, measures: str, runs: Path
) -> None:
    """Show which bits flipped, which blocks changed and what became simpler.

    Two CHECKPOINTS are compared layer by layer; files of different shapes are put side by side. Three or more
    make a series. A single run directory (without one, the newest run) gives the series over its checkpoints,
    and the first compared with the best. Other people's files are read as `bnnedge audit` reads them.
    """
    costs = ALL if measures == "all" else QUICK
    if len(checkpoints) == 2:
        click.echo(_two(checkpoints[0], checkpoints[1], checkpoints, costs, as_json, details))
        return
    if len(checkpoints) > 2:
        title, paths, run = "Checkpoints in the order given", {name: Path(name) for name in checkpoints}, None
    else:
        run = RunDirectory.open(Path(newest_or(checkpoints[0] if checkpoints else None, runs)))
        title, paths = f"Checkpoints of {run.path}", run.checkpoint_names()
    step = every or (1 if as_json else max(1, len(paths) // SHOWN))
    names = [name for position, name in enumerate(paths) if position % step == 0 or "best" in name]
    names += [] if list(paths)[-1] in names else [list(paths)[-1]]
    result = series([load_weights(paths[name]) for name in names], names, costs=costs)
    if as_json:
        click.echo(result.to_json())
        return
    left_out = len(paths) - len(names)
    notes = [f"{left_out} checkpoints between these are left out; --every 1 shows all."] if left_out else []
    click.echo(f"{series_table(result, title, notes)}\n\n{settled_table(result)}")
    if run is not None:
        names_of_two = ("the first checkpoint", "the best")
        first, best = run.first_checkpoint(), run.best_checkpoint()
        click.echo(f"\n{_two(first, best, names_of_two, costs, False, details)}")


def _two(
    before: str | Path,
    after: str | Path,
    names: Sequence[str],
    costs: Sequence[Cost],
    as_json: bool,
    details: bool,
) -> str:
    result = compare(load_weights(before), load_weights(after), (names[0], names[1]), costs=costs)
    if as_json:
        return result.to_json()
    return "\n\n".join(map(str, [comparison_table(result), *([measures_table(result)] if details else [])]))
