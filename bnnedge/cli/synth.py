"""``bnnedge synth``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnnedge.exporters.rtl import read_rtl
from bnnedge.hardware.netlist import Resources, families
from bnnedge.hardware.synthesise import Synthesis, synthesise
from bnnedge.packed.file import digest
from bnnedge.report.table import Cell, Column, Table

COLUMNS = (
    Column("layer", "layer"),
    Column("luts", "LUT", ",d"),
    Column("flip_flops", "FF", ",d"),
    Column("carries", "carry", ",d"),
    Column("block_rams", "block RAM", "g"),
)


@click.command("synth")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--family",
    type=click.Choice(list(families())),
    default="xc7",
    show_default=True,
    help="Of FPGAs: xc7 is AMD's 7 series, with Zynq-7000.",
)
@click.option(
    "--fmax", is_flag=True, help="Of ice40 and ecp5: place it on the largest device, for its clock."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(folder: Path, family: str, fmax: bool, as_json: bool) -> None:
    """Map the hardware in DIR to a family of FPGAs with Yosys, and count what each layer takes.

    DIR is a folder of ``bnnedge export --target rtl``. Memories in look-up tables count among these; a block
    RAM of xc7 has 36 Kbit. Yosys places nothing; what clock the wires allow is for the vendor's tools to say,
    or for nextpnr with --fmax, which says so where the device has too little.
    """
    design, model = read_rtl(folder)
    result = synthesise(design.files, design.modules, family, model_digest=digest(model), fmax=fmax)
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else _table(folder, result))


def _table(folder: Path, result: Synthesis) -> str:
    rows = [_row(one.layer, one.resources) for one in result.layers]
    rows.append(_row("input, label", result.rest))
    notes = [f"At most {result.depth} cells of logic between registers."]
    notes += [] if result.placement is None else [f"{result.placement}."]
    title = f"{folder} on {result.family}, by {result.tool}"
    return str(Table(title, COLUMNS, rows, _row("all", result.total), notes))


def _row(name: str, resources: Resources) -> tuple[Cell, ...]:
    return (name, resources.luts, resources.flip_flops, resources.carries, resources.block_rams)
