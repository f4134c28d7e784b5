"""``bnnedge compare``."""

from __future__ import annotations

from pathlib import Path

import click

from bnnedge.analysis.compare import compare, series
from bnnedge.cli.options import newest_or, runs_option
from bnnedge.importers.load import load, resolve
from bnnedge.packed.file import load_packed
from bnnedge.report.views import comparison_table, series_table
from bnnedge.runs.directory import RunDirectory

SHOWN = 20  # rows of a series that fit a screen


@click.command("compare")
@click.argument("checkpoints", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object; of a run, every checkpoint is in it.")
@click.option(
    "--every", type=click.IntRange(min=1), help="Take every Nth checkpoint; default: about 20 rows."
)
@runs_option
def command(checkpoints: tuple[str, ...], as_json: bool, every: int | None, runs: Path) -> None:
    """Show which bits flipped, which blocks changed and what became simpler.

    Two CHECKPOINTS are compared layer by layer; three or more make a series. A single run directory (without
    one, the newest run) gives the series over its checkpoints, and the first compared with the best.
    """
    if len(checkpoints) == 2:
        comparison = compare(load(checkpoints[0]), load(checkpoints[1]), (checkpoints[0], checkpoints[1]))
        click.echo(comparison.to_json() if as_json else str(comparison_table(comparison)))
        return
    if len(checkpoints) < 2:
        run = RunDirectory.open(Path(newest_or(checkpoints[0] if checkpoints else None, runs)))
        title, paths = f"Checkpoints of {run.path}", _checkpoints(run)
    else:
        run = None
        title, paths = "Checkpoints in the order given", {name: resolve(name) for name in checkpoints}
    step = every or (1 if as_json else max(1, len(paths) // SHOWN))
    names = [name for position, name in enumerate(paths) if position % step == 0 or "best" in name]
    names += [] if list(paths)[-1] in names else [list(paths)[-1]]
    result = series([load_packed(paths[name]) for name in names], names)
    if as_json:
        click.echo(result.to_json())
        return
    left_out = len(paths) - len(names)
    notes = [f"{left_out} checkpoints between these are left out; --every 1 shows all."] if left_out else []
    click.echo(str(series_table(result, title, notes)))
    if run is not None:
        first, best = load_packed(run.first_checkpoint()), load_packed(run.best_checkpoint())
        click.echo(f"\n{comparison_table(compare(first, best, ('the first checkpoint', 'the best')))}")


def _checkpoints(run: RunDirectory) -> dict[str, Path]:
    """A run's checkpoints by the name of their epoch, the best one marked."""
    epochs = {0: 0} | {record["step"]: record["epoch"] for record in run.records()}
    best = run.summary()["best"]["step"]
    return {
        f"epoch {epochs.get(step, '?')}" + (" (best)" if step == best else ""): path
        for step, path in run.checkpoints().items()
    }
