"""SystemVerilog of our own in a folder: sources, memories, a self-checking test bench, scripts of tools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.exporters.overlay import write_overlay
from bnnedge.exporters.vectors import SAMPLES
from bnnedge.files import write_atomically
from bnnedge.hardware.bench import BENCH, Style, Watched, bench_files, vectors
from bnnedge.hardware.boards import DEFAULT_BOARD, Board
from bnnedge.hardware.folded import Fold
from bnnedge.hardware.generated import Generated, generate
from bnnedge.hardware.simulate import simulate
from bnnedge.hardware.simulators import check_sources
from bnnedge.hardware.synthesise import synthesis_script
from bnnedge.hardware.templates import render
from bnnedge.hardware.wrapper import WRAPPER, bytes_a_beat
from bnnedge.packed.file import digest, load_packed, save_packed
from bnnedge.packed.model import PackedModel

__all__ = ["check_rtl", "read_rtl", "write_rtl"]

DESIGN = "design.json"
CHECKPOINT = "checkpoint.safetensors"
FORMAT, SCHEMA = "bnnedge.rtl", 1

_MODULE = re.compile(r"[a-z][A-Za-z0-9_]*")


def write_rtl(
    folder: Path,
    model: PackedModel,
    inputs: NDArray[np.uint8],
    *,
    style: Style,
    board: Board,
    fps: int | None = None,
    max_depth: int | None = None,
    plain: bool = False,
) -> None:
    """Fill a folder with the hardware of a network; the same bytes for the same arguments.

    Args:
        folder: that is there, and empty.
        model: the network.
        inputs: (samples, features); the first become the test bench's vectors.
        style: ``folded`` or ``unrolled``.
        board: that Vivado's script is for, and whose clock turns ``fps`` into clock cycles.
        fps: folded: frames a second to reach, with the least logic.
        max_depth: unrolled: adders that may follow one another in a layer; None: as is cheapest.
        plain: unrolled: write the baseline instead, a compressor tree for each neuron by itself.

    Raises:
        ConfigError: a frame rate that cannot be reached, or a setting of the other style.
        UnsupportedError: a network that the style cannot express.
        OutputError: the folder cannot be written.
    """
    cycles = None if fps is None else int(board.clock_mhz * 1e6 / fps)
    other = None if board.name == DEFAULT_BOARD else board.name
    asked = {"board": other, "fps": fps, "max-depth": max_depth, "plain": plain}
    command = _command(model, style, asked)
    design = generate(model, style, cycles=cycles, max_depth=max_depth, plain=plain, command=command)
    files = design.files | bench_files(model, style, design.features, design.layers, design.cycles)
    files |= vectors(model, style, design.features, inputs[:SAMPLES])
    files |= _scripts(model, design, board)
    files[DESIGN] = json.dumps(_described(design), indent=2) + "\n"
    for name, text in files.items():
        write_atomically(folder / name, text)
    save_packed(model, folder / CHECKPOINT)
    write_overlay(folder, model, inputs, board)


def read_rtl(folder: Path) -> tuple[Generated, PackedModel]:
    """The hardware in a folder, as it is there now, and the network that it should be.

    Raises:
        FileError: a file is missing or damaged, or SystemVerilog that could do more than compute.
    """
    try:
        described = parse_json((folder / DESIGN).read_text(encoding="utf-8"))
        names = sorted(path.name for path in folder.iterdir() if path.suffix in (".sv", ".mem"))
        if links := [name for name in names if (folder / name).is_symlink()]:
            raise FileError(f"{folder / links[0]} is a link to another place", "export the folder again")
        files = {name: (folder / name).read_text(encoding="utf-8") for name in names if name not in BENCH}
    except (OSError, ValueError) as error:
        raise FileError(
            f"{folder} holds no hardware of bnnedge: {error}", "name a folder of bnnedge export --target rtl"
        ) from error
    check_sources({name: text for name, text in files.items() if name.endswith(".sv")})
    model = load_packed(folder / CHECKPOINT)
    try:
        design = _rebuilt(described, files)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(f"{folder / DESIGN} is damaged: {error!r}", "export the folder again") from error
    if [layer.layer for layer in design.layers] != [layer.name for layer in model.layers]:
        raise FileError(
            f"{folder / DESIGN} and {CHECKPOINT} name different layers", "export the folder again"
        )
    return design, model


def check_rtl(folder: Path, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    """Simulate the hardware in a folder, and compare every layer with the golden model.

    Raises:
        FileError: see :func:`read_rtl`; or it does not compile.
        VerificationError: names the first layer, sample and neuron that differ; or there is no simulator.
    """
    simulate(read_rtl(folder)[0], model, inputs)


def _scripts(model: PackedModel, design: Generated, board: Board) -> dict[str, str]:
    sources = sorted(name for name in design.files if name.endswith(".sv"))
    values: dict[str, object] = {
        "board": board,
        "sources": sources,
        "memories": sorted(name for name in design.files if name.endswith(".mem")),
        "top": WRAPPER,
        "bytes": bytes_a_beat(model),
        "name": model.plain_name or "network",
        "style": design.style,
        "digest": digest(model),
        "encoding": model.encoding.describe(),
        "folds": [(one.layer, one.module, design.folds.get(one.layer)) for one in design.layers],
        "classes": model.classes,
        "image": model.layers[0].convolution is not None,
    }
    return {
        "synth.ys": synthesis_script(sources, list(design.modules.values()), "xc7"),
        "overlay.tcl": render("overlay.tcl.j2", values),
        "vivado.tcl": render("vivado.tcl.j2", values),
        "network.xdc": render("network.xdc.j2", values),
        "README.md": render("rtl_readme.md.j2", values),
    }


def _command(model: PackedModel, style: Style, asked: Mapping[str, str | int | None]) -> str:
    options = [f" --{option}" + f" {value}" * (value is not True) for option, value in asked.items() if value]
    return f"bnnedge export {model.plain_name or 'CHECKPOINT'} --target rtl --style {style}{''.join(options)}"


def _described(design: Generated) -> dict[str, object]:
    """What cannot be read off the sources, as JSON values."""
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "style": design.style,
        "features": design.features,
        "cycles": design.cycles,
        "layers": [asdict(layer) for layer in design.layers],
        "folds": {name: asdict(fold) for name, fold in design.folds.items()},
        "max_depth": design.max_depth,
        "plain": design.plain,
    }


def _rebuilt(described: dict[str, Any], files: dict[str, str]) -> Generated:
    """The inverse of :func:`_described`.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is not that.
    """
    if (described["format"], described["schema"]) != (FORMAT, SCHEMA):
        raise ValueError("another format or schema")
    layers = tuple(Watched(**layer) for layer in described["layers"])
    numbers = [described["features"], described["cycles"]]
    numbers += [number for layer in layers for number in (layer.values, layer.number_bits + 1)]
    if described["style"] not in get_args(Style) or not all(type(one) is int and one > 0 for one in numbers):
        raise ValueError("a style or a number that cannot be")
    if not layers or not all(_MODULE.fullmatch(layer.module) for layer in layers):
        raise ValueError("names of modules that cannot be")
    folds = {name: Fold(**fold) for name, fold in described["folds"].items()}
    max_depth, plain = described["max_depth"], described["plain"]
    if not (max_depth is None or (type(max_depth) is int and max_depth > 0)) or type(plain) is not bool:
        raise ValueError("a depth or a baseline that cannot be")
    features, cycles = described["features"], described["cycles"]
    return Generated(described["style"], files, features, layers, cycles, folds, max_depth, plain)
