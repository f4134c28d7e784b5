"""``bnnedge simulate``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnnedge.cli.options import data_option, test_inputs
from bnnedge.exporters.rtl import read_rtl
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.simulators import SIMULATORS


@click.command("simulate")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Test images, at most."
)
@click.option(
    "--tool", type=click.Choice(SIMULATORS), help="Which simulator; default: the first that is installed."
)
@click.option("--stall", is_flag=True, help="Let both sides of the network pause at random times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@data_option
def command(
    folder: Path, samples: int, tool: str | None, stall: bool, as_json: bool, data: Path | None
) -> None:
    """Simulate the hardware in DIR on test images, and compare every layer with the golden model.

    DIR is a folder of ``bnnedge export --target rtl``; its sources are taken as they are now, edited or not.
    Bits that leave every layer, scores and labels must be equal; exits with 7 where they are not, and names
    the first layer, sample and neuron. Says after how many clock cycles a label comes, and how many apart.
    """
    design, model = read_rtl(folder)
    inputs = test_inputs(model, data)[:samples]
    result = simulate(design, model, inputs, tool=tool, stall=stall)
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else f"{folder} {result}")
