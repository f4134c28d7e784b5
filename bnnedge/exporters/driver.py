"""The driver on the board, and what it must know of an accelerator: shapes and datatypes at its two ends.

The keys of ``io_shape_dict`` are those of the driver that FINN generates. Samples enter as bytes, channels
last, so packing leaves them as they are; a label leaves in whole bytes, logits in 32-bit floating point.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bnnedge.exporters.graph import image_shape
from bnnedge.files import write_atomically, writing
from bnnedge.hardware.boards import Board
from bnnedge.hardware.folding import Design
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["board_settings", "driver_settings", "write_driver"]

Shape = tuple[int, ...]


def driver_settings(model: PackedModel, design: Design, board: Board) -> dict[str, object]:
    """JSON values that ``driver.py`` reads: the ends of the accelerator, its clock, and its samples."""
    entry, end = _entry(model, design), _end(model, design)
    return {
        "io_shape_dict": {
            "idt": ["UINT8"],
            "odt": [end[0]],
            "ishape_normal": [entry[0]],
            "oshape_normal": [end[1]],
            "ishape_folded": [entry[1]],
            "oshape_folded": [end[2]],
            "ishape_packed": [entry[1]],
            "oshape_packed": [end[3]],
            "input_dma_name": ["idma0"],
            "output_dma_name": ["odma0"],
            "number_of_external_weights": 0,
            "num_inputs": 1,
            "num_outputs": 1,
        },
    } | board_settings(model, board)


def board_settings(model: PackedModel, board: Board) -> dict[str, object]:
    """What every driver must know: the clock of the accelerator, its samples and its classes."""
    return {
        "fclk_mhz": board.clock_mhz,
        "sample_shape": list(image_shape(model)),
        "maximum": model.encoding.maximum,
        "classes": model.classes,
    }


def write_driver(folder: Path, source: str, settings: dict[str, object]) -> None:
    """Write what the board's processor runs: ``driver.py`` with its settings, and ``validate.py``.

    Args:
        folder: that is there.
        source: in ``hw/pynq``, the driver of this kind of accelerator.
        settings: content of ``driver.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_atomically(folder / "driver.json", json.dumps(settings, indent=2) + "\n")
    for name, script in (("driver.py", source), ("host.py", "host.py"), ("validate.py", "validate.py")):
        with writing(folder / name):
            shutil.copyfile(share("hw") / "pynq" / script, folder / name)


def _entry(model: PackedModel, design: Design) -> tuple[Shape, Shape]:
    """(normal, folded) shape of a sample; packed it is as folded, a byte a value."""
    shape = image_shape(model)
    normal = (1, *shape[1:], shape[0])
    first = design.choices[0].nodes[0].attributes
    together = int(first.get("SIMD", first.get("PE", 1)))
    return normal, (*normal[:-1], normal[-1] // together, together)


def _end(model: PackedModel, design: Design) -> tuple[str, Shape, Shape, Shape]:
    """(datatype, normal, folded, packed shape) of what leaves: the label, or the logits of a head."""
    if not model.needs_head:
        size = -(-max(1, (model.classes - 1).bit_length()) // 8)
        return f"UINT{8 * size}", (1, 1), (1, 1, 1), (1, 1, size)
    together = design.choices[-1].folding.pe
    groups = model.classes // together
    return "FLOAT32", (1, model.classes), (1, groups, together), (1, groups, 4 * together)
