"""``bnnedge audit``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from bnnedge.analysis.audit import Audit, audit
from bnnedge.analysis.cost import Cost, Costs
from bnnedge.cli.options import data_option, newest_or, runs_option, spaced, test_inputs
from bnnedge.errors import ConfigError, GateError, UnsupportedError
from bnnedge.importers import load_weights
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import WeightSet
from bnnedge.report.table import Table
from bnnedge.report.views import audit_table, audits_table, costs_table, details_table, findings_table
from bnnedge.runs.directory import RunDirectory

CURVE_POINTS = 100  # checkpoints of a run that a page's curves are drawn through


@click.command("audit")
@click.argument("checkpoints", nargs=-1)
@click.option("--json", "form", flag_value="json", help="JSON lines, one object a checkpoint.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, unrounded, every measure.")
@click.option("--markdown", "form", flag_value="markdown", help="Tables in Markdown.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write one self-contained page."
)
@click.option("--cost", is_flag=True, help="Also what each layer costs in hardware, beside its complexity.")
@click.option(
    "--synth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With these LUTs, of bnnedge synth --json; includes --cost.",
)
@click.option("--details", is_flag=True, help="Print every further measure, too.")
@click.option(
    "--nulls", type=click.IntRange(min=0), default=100, show_default=True, help="Draws of each null model."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of nulls and tiles.")
@click.option("--layout", default="flat", show_default=True, help="Of kernels: flat, tall or kernels.")
@click.option(
    "--boundary", default="ignore", show_default=True, help="ignore, or recursive: hardly a bit dropped."
)
@click.option(
    "--measures",
    type=click.Choice(["default", "all"]),
    default="default",
    show_default=True,
    help="Take slow measures of large layers on tiles, or of whole layers.",
)
@click.option(
    "--fail-on", "gates", multiple=True, metavar="EXPR", help="Exit with 9 where it holds: 'bdm_z > -2'."
)
@click.option(
    "--fix", type=click.Path(dir_okay=False, path_type=Path), help="Write a smaller, equivalent checkpoint."
)
@data_option
@runs_option
def command(
    checkpoints: tuple[str, ...],
    form: str | None,
    html: Path | None,
    cost: bool,
    synth: Path | None,
    details: bool,
    nulls: int,
    seed: int,
    layout: str,
    boundary: str,
    measures: str,
    gates: tuple[str, ...],
    fix: Path | None,
    data: Path | None,
    runs: Path,
) -> None:
    """Measure the complexity of weight bits, layer by layer, against null models, and say what to act on.

    CHECKPOINTS are packed .safetensors files, run directories (the best checkpoint is meant), presets that
    come trained, or other people's files: Brevitas state dicts, QONNX and FINN graphs, arrays of weights.
    Without one, the newest run is meant.
    """
    from bnnedge.analysis.gates import check, parse_gate

    parsed = [parse_gate(gate) for gate in gates]
    sources = checkpoints or (str(newest_or(None, runs)),)
    if (html or fix or synth) and len(sources) > 1:
        raise click.UsageError("--html, --fix and --synth take one checkpoint")
    files = [load_weights(source) for source in sources]
    audits = [
        audit(
            weights,
            layout=layout,
            boundary=boundary,
            nulls=nulls,
            seed=seed,
            whole=measures == "all",
            threads=os.cpu_count() or 1,
        )
        for weights in files
    ]
    if cost or synth is not None:
        audits = [
            replace(result, costs=_costs(weights, synth))
            for result, weights in zip(audits, files, strict=True)
        ]
    _print(audits, form, details)
    if html is not None:
        _write_page(html, audits[0], files[0], Path(sources[0]))
    if fix is not None:
        _write_fixed(fix, files[0], data)
    failures = [failure for result in audits for failure in check(parsed, result)]
    if failures:
        raise GateError("; ".join(map(str, failures)), "the gates of --fail-on hold where they must not")


def _print(audits: list[Audit], form: str | None, details: bool) -> None:
    if form == "json":
        click.echo("\n".join(result.to_json() for result in audits))
    elif form == "csv":
        click.echo(audits_table(audits).csv(), nl=False)
    else:
        tables: list[Table] = []
        for result in audits:
            tables += [audit_table(result)]
            tables += [] if result.costs is None else [costs_table(result, result.costs)]
            tables += [findings_table(result)]
            tables += [details_table(result)] if details else []
        shown = [f"## {t.title}\n\n{t.markdown()}" if form == "markdown" else str(t) for t in tables]
        click.echo("\n\n".join(shown))


def _costs(weights: WeightSet, synth: Path | None) -> Costs:
    """What the layers cost, as far as the hardware is to be had; notes say how far."""
    from bnnedge.hardware.costs import synthesised_luts, unrolled_luts, weight_memories

    model = _whole(weights, "to make hardware of")
    notes = [
        "Weight memory of a folded engine at the default pace; LUTs of unrolled sums, estimated for xc7 "
        "without synthesis, thresholds aside."
    ]
    wires: dict[str, int] = {}
    memories: dict[str, tuple[int, int]] = {}
    try:
        wires = unrolled_luts(model)
    except UnsupportedError as error:
        notes.append(f"Not to be had unrolled: {error.message}.")
    try:
        memories = weight_memories(model)
    except (ConfigError, UnsupportedError) as error:
        notes.append(f"Not to be had folded: {error.message}.")
    counted: dict[str, int] = {}
    if synth is not None:
        counted, family = synthesised_luts(synth, model)
        notes.append(f"Synthesised for {family}: {synth}.")
    layers = {
        layer.name: Cost(
            wires.get(layer.name),
            plain,
            smallest,
            counted.get(layer.name),
        )
        for layer in model.layers
        for plain, smallest in [memories.get(layer.name, (None, None))]
    }
    return Costs(layers, tuple(notes))


def _whole(weights: WeightSet, purpose: str) -> PackedModel:
    """The network in a file.

    Raises:
        UnsupportedError: it holds weights alone.
    """
    if weights.model is None:
        raise UnsupportedError(
            f"{weights.name} holds weights, but no whole network {purpose}",
            "name a checkpoint of bnnedge train",
        )
    return weights.model


def _write_page(path: Path, result: Audit, weights: WeightSet, source: Path) -> None:
    from bnnedge.analysis.series import series
    from bnnedge.files import write_atomically
    from bnnedge.report.page import audit_page

    curves, records = None, []
    if (source / "checkpoints").is_dir():
        run = RunDirectory.open(source)
        records = run.records()
        names = run.checkpoint_names()
        chosen = spaced(list(names), max(1, len(names) // CURVE_POINTS))
        curves = series([load_weights(names[name]) for name in chosen], chosen)
    write_atomically(path, audit_page(result, weights, curves, records))
    click.echo(f"page: {path}", err=True)


def _write_fixed(path: Path, weights: WeightSet, data: Path | None) -> None:
    from bnnedge.analysis.fix import fix, prove_equivalent
    from bnnedge.packed.file import save_packed

    model = _whole(weights, "to rewrite")
    result = fix(model)
    prove_equivalent(model, result.model, test_inputs(model, data))
    save_packed(result.model, path)
    click.echo(
        f"fixed: {path}, {len(result.applied)} findings applied, "
        f"{result.before_bits:,} to {result.after_bits:,} weight bits; equal on every test image",
        err=True,
    )
