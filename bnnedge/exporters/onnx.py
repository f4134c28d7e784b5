"""Plain ONNX: standard operators only, for onnxruntime and whatever else reads ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from bnnedge.exporters.graph import AS_USUAL, IMAGE, LABEL, LOGITS, Form, weight
from bnnedge.exporters.writer import Writer, column, weight_values
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["to_onnx"]


def to_onnx(model: PackedModel, form: Form = AS_USUAL) -> onnx.ModelProto:
    """A graph from ``image`` to ``logits``, (N, classes) float32, and ``label``, (N,) int64.

    The image is (N, features) or (N, channels, height, width) uint8.

    Args:
        model: the network.
        form: with or without ``label``.
    """
    return _OnnxWriter(model, form).write()


class _OnnxWriter(Writer):
    target = "onnx"
    batch = "N"

    def begin(self, shape: tuple[int, ...]) -> str:
        self.graph.tensor(IMAGE, self.batch, *shape, element=TensorProto.UINT8)
        return self.graph.node("Cast", [IMAGE], f"{IMAGE}/float", self.batch, *shape, to=TensorProto.FLOAT)

    def sign(
        self, tensor: str, limit: str, values: NDArray[np.float32], result: str, shape: tuple[int, ...]
    ) -> str:
        graph = self.graph
        sizes: tuple[int | str, ...] = (self.batch, *shape)
        limit = graph.constant(limit, column(values, shape))
        one = graph.constant("one", np.array(1, dtype=np.float32))
        two = graph.constant("two", np.array(2, dtype=np.float32))
        fires = f"{result}/fires"
        graph.node("GreaterOrEqual", [tensor, limit], fires, *sizes, element=TensorProto.BOOL)
        bit = graph.node("Cast", [fires], f"{result}/bit", *sizes, to=TensorProto.FLOAT)
        doubled = graph.node("Mul", [bit, two], f"{result}/doubled", *sizes)
        return graph.node("Sub", [doubled, one], result, *sizes)

    def weights(self, layer: PackedLayer) -> str:
        return self.graph.constant(weight(layer), weight_values(layer))

    def end(self, scores: str) -> Sequence[str]:
        """Logits, and labels if wanted.

        The head is one multiplication and one addition in float32, so that logits equal the golden model's
        bit for bit. Its scale is written once for every class even where one value serves all: onnxruntime
        folds a scalar into the matrix product before it, which rounds otherwise.
        """
        self.affine(scores, self.model.classes)
        if not self.form.label:
            return (LOGITS,)
        self.graph.node("ArgMax", [LOGITS], LABEL, self.batch, element=TensorProto.INT64, axis=1, keepdims=0)
        return LOGITS, LABEL
