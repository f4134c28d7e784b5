"""The model card of a build folder: what it is, where it came from, how to build it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence

from bnnedge.exporters.graph import image_shape
from bnnedge.exporters.pynq import BuildWishes
from bnnedge.hardware.estimates import FIGURES, Estimate
from bnnedge.hardware.finns import Finn, title
from bnnedge.hardware.folding import Design
from bnnedge.packed.file import digest
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["model_card"]


def model_card(
    model: PackedModel,
    wishes: BuildWishes,
    design: Design,
    estimate: Estimate | None,
    about: Mapping[str, str],
    files: dict[str, str],
) -> str:
    """README.md of a folder that holds ``files`` (SHA-256 by name).

    Args:
        model: the network.
        wishes: what the folder was made for.
        design: how it is folded for them.
        estimate: what FINN+ made of it, where it was asked.
        about: further sections on the network, by their headings.
        files: all that lies in the folder but the card and the manifest.
    """
    sections = [
        f"# A 1-bit network for {wishes.board.name}",
        f"Written by `bnnedge export --target pynq` for {title(wishes.finn)}; model `{digest(model)}` "
        "(SHA-256 of what it computes).",
        "## Network",
        model.encoding.describe(),
        _table(("layer", "inputs", "kernel", "outputs", "weight bits"), _layers(model)),
        _input(model),
        _output(model),
        "## Where it came from",
        _provenance(model),
        *(part for heading, text in about.items() for part in (f"## {heading}", text)),
        "## Board",
        _board(wishes),
        "## Budget",
        _wish(wishes),
        *_budget(design, estimate),
        "## Build",
        _BUILD[wishes.finn],
        _AFTER_BUILD,
        "## On the board",
        _ON_BOARD,
        "## Files",
        _table(("file", "SHA-256"), [(name, f"`{value}`") for name, value in files.items()]),
        "`manifest.json` names the same files, and the samples on which every layer of `model.onnx` was "
        "compared with the golden model before this folder came to be.",
    ]
    return "\n\n".join(sections) + "\n"


_BUILD: dict[Finn, str] = {
    "0.10": """\
Needs FINN 0.10 with its Vivado, 2022.2.

    ./run-docker.sh build_custom THIS_FOLDER    # from a checkout of FINN 0.10
    python build.py                             # inside its container""",
    "1.0": """\
Needs FINN 1.0 with its Vivado, 2024.2.

    ./run-docker.sh build_custom THIS_FOLDER    # from a checkout of FINN 1.0
    python build.py                             # where FINN 1.0 can be imported""",
    "plus": """\
Needs FINN+ (`pip install finn-plus`) with Vivado.

    python build.py                             # where FINN+ can be imported""",
}

_AFTER_BUILD = """\
`build.py` runs FINN's dataflow builder on this folder and then looks for verification steps that failed,
which FINN itself passes over: it exits 0 only if FINN reproduced every label of `expected_output.npy` from
`input.npy` after each step. `build/deploy/bitfile` then goes to the board, `build/report` has the estimates.
To fold by hand, change `folding_config.json`; its nodes are called as the FINN above calls them."""

_ON_BOARD = """\
Copy this folder to the board. `driver.py` and `validate.py`, with `host.py`, need NumPy and PYNQ, and nothing
of FINN.

    python validate.py                                      # the labels of expected_output.npy, on the board
    python validate.py --dataset mnist.npz                  # accuracy on arrays x_test and y_test
    python driver.py --exec_mode throughput_test --batchsize 1000
    python driver.py --inputfile input.npy --outputfile labels.npy

`validate.py` exits 1 where the board gives another label than the golden model."""


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
    rows = [(_plain(name), _code(value)) for name, value in sorted(model.provenance.items())]
    return _table(("", ""), rows)


def _plain(name: str) -> str:
    """A name out of a stranger's file in one line, and without the marks of HTML, which Markdown takes."""
    return html.escape(json.dumps(name)[1:-1], quote=False).replace("`", "&#96;")


def _code(value: object) -> str:
    """A value out of a stranger's file as JSON in a code span, which it cannot end."""
    return "`" + json.dumps(value, sort_keys=True).replace("`", r"\u0060") + "`"


def _board(wishes: BuildWishes) -> str:
    board = wishes.board
    text = (
        f"{board.name}, {board.part}: {board.lut:,} LUTs, {board.ff:,} flip-flops, {board.bram36} BRAM36; "
        f"{board.clock_mhz:g} MHz. {board.note}"
    )
    if wishes.finn in board.finn_opt_in:
        text += f" {title(wishes.finn)} refuses it unless one insists, which `build.py` does."
    return text


def _wish(wishes: BuildWishes) -> str:
    asked = [f"{wishes.fps:,} frames a second"] if wishes.fps is not None else []
    asked += [f"at most {wishes.luts:,} LUTs"] if wishes.luts is not None else []
    return f"Asked for: {' and '.join(asked) or 'no frame rate and no budget, so the smallest design'}."


def _budget(design: Design, estimate: Estimate | None) -> list[str]:
    """What each node costs, by our model of FINN's estimate, and by FINN+ itself where it was asked."""
    ours = [
        (choice.unit.layer, name, *(f"{getattr(node, key):,}" for key in FIGURES))
        for name, choice, node in design.named_nodes()
    ]
    total = ("all", "", *(f"{getattr(design, key):,}" for key in FIGURES))
    head = ("layer", "node", "cycles", "LUT", "BRAM18")
    model = (
        "Estimated by FINN's analytical model, which leaves out FIFOs, width converters, thresholds and DMA; "
        "the slowest node sets the pace."
    )
    if estimate is None:
        return [model, _table(head, [*ours, total])]
    rows = [
        (*row, *(f"{getattr(node, key):,}" for key in FIGURES))
        for row, (_, node, _) in zip(ours, estimate.pairs, strict=True)
    ]
    finn = ("FINN+: cycles", "FINN+: LUT", "FINN+: BRAM18")
    return [model, _table((*head, *finn), rows), "  \n".join(estimate.notes())]


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
