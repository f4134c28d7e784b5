"""``bnnedge audit``."""

from __future__ import annotations

from pathlib import Path

import click

from bnnedge.analysis.audit import audit
from bnnedge.cli.options import newest_or, runs_option, shown
from bnnedge.importers.load import resolve
from bnnedge.packed.file import load_packed
from bnnedge.report.views import audit_table, audits_table


@click.command("audit")
@click.argument("checkpoints", nargs=-1)
@click.option("--json", "form", flag_value="json", help="JSON lines, one object a checkpoint.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, unrounded.")
@runs_option
def command(checkpoints: tuple[str, ...], form: str | None, runs: Path) -> None:
    """Measure the complexity of weight bits, layer by layer.

    CHECKPOINTS are packed .safetensors files, run directories (the best checkpoint is meant) or presets that
    come trained; without one, the newest run.
    """
    paths = [resolve(named) for named in checkpoints or (newest_or(None, runs),)]
    audits = [audit(load_packed(path), shown(path)) for path in paths]
    if form == "json":
        click.echo("\n".join(result.to_json() for result in audits))
    elif form == "csv":
        click.echo(audits_table(audits).csv(), nl=False)
    else:
        click.echo("\n\n".join(str(audit_table(result)) for result in audits))
