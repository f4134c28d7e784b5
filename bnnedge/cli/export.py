"""``bnnedge export``."""

from __future__ import annotations

from pathlib import Path

import click

from bnnedge.cli.options import data_option, newest_or, runs_option, test_inputs
from bnnedge.exporters import export
from bnnedge.hardware.boards import DEFAULT_BOARD
from bnnedge.importers.load import resolve
from bnnedge.packed.file import load_packed


@click.command("export")
@click.argument("checkpoint", required=False)
@click.option(
    "--target",
    type=click.Choice(["onnx", "qonnx", "finn", "pynq", "c"]),
    required=True,
    help="ONNX for onnxruntime, QONNX, FINN-ONNX, a whole FINN build folder for a PYNQ board, or C99.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to make; default: export-TARGET in the run."
)
@click.option(
    "--board", default=DEFAULT_BOARD, show_default=True, help="For pynq: which board (see hw/boards.toml)."
)
@click.option("--fps", type=click.IntRange(min=1), help="For pynq: frames a second that FINN should reach.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images to verify on."
)
@data_option
@runs_option
def command(
    checkpoint: str | None,
    target: str,
    out: Path | None,
    board: str,
    fps: int | None,
    samples: int,
    data: Path | None,
    runs: Path,
) -> None:
    """Write a graph, a build folder or C, and verify it bit for bit before saying so.

    CHECKPOINT is a packed .safetensors file, a run directory (its best checkpoint is meant) or a preset that
    comes trained; without one, the newest run. What was written is run on test images of the data set that
    the network was trained on, and every layer is compared with the golden model.
    """
    source = newest_or(checkpoint, runs)
    path = resolve(source)
    model = load_packed(path)
    if out is None:
        in_run = (Path(source) / "checkpoints").is_dir()
        out = Path(source) / f"export-{target}" if in_run else Path(f"{path.parent.name}-{target}")
    report = export(model, target, out, inputs=test_inputs(model, data)[:samples], board=board, fps=fps)
    click.echo(str(report))
