"""Which graph each target holds."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.packed.model import PackedModel

__all__ = ["GRAPHS"]

GRAPHS: dict[str, Callable[[PackedModel], onnx.ModelProto]] = {
    "onnx": to_onnx,
    "qonnx": to_qonnx,
    "finn": to_finn,
    "pynq": to_finn,
}
