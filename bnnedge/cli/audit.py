"""``bnnedge audit``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bnnedge.analysis.audit import Audit, audit
from bnnedge.cli.options import data_option, newest_or, runs_option, spaced, test_inputs
from bnnedge.errors import GateError, UnsupportedError
from bnnedge.importers import load_weights
from bnnedge.packed.weights import WeightSet
from bnnedge.report.table import Table
from bnnedge.report.views import audit_table, audits_table, details_table, findings_table
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
    if (html or fix) and len(sources) > 1:
        raise click.UsageError("--html and --fix take one checkpoint")
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
            tables += [audit_table(result), findings_table(result)]
            tables += [details_table(result)] if details else []
        shown = [f"## {t.title}\n\n{t.markdown()}" if form == "markdown" else str(t) for t in tables]
        click.echo("\n\n".join(shown))


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

    if weights.model is None:
        raise UnsupportedError(
            f"{weights.name} holds weights, but no whole network to rewrite",
            "fix a checkpoint of bnnedge train",
        )
    result = fix(weights.model)
    prove_equivalent(weights.model, result.model, test_inputs(weights.model, data))
    save_packed(result.model, path)
    click.echo(
        f"fixed: {path}, {len(result.applied)} findings applied, "
        f"{result.before_bits:,} to {result.after_bits:,} weight bits; equal on every test image",
        err=True,
    )
