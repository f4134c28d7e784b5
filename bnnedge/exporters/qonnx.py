"""QONNX: BipolarQuant for inputs, weights and activations, as QONNX's tools and importers expect them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.exporters.graph import AS_USUAL, IMAGE, LOGITS, QONNX_DOMAIN, Form, weight
from bnnedge.exporters.writer import Writer, column, weight_values
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["to_qonnx"]


def to_qonnx(model: PackedModel, form: Form = AS_USUAL) -> onnx.ModelProto:
    """A graph from ``image``, whole numbers in float32, to ``logits``.

    The image is (1, features) or (1, channels, height, width). A threshold T is ``Sub(T)`` before a
    BipolarQuant, which gives +1 from 0 on. Logits are the only output, as in Brevitas' exports, unless
    ``label``, (1, 1) int64, is asked for: the index of the largest, the first of equals.

    Args:
        model: the network.
        form: with or without ``label``.
    """
    return _QonnxWriter(model, form).write()


class _QonnxWriter(Writer):
    target = "qonnx"
    labels = False

    def begin(self, shape: tuple[int, ...]) -> str:
        self.datatypes[IMAGE] = "UINT8"
        return self.graph.tensor(IMAGE, self.batch, *shape)

    def sign(
        self, tensor: str, limit: str, values: NDArray[np.float32], result: str, shape: tuple[int, ...]
    ) -> str:
        limit = self.graph.constant(limit, column(values, shape))
        margin = self.graph.node("Sub", [tensor, limit], f"{result}/margin", self.batch, *shape)
        return self._quantise(margin, result, self.batch, *shape)

    def weights(self, layer: PackedLayer) -> str:
        values = weight_values(layer)
        stored = self.graph.constant(weight(layer), values)
        return self._quantise(stored, f"{stored}/bipolar", *values.shape)

    def end(self, scores: str) -> Sequence[str]:
        logits = self.affine(scores, 1)
        return (LOGITS, self.choose(logits)) if self.form.label else (LOGITS,)

    def _quantise(self, tensor: str, result: str, *shape: int | str) -> str:
        """The signs of a tensor, 0 giving +1."""
        scale = self.graph.constant("one", np.array(1, dtype=np.float32))
        self.datatypes[result] = "BIPOLAR"
        return self.graph.node("BipolarQuant", [tensor, scale], result, *shape, domain=QONNX_DOMAIN)
