"""``bnnedge llc``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnnedge.cli.options import data_option, newest_or, runs_option, spaced, test_data
from bnnedge.importers.load import load
from bnnedge.packed.model import PackedModel
from bnnedge.runs.directory import RunDirectory

if TYPE_CHECKING:
    from bnnedge.llc.discrete import DiscreteEstimate, FlipSampling

SCHEMA = 1
SHOWN = 10  # checkpoints of a run, unless --every says otherwise


@click.command("llc")
@click.argument("checkpoints", nargs=-1)
@click.option(
    "--probability", type=float, default=0.01, show_default=True, help="Prior p that a bit flips, up to 0.5."
)
@click.option(
    "--samples", type=click.IntRange(min=3), default=10_000, show_default=True, help="Training samples, n."
)
@click.option("--nbeta", type=float, help="Inverse temperature nβ.  [default: n / log n]")
@click.option("--per-layer", is_flag=True, help="Also let each layer's bits flip alone.")
@click.option("--chains", type=click.IntRange(min=2), default=4, show_default=True)
@click.option("--burn-in", type=click.IntRange(min=8), default=40, show_default=True, help="Scans left out.")
@click.option(
    "--scans",
    type=click.IntRange(min=8),
    default=100,
    show_default=True,
    help="Scans kept to begin with; doubled until chains have mixed.",
)
@click.option(
    "--most-scans",
    type=click.IntRange(min=8),
    default=1600,
    show_default=True,
    help="Scans at which to stop.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--every", type=click.IntRange(min=1), help="Of a run: every Nth checkpoint; default: about 10."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one object an estimate.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page with traces."
)
@data_option
@runs_option
def command(
    checkpoints: tuple[str, ...],
    probability: float,
    samples: int,
    nbeta: float | None,
    per_layer: bool,
    chains: int,
    burn_in: int,
    scans: int,
    most_scans: int,
    seed: int,
    every: int | None,
    as_json: bool,
    html: Path | None,
    data: Path | None,
    runs: Path,
) -> None:
    """Estimate the discrete local learning coefficient of deployed bits, by Metropolis sampling of flips.

    CHECKPOINTS are packed .safetensors files or presets that come trained; a single run directory (without
    one, the newest run) gives the curve over its checkpoints. The loss is the cross-entropy of the packed
    network on training samples of the data set that the checkpoint names, worked out exactly.

    The figure belongs to its p, nβ and n. A verdict stands beside it: ok; not a local minimum (flips lower
    the loss); not mixed, or refused, where there is no figure to give.
    """
    from bnnedge.llc.discrete import FlipSampling

    sampling = FlipSampling(probability, chains, burn_in, scans, most_scans, nbeta, (), seed)
    estimates = []
    for name, path in _sources(checkpoints, every, runs):
        model = load(path)
        for one in _estimates(model, sampling, samples, data, per_layer):
            estimates.append((name, one))
            if as_json:
                said = {"schema": SCHEMA, "kind": "bnnedge.llc", "checkpoint": name, **one.to_dict()}
                click.echo(json.dumps(said))
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


def _estimates(
    model: PackedModel, sampling: FlipSampling, samples: int, data: Path | None, per_layer: bool
) -> Iterator[DiscreteEstimate]:
    """Of all layers together, then of each."""
    from dataclasses import replace

    from bnnedge.llc.discrete import dllc

    train = test_data(model, data).train
    inputs, labels = train.inputs[:samples], train.labels[:samples]
    for layers in [(), *((layer.name,) for layer in model.layers if per_layer)]:
        yield dllc(model, inputs, labels, replace(sampling, layers=layers))
