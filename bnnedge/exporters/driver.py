"""What the driver on the board must know of an accelerator: shapes and datatypes at its two ends.

The keys of ``io_shape_dict`` are those of the driver that FINN generates. Samples enter as bytes, channels
last, so packing leaves them as they are; a label leaves in whole bytes, logits in 32-bit floating point.
"""

from __future__ import annotations

from bnnedge.exporters.graph import image_shape
from bnnedge.hardware.boards import Board
from bnnedge.hardware.folding import Design
from bnnedge.packed.model import PackedModel

__all__ = ["driver_settings"]

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
        "fclk_mhz": board.clock_mhz,
        "sample_shape": list(image_shape(model)),
        "maximum": model.encoding.maximum,
        "classes": model.classes,
    }


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
