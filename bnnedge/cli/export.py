"""``bnnedge export``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnnedge.cli.options import data_option, newest_or, runs_option, test_data
from bnnedge.exporters import export
from bnnedge.exporters.graph import Form
from bnnedge.hardware.boards import DEFAULT_BOARD
from bnnedge.hardware.finn_plus import find_finn
from bnnedge.hardware.finns import DEFAULT_FINN, FINNS
from bnnedge.hardware.generated import STYLES
from bnnedge.importers.load import load, resolve
from bnnedge.report.digest import card_sections


@click.command("export")
@click.argument("checkpoint", required=False)
@click.option(
    "--target",
    type=click.Choice(["onnx", "qonnx", "finn", "pynq", "c", "rtl"]),
    required=True,
    help="ONNX for onnxruntime, QONNX, FINN-ONNX, a FINN build folder for a PYNQ board, C99, SystemVerilog.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to make; default: export-TARGET in the run."
)
@click.option(
    "--board",
    default=DEFAULT_BOARD,
    show_default=True,
    help="For pynq and rtl: which board (bnnedge budget --boards).",
)
@click.option(
    "--finn",
    type=click.Choice(FINNS),
    help=f"For pynq: what is to build it, FINN 0.10, FINN 1.0 or FINN+; default: {DEFAULT_FINN}.",
)
@click.option("--fps", type=click.IntRange(min=1), help="For pynq and rtl: frames a second to reach.")
@click.option(
    "--style",
    type=click.Choice(STYLES),
    help="For rtl: folded, an engine a layer, or unrolled, every weight a wire; default: folded.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(min=1),
    help="For rtl, unrolled: adders that may follow one another in a layer; default: as is cheapest.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="For rtl, unrolled: share nothing between neurons, as a baseline to compare with.",
)
@click.option("--lut-budget", type=click.IntRange(min=1), help="For pynq: LUTs that the design may take.")
@click.option(
    "--check-with-finn",
    is_flag=True,
    help="For pynq: also run FINN+'s front end on it, where that is installed.",
)
@click.option(
    "--finn-python",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Python that has FINN+; default: BNNEDGE_FINN_PYTHON, else what scripts/with_finn installed.",
)
@click.option("--xnor", is_flag=True, help="For finn: XnorPopcountMatMul on bits 0 and 1, all through.")
@click.option(
    "--label/--no-label", default=None, help="For onnx, qonnx and finn: whether the class is an output."
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images to verify on."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the names of all files.")
@data_option
@runs_option
def command(
    checkpoint: str | None,
    target: str,
    out: Path | None,
    board: str,
    finn: str | None,
    fps: int | None,
    style: str | None,
    max_depth: int | None,
    plain: bool,
    lut_budget: int | None,
    check_with_finn: bool,
    finn_python: Path | None,
    xnor: bool,
    label: bool | None,
    samples: int,
    as_json: bool,
    data: Path | None,
    runs: Path,
) -> None:
    """Write a graph, a build folder, C or hardware, and verify it bit for bit before saying so.

    CHECKPOINT is a packed .safetensors file, a run directory (its best checkpoint is meant) or a preset that
    comes trained; without one, the newest run. What was written is run on test images of the data set that
    the network was trained on, and every layer is compared with the golden model.

    A build folder for a PYNQ board is folded for --fps, within --lut-budget, or without both as small as it
    gets.
    """
    source = newest_or(checkpoint, runs)
    path = resolve(source)
    model = load(source)
    if out is None:
        in_run = (Path(source) / "checkpoints").is_dir()
        out = Path(source) / f"export-{target}" if in_run else Path(f"{path.parent.name}-{target}")
    dataset = test_data(model, data)
    inputs, labels = dataset.test.inputs, dataset.test.labels
    report = export(
        model,
        target,
        out,
        inputs=inputs[:samples],
        board=board,
        finn=finn,
        fps=fps,
        lut_budget=lut_budget,
        style=style,
        max_depth=max_depth,
        plain=plain,
        form=Form(label, xnor),
        finn_python=find_finn(finn_python) if check_with_finn or finn_python else None,
        about=card_sections(model, dataset.name, inputs, labels) if target == "pynq" else None,
    )
    click.echo(json.dumps(report.to_dict()) if as_json else str(report))
