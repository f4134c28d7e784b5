"""``bnnedge llc``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from bnnedge.cli.options import newest_or, runs_option, spaced
from bnnedge.cli.sampling import SHOWN, Flipping, flipping_options
from bnnedge.importers.load import load
from bnnedge.runs.directory import RunDirectory

SCHEMA = 1


@click.command("llc")
@click.argument("checkpoints", nargs=-1)
@click.option(
    "--every", type=click.IntRange(min=1), help="Of a run: every Nth checkpoint; default: about 10."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one object an estimate.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page with traces."
)
@flipping_options
@runs_option
def command(
    checkpoints: tuple[str, ...],
    every: int | None,
    as_json: bool,
    html: Path | None,
    flipping: Flipping,
    runs: Path,
) -> None:
    """Estimate the discrete local learning coefficient of deployed bits, by Metropolis sampling of flips.

    CHECKPOINTS are packed .safetensors files or presets that come trained; a single run directory (without
    one, the newest run) gives the curve over its checkpoints. The loss is the cross-entropy of the packed
    network on training samples of the data set that the checkpoint names, worked out exactly.

    The figure belongs to its p, nβ and n. A verdict stands beside it: ok; not a local minimum (flips lower
    the loss); not mixed, or refused, where there is no figure to give.
    """
    estimates = []
    for name, path in _sources(checkpoints, every, runs):
        for one in flipping.estimates(load(path), name):
            estimates.append((name, one))
            if as_json:
                said = {"schema": SCHEMA, "kind": "bnnedge.llc", "checkpoint": name, **one.to_dict()}
                click.echo(json.dumps(said, allow_nan=False))
    if html is not None:
        from bnnedge.files import write_atomically
        from bnnedge.report.llc import llc_page

        write_atomically(html, llc_page(estimates))
        click.echo(f"page: {html}", err=True)
    if not as_json:
        from bnnedge.report.llc import llc_table

        click.echo(str(llc_table(estimates)))


def _sources(checkpoints: Sequence[str], every: int | None, runs: Path) -> Iterator[tuple[str, str | Path]]:
    """Checkpoints by the names they are shown under."""
    if len(checkpoints) > 1:
        yield from ((name, name) for name in checkpoints)
        return
    named = newest_or(checkpoints[0] if checkpoints else None, runs)
    if not Path(named).is_dir():
        yield str(named), named
        return
    paths = RunDirectory.open(Path(named)).checkpoint_names()
    for name in spaced(list(paths), every or max(1, len(paths) // SHOWN)):
        yield name, paths[name]
