"""The model card of a build folder: what it is, where it came from, how to build it."""

from __future__ import annotations

import json

from bnnedge.exporters.graph import image_shape
from bnnedge.hardware.boards import Board
from bnnedge.packed.file import digest
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["model_card"]


def model_card(model: PackedModel, board: Board, fps: int | None, files: dict[str, str]) -> str:
    """README.md of a folder that holds ``files`` (SHA-256 by name)."""
    sections = [
        f"# A 1-bit network for {board.name}",
        f"Written by `bnnedge export --target pynq`; model `{digest(model)}` (SHA-256 of what it computes).",
        "## Network",
        model.encoding.describe(),
        _table(("layer", "inputs", "kernel", "outputs", "weight bits"), _layers(model)),
        _input(model),
        _output(model),
        "## Where it came from",
        _provenance(model),
        "## Board",
        _board(board, fps),
        "## Build",
        _BUILD,
        "## Files",
        _table(("file", "SHA-256"), [(name, f"`{value}`") for name, value in files.items()]),
        "`manifest.json` names the same files, and the samples on which every layer of `model.onnx` was "
        "compared with the golden model before this folder came to be.",
    ]
    return "\n\n".join(sections) + "\n"


_BUILD = """\
Needs FINN or FINN+, with Vivado.

    ./run-docker.sh build_custom THIS_FOLDER    # from a checkout of FINN
    python build.py                             # where FINN or FINN+ can be imported

`build.py` runs FINN's dataflow builder on this folder and then looks for verification steps that failed,
which FINN itself passes over: it exits 0 only if FINN reproduced every label of `expected_output.npy` from
`input.npy` after each step. `build/deploy` then goes to the board (bitfile and driver), `build/report` has
the estimates. To fold by hand, change `folding_config.json`."""


def _layers(model: PackedModel) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (
            layer.name,
            _sizes(layer.input_shape),
            _kernel(layer),
            _sizes(layer.output_shape),
            f"{layer.weights.bits:,}",
        )
        for layer in model.layers
    ]
    return [*rows, ("all", "", "", "", f"{sum(layer.weights.bits for layer in model.layers):,}")]


def _kernel(layer: PackedLayer) -> str:
    """How a filter slides, and what pools its outputs; nothing of a dense layer."""
    convolution = layer.convolution
    if convolution is None:
        return ""
    words = [f"{convolution.kernel} x {convolution.kernel}"]
    if convolution.stride > 1:
        words.append(f"stride {convolution.stride}")
    if convolution.padding:
        words.append(f"padding {convolution.padding} of −1")
    if convolution.pool > 1:
        words.append(f"max-pooling {convolution.pool} x {convolution.pool}")
    return ", ".join(words)


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _input(model: PackedModel) -> str:
    if len(shape := image_shape(model)) == 1:
        return f"The input is (1, {shape[0]}), and one sample a row in `input.npy`."
    channels, height, width = shape
    return (
        f"The input is (1, {channels}, {height}, {width}), and (N, {channels}, {height}, {width}) in "
        "`input.npy`. The accelerator itself takes the channels of a pixel side by side, "
        f"(1, {height}, {width}, {channels}): FINN leaves that transposition to the processor."
    )


def _output(model: PackedModel) -> str:
    if model.needs_head:
        return (
            f"The output is the label, 0 … {model.classes - 1}: the largest logit, the first of equals. The "
            "head's scale and offset can change which is the largest, so the accelerator may end in logits "
            "and leave the comparison to the processor."
        )
    return f"The output is the label, 0 … {model.classes - 1}: the largest sum, the first of equals."


def _provenance(model: PackedModel) -> str:
    if not model.provenance:
        return "The checkpoint does not say."
    rows = [
        (name, f"`{json.dumps(value, sort_keys=True)}`") for name, value in sorted(model.provenance.items())
    ]
    return _table(("", ""), rows)


def _board(board: Board, fps: int | None) -> str:
    wish = (
        "no frame rate asked for: the smallest design"
        if fps is None
        else f"{fps:,} frames a second asked for"
    )
    return (
        f"{board.name}, {board.part}: {board.lut:,} LUTs, {board.ff:,} flip-flops, {board.bram36} BRAM36; "
        f"{board.clock_mhz:g} MHz, {wish}. {board.note}"
    )


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]] | list[tuple[str, str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
