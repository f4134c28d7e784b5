"""Convolutions in hand-made graphs: ways to write them, and everything else, refused by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from bnnedge.errors import UnsupportedError
from bnnedge.importers import load, load_weights
from bnnedge.packed.layer import Convolution
from tests.graphs import Nodes, f32, graph, i64, op, written

IMAGE = (2, 6, 6)
RNG = np.random.default_rng(3)


def signs(*shape: int) -> NDArray[np.float32]:
    return RNG.choice([-1, 1], shape).astype(np.float32)


def column(*values: float) -> NDArray[np.float32]:
    return f32(values).reshape(-1, 1, 1)


K1, K2 = signs(4, 2, 3, 3), signs(3, 4, 3, 3)
CONSTANTS: dict[str, Any] = {
    "half": np.float32(100.5), "one": np.float32(1), "two": np.float32(2), "zero": np.float32(0),
    "minus": np.float32(-1), "k1": K1, "k2": K2, "w": signs(3 * 2 * 2, 5), "w4": signs(4 * 4 * 4, 5),
    "wp": signs(4 * 2 * 2, 5), "around": i64([0, 0, 1, 1, 0, 0, 1, 1]), "t": column(1.5, -2.5, 0.5, 3.5),
    "u": column(0.5, -1.5, 2.5), "rise": column(0.5, 2, 1, 3), "mixed": column(0.5, -2, 1, 3),
}  # fmt: skip
SQUARE = {"kernel_shape": [2, 2], "strides": [2, 2]}

# From the image to bits, by the first filters to 4 x 4, to bits, by the second to 2 x 2, to bits; to scores.
BITS: Nodes = [op("Sub", "x half", "x0"), op("BipolarQuant", "x0 one", "x1")]
ZERO_ONE: Nodes = [op("GreaterOrEqual", "x half", "xb"), op("Cast", "xb", "x1", to=1)]
FIRST: Nodes = [op("Conv", "x1 k1", "c1")]
SIGN: Nodes = [op("Sub", "c1 t", "m1"), op("BipolarQuant", "m1 one", "b1")]
SECOND: Nodes = [op("Conv", "b1 k2", "c2"), op("Sub", "c2 u", "m2"), op("BipolarQuant", "m2 one", "b2")]
SCORES: Nodes = [op("Flatten", "b2", "f"), op("MatMul", "f w", "y")]
POOLED: Nodes = [op("Flatten", "p1", "f"), op("MatMul", "f wp", "y")]

WAYS: dict[str, tuple[Nodes, dict[str, Any], list[Convolution]]] = {
    "plain": (
        [*BITS, *FIRST, *SIGN, *SECOND, *SCORES], {}, [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)]
    ),
    "zeros that pad zeros and ones": (
        [*ZERO_ONE, op("Conv", "x1 k1", "c1", pads=[1] * 4, strides=[2, 2]), *SIGN,
         op("Flatten", "b1", "f"), op("MatMul", "f wt", "y")],
        {"wt": signs(4 * 3 * 3, 5)}, [Convolution(IMAGE, 3, stride=2, padding=1)],
    ),
    "padding after a scale": (
        [*BITS, op("Mul", "x1 two", "x2"), op("Pad", "x2 around low", "x3"), op("Mul", "x3 two", "x4"),
         op("Conv", "x4 k1", "c1", strides=[2, 2]), *SIGN,
         op("Flatten", "b1", "f"), op("MatMul", "f wt", "y")],
        {"wt": signs(4 * 3 * 3, 5), "low": np.float32(-2)}, [Convolution(IMAGE, 3, stride=2, padding=1)],
    ),
    "padding before the sign": (
        [op("Sub", "x half", "x0"), op("Pad", "x0 around minus", "xp"), op("BipolarQuant", "xp one", "x1"),
         op("Conv", "x1 k1", "c1", strides=[2, 2]), *SIGN,
         op("Flatten", "b1", "f"), op("MatMul", "f wt", "y")],
        {"wt": signs(4 * 3 * 3, 5)}, [Convolution(IMAGE, 3, stride=2, padding=1)],
    ),
    "pooling after the sign": (
        [*BITS, *FIRST, *SIGN, op("MaxPool", "b1", "p1", **SQUARE), *POOLED], {},
        [Convolution(IMAGE, 3, pool=2)],
    ),
    "pooling before a rising sign": (
        [*BITS, *FIRST, op("Mul", "c1 rise", "s1"), op("MaxPool", "s1", "q1", **SQUARE),
         op("Sub", "q1 t", "m1"),
         op("BipolarQuant", "m1 one", "p1"), *POOLED],
        {}, [Convolution(IMAGE, 3, pool=2)],
    ),
    "pooling after a falling scale": (
        [*BITS, *FIRST, op("Mul", "c1 mixed", "s1"), op("MaxPool", "s1", "q1", **SQUARE),
         op("Sub", "q1 t", "m1"),
         op("BipolarQuant", "m1 one", "p1"), *POOLED],
        {}, [Convolution(IMAGE, 3, pool=2)],
    ),
    "a bias": (
        [*BITS, op("Conv", "x1 k1 bias", "c1"), op("BipolarQuant", "c1 one", "b1"), *SECOND, *SCORES],
        {"bias": f32([1.5, -2.5, 0.5, 3.5])}, [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)],
    ),
    "windows": (
        [*BITS, op("Transpose", "x1", "xl", perm=[0, 2, 3, 1]),
         op("Im2Col", "xl", "xw", stride=[1, 1], kernel_size=[3, 3], input_shape="(1,6,6,2)"),
         op("MatMul", "xw kl", "cl"), op("Mul", "cl two", "dl"), op("Sub", "dl tl", "ml"),
         op("Transpose", "ml", "m1", perm=[0, 3, 1, 2]), op("BipolarQuant", "m1 one", "b1"), *SECOND,
         *SCORES],
        {"kl": K1.transpose(2, 3, 1, 0).reshape(18, 4), "tl": f32([3, -5, 1, 7])},
        [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)],
    ),
    "reshaped from a row": (
        [op("Reshape", "x image", "xi"), op("Sub", "xi half", "x0"), op("BipolarQuant", "x0 one", "x1"),
         *FIRST,
         *SIGN, *SECOND, op("Reshape", "b2 flat", "f"), op("MatMul", "f w", "y")],
        {"image": i64([1, 2, 6, 6]), "flat": i64([1, -1])},
        [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)],
    ),
    "whole numbers": (
        [op("Conv", "x k1", "c1"), op("Sub", "c1 big", "m1"), op("BipolarQuant", "m1 one", "b1"), *SECOND,
         *SCORES],
        {"big": column(150.5, -250.5, 50.5, 350.5)}, [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)],
    ),
    "by channel": (
        [op("Sub", "x halves", "x0"), op("BipolarQuant", "x0 one", "x1"), *FIRST, *SIGN, *SECOND, *SCORES],
        {"halves": column(99.5, 180.5)}, [Convolution(IMAGE, 3), Convolution((4, 4, 4), 3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_ways_to_write_a_convolution(tmp_path: Path, name: str) -> None:
    nodes, more, convolutions = WAYS[name]
    shape = (72,) if name == "reshaped from a row" else IMAGE
    path = written(tmp_path / "a.onnx", graph(nodes, CONSTANTS | more, shape=shape))
    model = load(path)
    assert [layer.convolution for layer in model.layers[:-1]] == convolutions
    assert [t.shape for t in load_weights(path).tensors] == [layer.weight_shape for layer in model.layers]
    samples = np.random.default_rng(5).integers(0, 256, (25, 72)).astype(np.uint8)
    wrapper = ModelWrapper(str(path)).transform(InferShapes()).transform(InferDataTypes())
    images = samples.reshape(-1, 1, *shape).astype(np.float32)
    expected = np.concatenate([execute_onnx(wrapper, {"x": image})["y"] for image in images])
    np.testing.assert_allclose(model.predict(samples).logits, expected, rtol=1e-6)
    assert len(np.unique(expected)) > 3


REFUSED: dict[str, tuple[Nodes, dict[str, Any], str]] = {
    "groups": ([*BITS, op("Conv", "x1 g", "c1", group=2)], {"g": signs(4, 1, 3, 3)}, "Conv:c1' has groups"),
    "dilation": ([*BITS, op("Conv", "x1 k1", "c1", dilations=[2, 2])], {}, "dilates"),
    "oblong": ([*BITS, op("Conv", "x1 g", "c1")], {"g": signs(4, 2, 3, 1)}, "differ from side to side"),
    "strides": ([*BITS, op("Conv", "x1 k1", "c1", strides=[1, 2])], {}, "differ from side to side"),
    "no stride": ([*BITS, op("Conv", "x1 k1", "c1", strides=[0, 0])], {}, "differ from side to side"),
    "one side": ([*BITS, op("Conv", "x1 k1", "c1", pads=[0, 0, 1, 1])], {}, "differ from side to side"),
    "same": ([*BITS, op("Conv", "x1 k1", "c1", auto_pad="SAME_UPPER")], {}, "padding that its image decides"),
    "channels": ([*BITS, op("Conv", "x1 k2", "c1")], {}, "takes images of 4 channels of 2 x 6 x 6"),
    "zeros beside ±1": (
        [*BITS, op("Conv", "x1 k1", "c1", pads=[1] * 4), *SIGN, op("Flatten", "b1", "f"),
         op("MatMul", "f g", "y")],
        {"g": signs(144, 5)}, "pads with 0, which is not what −1 is there",
    ),
    "padded numbers": (
        [op("Conv", "x k1", "c1", pads=[1] * 4), *SIGN, op("Flatten", "b1", "f"), op("MatMul", "f g", "y")],
        {"g": signs(144, 5)}, "pads whole numbers",
    ),
    "padded twice": (
        [*BITS, op("Pad", "x1 around minus", "p"), op("Conv", "p k1", "c1", pads=[1] * 4)], {},
        "pads what is padded",
    ),
    "reflection": ([*BITS, op("Pad", "x1 around minus", "p", mode="reflect")], {},
        "does not pad images with one"),
    "padded channels": ([*BITS, op("Pad", "x1 g minus", "p")], {"g": i64([0, 1] * 4)}, "on every side"),
    "padded, then flat": (
        [*BITS, *FIRST, *SIGN, op("Pad", "b1 around minus", "p"), op("Flatten", "p", "f"),
         op("MatMul", "f w4", "y")],
        {}, "MatMul:y' takes what is padded, and is no convolution",
    ),
    "pooling before a falling sign": (
        [*BITS, *FIRST, op("MaxPool", "c1", "q1", **SQUARE), op("Mul", "q1 mixed", "m1"),
         op("BipolarQuant", "m1 one", "p1"), *POOLED],
        {}, "MaxPool:q1' pools before a sign that falls",
    ),
    "overlapping": ([*BITS, *FIRST, *SIGN, op("MaxPool", "b1", "p1", kernel_shape=[2, 2])], {},
        "side by side"),
    "ceiling": ([*BITS, *FIRST, *SIGN, op("MaxPool", "b1", "p1", ceil_mode=1, **SQUARE)], {},
        "pads or dilates"),
    "average": ([*BITS, *FIRST, *SIGN, op("AveragePool", "b1", "p1", **SQUARE)], {},
        "AveragePool:p1' is no step"),
    "pooled input": ([op("MaxPool", "x", "p", **SQUARE)], {}, "pools the input"),
    "pooled twice": (
        [*BITS, *FIRST, *SIGN, op("MaxPool", "b1", "p1", **SQUARE), op("MaxPool", "p1", "p2", **SQUARE)], {},
        "what is pooled",
    ),
    "by place": (
        [*BITS, *FIRST, op("Add", "c1 g", "m1")], {"g": np.ones((1, 4, 4, 4), np.float32)},
         "one value a feature of 4"
    ),
    "by row": ([*BITS, *FIRST, op("Add", "c1 g", "m1")], {"g": f32([1, 2, 3, 4])},
        "one value a feature of 4"),
    "by pixel": (
        [*BITS, *FIRST, op("Flatten", "c1", "f"), op("Add", "f g", "m1")],
         {"g": np.arange(64, dtype=np.float32)},
        "one value a feature of 4",
    ),
    "rows for columns": ([*BITS, op("Transpose", "x1", "xt", perm=[0, 1, 3, 2])], {},
        "moves more than the channels"),
    "flat with channels last": (
        [*BITS, op("Transpose", "x1", "xl", perm=[0, 2, 3, 1]), op("Flatten", "xl", "f")], {},
         "channels come last"
    ),
    "windows of nothing": (
        [*BITS, op("Transpose", "x1", "xl", perm=[0, 2, 3, 1]),
         op("Im2Col", "xl", "xw", stride=[1, 1], kernel_size=[3, 3]), op("Neg", "xw", "n")], {},
         "is no product"
    ),
    "not flat": ([*BITS, op("MatMul", "x1 g", "y")], {"g": signs(6, 5)}, "takes 6 inputs of 2 x 6 x 6"),
    "filters last": ([*BITS, *FIRST, *SIGN, *SECOND[:1]], {}, "the last layer, k2, must be dense"),
    "two samples": ([*BITS, op("Reshape", "x1 g", "f")], {"g": i64([2, 36])}, "makes samples of"),
    "too small": ([*BITS, *FIRST, *SIGN, op("Conv", "b1 g", "c2")], {"g": signs(3, 4, 5, 5)}, "too small"),
    "two images": ([*BITS, op("Concat", "x1 one", "xx", axis=1)], {}, "Concat:xx' is no step"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_graphs_are_refused_by_node(tmp_path: Path, name: str) -> None:
    nodes, more, message = REFUSED[name]
    path = written(tmp_path / "a.onnx", graph(nodes, CONSTANTS | more, shape=IMAGE))
    with pytest.raises(UnsupportedError, match=message):
        load(path)
