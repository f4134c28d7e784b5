"""``bnnedge budget``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnnedge.cli.options import data_option, load_data
from bnnedge.data.sources import SETS
from bnnedge.files import write_atomically
from bnnedge.hardware.boards import DEFAULT_BOARD, boards
from bnnedge.hardware.boards import board as find_board
from bnnedge.hardware.budget import HEADROOM, Budget, budget
from bnnedge.hardware.finns import DEFAULT_FINN, FINNS, Finn
from bnnedge.importers.load import load
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.packed.geometry import Geometry, geometry_of
from bnnedge.report.table import Column, Table
from bnnedge.runs.config import Config
from bnnedge.runs.toml import load_config, override, presets

COLUMNS = (
    Column("layer", "layer"),
    Column("node", "FINN's node"),
    Column("pe", "PE", "d"),
    Column("simd", "SIMD", "d"),
    Column("cycles", "cycles", ",d"),
    Column("fps", "frames/s", ",.0f"),
    Column("luts", "LUT", ",d"),
    Column("bram18", "BRAM18", "d"),
)
BOARDS = (
    Column("name", "board"),
    Column("part", "part"),
    Column("lut", "LUT", ",d"),
    Column("ff", "FF", ",d"),
    Column("bram36", "BRAM36", "d"),
    Column("clock_mhz", "MHz", "g"),
    Column("shell", "shell"),
    Column("finn", "FINN"),
    Column("status", "status"),
)
NOTE = "FINN's analytical model (FINN+ 1.6.1), which leaves out FIFOs, width converters, thresholds and DMA."


def _list_boards(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the table of boards in place of a budget."""
    if not wanted or context.resilient_parsing:
        return
    rows = [
        (
            *(entry.name, entry.part, entry.lut, entry.ff, entry.bram36, entry.clock_mhz),
            entry.shell_flow_type,
            " ".join(f"{finn}*" if finn in entry.finn_opt_in else finn for finn in entry.finn),
            entry.status,
        )
        for entry in boards()
    ]
    notes = [
        "* refuses the board unless one insists, which build.py does.",
        *(f"{entry.name}: {entry.note}" for entry in boards()),
    ]
    click.echo(str(Table("Boards", BOARDS, rows, notes=notes)))
    context.exit()


@click.command("budget")
@click.argument("source", metavar="CONFIG|CHECKPOINT")
@click.option(
    "--boards",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_boards,
    help="List the boards, and which FINN builds for them.",
)
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Which board (see --boards).")
@click.option(
    "--finn",
    type=click.Choice(FINNS),
    default=DEFAULT_FINN,
    show_default=True,
    help="What is to build it: FINN 0.10, FINN 1.0 or FINN+.",
)
@click.option("--fps", type=click.IntRange(min=1), help="Frames a second to reach, with the least logic.")
@click.option(
    "--lut-budget",
    type=click.IntRange(min=1),
    help=f"LUTs that the design may take; default: {HEADROOM:.0%} of the board's.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one setting of CONFIG, as for train.",
)
@click.option(
    "--folding",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the folding, as FINN reads it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@data_option
def command(
    source: str,
    board: str,
    finn: Finn,
    fps: int | None,
    lut_budget: int | None,
    settings: tuple[str, ...],
    folding: Path | None,
    as_json: bool,
    data: Path | None,
) -> None:
    """Say whether a network fits a board, before or after its training: LUT, block RAM, cycles, frames/s.

    A preset or a TOML file is taken as it would be trained; a checkpoint, a run directory or a preset that
    comes trained as it is. Without --fps, the layers are folded for the most frames a second that fit. Exits
    with 8 where what was asked for does not fit.
    """
    hardware = find_board(board)
    geometry = _geometry(source, settings, data)
    result = budget(geometry, hardware, fps=fps, luts=lut_budget, finn=finn)
    if folding is not None:
        text = json.dumps((result.fitting or result.design).folding_config(), indent=2)
        write_atomically(folding, text + "\n")
    click.echo(json.dumps(result.to_dict(), indent=2) if as_json else _table(source, result))
    result.insist()


def _geometry(source: str, settings: tuple[str, ...], data: Path | None) -> Geometry:
    """A network that is there, or the one that a configuration leads to."""
    place = presets()[source].parent if source in presets() else Path(source)
    untrained = (place / "config.toml").is_file() and not (
        (place / "model.safetensors").is_file() or (place / "checkpoints").is_dir()
    )
    if not (settings or untrained or place.suffix == ".toml"):
        return geometry_of(load(source))
    config = override(load_config(source), settings)
    return geometry_of_config(config.net, *_samples(config, data))


def _samples(config: Config, data: Path | None) -> tuple[tuple[int, ...], int, int]:
    """Shape, largest value and classes of the samples; of known images without reading them."""
    known = SETS.get(config.data.name)
    if known is None or len(known.shape) != 3:
        dataset = load_data(config.data, data)
        return dataset.shape, dataset.maximum, dataset.classes
    side = config.data.resize
    shape = known.shape if side is None else (known.shape[0], side, side)
    return shape, 255, len(known.class_names)


def _table(source: str, result: Budget) -> str:
    design, clock = result.design, result.board.clock_mhz * 1e6
    rows = [
        (
            choice.unit.layer,
            name,
            node.attributes.get("PE"),
            node.attributes.get("SIMD"),
            node.cycles,
            clock / node.cycles,
            node.luts,
            node.bram18,
        )
        for name, choice, node in design.named_nodes()
    ]
    total = ("all", None, None, None, design.cycles, result.fps, design.luts, design.bram18)
    notes = [result.describe(design), NOTE]
    title = f"{source} on {result.board.name}, {result.board.part}"
    return str(Table(title, COLUMNS, rows, total, notes))
