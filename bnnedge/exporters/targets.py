"""Which graph each target holds."""

from __future__ import annotations

from typing import Protocol

import onnx

from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.graph import AS_USUAL, Form
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.packed.model import PackedModel

__all__ = ["GRAPHS"]


class Maker(Protocol):
    """Writes a network as a graph."""

    def __call__(self, model: PackedModel, form: Form = AS_USUAL) -> onnx.ModelProto:
        """The whole file."""


GRAPHS: dict[str, Maker] = {
    "onnx": to_onnx,
    "qonnx": to_qonnx,
    "finn": to_finn,
    "pynq": to_finn,
}
