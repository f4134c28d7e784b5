"""``bnnedge verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnnedge.cli.options import data_option, test_inputs
from bnnedge.errors import VerificationError
from bnnedge.exporters.verification import SCHEMA, verify
from bnnedge.importers.load import load


@click.command("verify")
@click.argument("artefact", type=click.Path(path_type=Path))
@click.argument("checkpoint")
@click.option(
    "--samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images to run."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, of a mismatch as well.")
@data_option
def command(artefact: Path, checkpoint: str, samples: int, as_json: bool, data: Path | None) -> None:
    """Run what was exported against the golden model of a checkpoint, bit for bit, on real test images.

    ARTEFACT is a folder that `bnnedge export` wrote, for any target, or an ONNX, QONNX or FINN-ONNX file of
    one. CHECKPOINT is what it should compute: a packed .safetensors file, a run directory (its best
    checkpoint is meant) or a preset that comes trained. The images are those of the data set that the network
    was trained on.

    A graph of other operators or shapes than those of an export is not run. Every layer's whole-number sums,
    logits and classes are compared on every image, then each number and node in the file. Exits with 7 where
    one differs, and names the first: layer, neuron or channel and pixel, sample, and both values.
    """
    model = load(checkpoint)
    inputs = test_inputs(model, data)[:samples]
    try:
        result = verify(artefact, model, inputs)
    except VerificationError as error:
        if as_json:
            click.echo(json.dumps(_mismatch(artefact, error)))
        raise
    click.echo(json.dumps(result.to_dict()) if as_json else str(result))


def _mismatch(artefact: Path, error: VerificationError) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "kind": "bnnedge.verification",
        "artefact": str(artefact),
        "equal": False,
        "message": error.message,
        "hint": error.hint,
        "difference": error.difference,
    }
