"""Whole networks in graphs: a third party's, Brevitas' exports, our own, and hand-made ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas_examples.bnn_pynq.models.CNV import CNV
from brevitas_examples.bnn_pynq.models.common import CommonActQuant, CommonWeightQuant
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.batchnorm_to_affine import BatchNormToAffine
from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
from qonnx.util.cleanup import cleanup_model
from torch import nn

from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import UnsupportedError
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.graph import Form
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.importers import load, load_weights
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.layer import Convolution
from bnnedge.packed.model import PackedModel
from tests.brevitas_export import BrevitasExport
from tests.graphs import CONSTANTS, HEAD, MIDDLE, TAIL, W1, W2, Nodes, f32, graph, i64, op, written
from tests.networks import conv_models, packed_models, random_inputs, random_model
from tests.test_importers_state_dict import bnn_pynq, signs, trained_looks

SIZES = {"fc1": (64, 784), "fc2": (64, 64), "fc3": (64, 64), "fc4": (10, 64)}
few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def mnist() -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
    fetch("mnist")
    test = load_dataset("mnist").test
    return test.inputs, test.labels


def in_qonnx(wrapper: ModelWrapper, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What qonnx computes of images scaled to 0 … 1, one by one."""
    entry = wrapper.graph.input[0].name
    shape = wrapper.get_tensor_shape(entry)
    scaled = images.astype(np.float32) / np.float32(255)
    outputs = [execute_onnx(wrapper, {entry: image.reshape(shape)}) for image in scaled]
    return np.concatenate([next(iter(output.values())) for output in outputs])


# A third party's network


def test_the_third_partys_tfc_computes_what_qonnx_does(reference_dir: Path, mnist: Any) -> None:
    path = reference_dir / "qonnx" / "TFC_1W1A.onnx"
    weights = load_weights(path)
    assert {tensor.name: tensor.shape for tensor in weights.tensors} == SIZES
    assert {tensor.reading for tensor in weights.tensors} == {"±1"}
    images, labels = mnist
    model = load(path)
    prediction = model.predict(images)
    expected = in_qonnx(cleanup_model(ModelWrapper(str(path))), images[:200])
    assert np.array_equal(prediction.labels[:200], expected.argmax(axis=1))
    np.testing.assert_allclose(prediction.logits[:200], expected, rtol=1e-5, atol=1e-6)
    assert np.mean(prediction.labels == labels) == 0.9296
    assert np.array_equal(prediction.labels, in_torch(path, images).argmax(axis=1))


def in_torch(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The third party's TFC written down by hand, with PyTorch's batch-norm, for all images at once."""
    values = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer
    }
    x = 2 * torch.from_numpy(images.astype(np.float32) / np.float32(255)) - 1
    for weight, norm in (("38", "3"), ("46", "7"), ("54", "11"), ("62", "")):
        x = torch.where(x >= 0, 1.0, -1.0) @ values[weight].T
        if norm:
            gain, shift, mean, variance = (
                values[f"features.{norm}.{part}"]
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            x = torch.nn.functional.batch_norm(x, mean, variance, gain, shift, eps=9.999999747378752e-06)
    logits = (x - values["features.15.running_mean"]) / values["76"].sqrt()
    return (logits * values["features.15.weight"] + values["features.15.bias"]).numpy()


def test_the_signs_of_the_tfc_agree_with_qonnx_on_every_pre_activation(reference_dir: Path) -> None:
    path = reference_dir / "qonnx" / "TFC_1W1A.onnx"
    norms = [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]
    values = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for node, layer, lattice in zip(norms, load(path).layers, load(path).lattices, strict=False):
        sums = np.arange(-lattice.bound, lattice.bound + 1, 2, dtype=np.int32)[:, None].repeat(64, axis=1)
        shape = [len(sums), 64]
        graph = helper.make_graph(
            [node],
            "norm",
            [helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(values[name], name) for name in node.input[1:]],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=6)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        (normed,) = session.run(None, {node.input[0]: sums.astype(np.float32)})
        assert layer.thresholds is not None
        assert np.array_equal(layer.thresholds(sums), normed >= 0)


def test_transformed_by_qonnx_it_is_the_same_network(reference_dir: Path, tmp_path: Path) -> None:
    path = reference_dir / "qonnx" / "TFC_1W1A.onnx"
    wrapper = cleanup_model(ModelWrapper(str(path)))
    wrapper.save(str(tmp_path / "clean.onnx"))
    wrapper.transform(BatchNormToAffine()).save(str(tmp_path / "affine.onnx"))
    original = load(path)
    for name in ("clean.onnx", "affine.onnx"):
        assert [t.matrix for t in load_weights(tmp_path / name).tensors] == [
            x.weights for x in original.layers
        ]
        same_function(load(tmp_path / name), original)


def same_function(model: PackedModel, expected: PackedModel, samples: int = 50) -> None:
    inputs = random_inputs(expected, samples)
    got, wanted = model.predict(inputs), expected.predict(inputs)
    assert np.array_equal(got.scores, wanted.scores)
    assert np.array_equal(got.labels, wanted.labels)


# Brevitas' exports of today


def test_a_fully_connected_export_of_brevitas(
    brevitas_export: BrevitasExport, tmp_path: Path, mnist: Any
) -> None:
    net = bnn_pynq("tfc_1w1a", seed=3)
    path = brevitas_export(net, 1, 28, 28)
    torch.save(net.state_dict(), tmp_path / "tfc.pth")
    images = mnist[0][:1000]
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float().div(255).reshape(-1, 1, 28, 28)).numpy()
    model = load(path)
    assert np.array_equal(model.predict(images).labels, logits.argmax(axis=1))
    same_function(load(tmp_path / "tfc.pth"), model)
    assert [t.matrix for t in load_weights(path).tensors] == [
        t.matrix for t in load_weights(tmp_path / "tfc.pth").tensors
    ]


def test_the_weights_of_brevitas_own_cnv(brevitas_export: BrevitasExport) -> None:
    net = bnn_pynq("cnv_1w1a")
    path = brevitas_export(net, 3, 32, 32)
    weights = load_weights(path)
    expected = signs(net)
    assert [tensor.shape for tensor in weights.tensors] == [bits.shape for bits in expected]
    for tensor, bits in zip(weights.tensors, expected, strict=True):
        assert np.array_equal(tensor.matrix.to_bits(), bits.reshape(len(bits), -1))
    assert weights.model is None
    assert any("weights only" in note for note in weights.notes)
    with pytest.raises(UnsupportedError, match=r"Quant .* quantises to more than two values"):
        load(path)


def test_brevitas_own_cnv_with_inputs_of_1_bit(brevitas_export: BrevitasExport) -> None:
    """BNN-PYNQ's code all through; of its input quantiser only the bit width is not the published one."""
    torch.manual_seed(4)
    net = trained_looks(CNV(num_classes=10, weight_bit_width=1, act_bit_width=1, in_bit_width=1, in_ch=3))
    path = brevitas_export(net, 3, 32, 32)
    images = np.random.default_rng(0).integers(0, 256, (24, 3 * 32 * 32)).astype(np.uint8)
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float().div(255).reshape(-1, 3, 32, 32)).numpy()
    model = load(path)
    assert [layer.weight_shape for layer in model.layers] == [bits.shape for bits in signs(net)]
    assert [layer.output_shape[1:] for layer in model.layers[:6]] == [
        (30, 30), (14, 14), (12, 12), (5, 5), (3, 3), (1, 1)
    ]  # fmt: skip
    prediction = model.predict(images)
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-5, atol=1e-5)
    assert np.array_equal(prediction.labels, logits.argmax(axis=1))
    assert len(np.unique(prediction.scores)) > 20


def bipolar() -> nn.Module:
    return QuantIdentity(act_quant=CommonActQuant, bit_width=1)  # type: ignore[no-any-return]


def filters(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    sizes = {"stride": stride, "weight_quant": CommonWeightQuant, "weight_bit_width": 1}
    return [QuantConv2d(inputs, outputs, kernel, **sizes), nn.BatchNorm2d(outputs), bipolar()]


def classes(inputs: int) -> list[nn.Module]:
    layer = QuantLinear(inputs, 5, bias=True, weight_quant=CommonWeightQuant, weight_bit_width=1)
    return [nn.Flatten(), layer, nn.BatchNorm1d(5)]


class Centred(nn.Module):
    """Pixels 0 … 1 as −1 … 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * images - 1


def calibrated(net: nn.Module, images: torch.Tensor) -> nn.Module:
    """In evaluation mode, its batch-norms with the statistics of some images and gains of either sign."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        net.train()(images)
    return net.eval()


STACKS: dict[str, tuple[Callable[[], list[nn.Module]], list[Convolution]]] = {
    "whole numbers": (
        lambda: [*filters(3, 9, 3), *filters(9, 12, 3), nn.MaxPool2d(2), *classes(12 * 3 * 3)],
        [Convolution((3, 10, 10), 3), Convolution((9, 8, 8), 3, pool=2)],
    ),
    "padding": (
        lambda: [
            Centred(), bipolar(), nn.ConstantPad2d(1, -1.0), *filters(3, 9, 3), nn.MaxPool2d(3),
            nn.ConstantPad2d(2, -1.0), *filters(9, 7, 3, 2), *classes(7 * 3 * 3),
        ],
        [Convolution((3, 10, 10), 3, padding=1, pool=3), Convolution((9, 3, 3), 3, stride=2, padding=2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_other_stacks_of_brevitas_layers(brevitas_export: BrevitasExport, name: str) -> None:
    torch.manual_seed(2)
    stack, convolutions = STACKS[name]
    images = np.random.default_rng(1).integers(0, 256, (40, 300)).astype(np.uint8)
    scaled = torch.from_numpy(images).float().div(255).reshape(-1, 3, 10, 10)
    net = calibrated(nn.Sequential(*stack()), scaled)
    with torch.no_grad():
        logits = net(scaled).numpy()
    model = load(brevitas_export(net, 3, 10, 10))
    assert [layer.convolution for layer in model.layers[:-1]] == convolutions
    prediction = model.predict(images)
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-4, atol=1e-4)
    assert len(np.unique(prediction.labels)) > 2


# Our own


def is_built_by_finn(model: PackedModel) -> bool:
    """Whether no image that is padded has a single row or column."""
    convolutions = [layer.convolution for layer in model.layers if layer.convolution is not None]
    return all(not each.padding or 1 not in each.input_shape[1:] for each in convolutions)


@few
@given(st.one_of(packed_models(), conv_models()))
def test_our_exports_come_back(tmp_path_factory: pytest.TempPathFactory, model: PackedModel) -> None:
    path = tmp_path_factory.mktemp("graphs") / "graph"
    inputs = random_inputs(model, 20)
    upright = model.canonical()
    graphs = {
        "onnx": to_onnx(model),
        "qonnx": to_qonnx(model),
        "qonnx, label": to_qonnx(model, Form(label=True)),
    }
    for form in (Form(), Form(label=False), Form(xnor=True)) if is_built_by_finn(model) else ():
        graphs[f"finn, {form}"] = to_finn(model, form)
    for target, proto in graphs.items():
        path.write_bytes(proto.SerializeToString())
        back = load(path)
        weights = load_weights(path)
        assert [t.name for t in weights.tensors] == [layer.name for layer in model.layers]
        for ours, theirs, tensor in zip(upright.layers, back.layers, weights.tensors, strict=True):
            assert ours.weights == theirs.weights
            assert ours.convolution == theirs.convolution
            if "finn" not in target or ours is not upright.layers[0]:  # FINN's may have a blank channel
                assert (tensor.shape, tensor.matrix) == (ours.weight_shape, ours.weights)
            if ours.thresholds is not None and theirs.thresholds is not None:
                assert np.array_equal(ours.thresholds.values, theirs.thresholds.values)
                assert (theirs.thresholds.directions == 1).all()
        assert np.array_equal(back.predict(inputs).labels, model.predict(inputs).labels)
        if "finn" not in target:
            assert back.predict(inputs).logits.tobytes() == model.predict(inputs).logits.tobytes()
        assert back.encoding.kind == model.encoding.kind
        if model.encoding.thresholds is not None:
            assert np.array_equal(
                back.encoding.encode(inputs),
                model.encoding.encode(inputs).reshape(len(inputs), *back.encoding.encoded_shape),
            )


def test_counts_of_xnors(tmp_path: Path) -> None:
    model = random_model(5, (30, 20, 17, 6))
    wrapper = ModelWrapper(to_finn(model)).transform(ConvertBipolarMatMulToXnorPopcount())
    assert sum(node.op_type == "XnorPopcountMatMul" for node in wrapper.graph.node) == 3
    wrapper.save(str(tmp_path / "xnor.onnx"))
    weights = load_weights(tmp_path / "xnor.onnx")
    assert {tensor.reading for tensor in weights.tensors} == {"0/1"}
    assert [t.matrix for t in weights.tensors] == [layer.weights for layer in model.canonical().layers]
    back = load(tmp_path / "xnor.onnx")
    inputs = random_inputs(model, 40)
    assert np.array_equal(back.predict(inputs).labels, model.predict(inputs).labels)


SAMPLES = np.random.default_rng(8).integers(0, 256, (64, 6)).astype(np.uint8)


def computed(path: Path, scores: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    """The model of a graph has the logits of ±1 activations that ``scores`` takes from the samples."""
    prediction = load(path).predict(SAMPLES)
    expected = scores(np.where(SAMPLES > 100.5, 1, -1).astype(np.float32))
    np.testing.assert_allclose(prediction.logits, expected, rtol=1e-6)


def sign(x: NDArray[Any]) -> NDArray[Any]:
    signs: NDArray[Any] = np.where(x >= 0, 1, -1)
    return signs


def normed(a: NDArray[Any]) -> NDArray[Any]:
    values: NDArray[Any] = (a - [1, 0, -1, 2, 0.5]) / np.sqrt(np.arange(1, 6) + 1e-5)
    return values


VARIANTS: dict[str, tuple[Nodes, dict[str, Any], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "mul add": (MIDDLE + TAIL, {}, lambda a: sign(a * CONSTANTS["s"] + CONSTANTS["b"]) @ W2),
    "the other way round": (
        [op("Sub", "b a", "b0"), op("Div", "b0 s", "c"), *TAIL], {},
        lambda a: sign((CONSTANTS["b"] - a) / CONSTANTS["s"]) @ W2,
    ),
    "neg": ([op("Neg", "a", "c"), *TAIL], {}, lambda a: sign(-a) @ W2),
    "scaled activations": (
        [op("BipolarQuant", "a third", "d"), op("MatMul", "d w2", "y")], {}, lambda a: sign(a) @ W2 / 3
    ),
    "scales of weights": (
        [op("BipolarQuant", "a one", "d"), op("BipolarQuant", "w2 third", "q"), op("MatMul", "d q", "y")], {},
        lambda a: sign(a) @ W2 / 3,
    ),
    "zeros and ones": (
        [op("GreaterOrEqual", "a b", "f"), op("Cast", "f", "d", to=1), op("MatMul", "d w2", "y")], {},
        lambda a: (a >= CONSTANTS["b"]) @ W2,
    ),
    "less": (
        [op("Less", "a b", "f"), op("Cast", "f", "d", to=1), op("MatMul", "d w2", "y")], {},
        lambda a: (a < CONSTANTS["b"]) @ W2,
    ),
    "a constant first": (
        [op("Greater", "b a", "f"), op("Cast", "f", "d", to=1), op("MatMul", "d w2", "y")], {},
        lambda a: (CONSTANTS["b"] > a) @ W2,
    ),
    "one threshold for all": (
        [
            op("MultiThreshold", "a t", "d", out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0),
            op("MatMul", "d w2", "y"),
        ],
        {"t": f32([[1.5]])}, lambda a: sign(a - 1.5) @ W2,
    ),
    "gemm with a bias": (
        [op("BipolarQuant", "a one", "d"), op("Gemm", "d w bias", "y", transB=1)],
        {"w": W2.T.copy(), "bias": f32([1, 2.5, -3])}, lambda a: sign(a) @ W2 + [1, 2.5, -3],
    ),
    "identities": (
        [op("Dropout", "a", "c0"), op("Identity", "c0", "c1"), op("Flatten", "c1", "c"), *TAIL], {},
        lambda a: sign(a) @ W2,
    ),
    "constants of nodes": (
        [
            op("Identity", "s", "s0"), op("Neg", "s0", "s1"), op("Mul", "s1 two", "s2"),
            op("Mul", "a s2", "c"), *TAIL,
        ],
        {}, lambda a: sign(-a * CONSTANTS["s"]) @ W2,
    ),
    "batch-norm and head": (
        [
            op("BatchNormalization", "a s b mean var", "c"), *TAIL[:1], op("MatMul", "d w2", "y0"),
            op("BatchNormalization", "y0 hs hb hm hv", "y1", epsilon=0.5), op("TopK", "y1 k", "v i", axis=-1),
        ],
        {
            "mean": f32([1, 0, -1, 2, 0.5]), "var": f32([1, 2, 3, 4, 5]), "k": i64([1]),
            "hs": f32([1, 2, 3]), "hb": f32([0, 1, 2]), "hm": f32([1, 1, 1]),
            "hv": f32([1, 2, 3]),
        },
        lambda a: (
            (sign(normed(a) * CONSTANTS["s"] + CONSTANTS["b"]) @ W2 - 1)
            / np.sqrt(np.arange(1, 4) + 0.5) * [1, 2, 3] + [0, 1, 2]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_ways_to_write_a_layer(tmp_path: Path, name: str) -> None:
    nodes, more, scores = VARIANTS[name]
    path = written(tmp_path / "a.onnx", graph(HEAD + nodes, CONSTANTS | more))
    computed(path, lambda x: scores(x @ W1))
    assert [t.shape for t in load_weights(path).tensors] == [(5, 6), (3, 5)]


def test_inputs(tmp_path: Path) -> None:
    nodes = [op("Mul", "x two", "m"), op("Sub", "m one", "n"), op("BipolarQuant", "n one", "x1"), *HEAD[2:]]
    path = tmp_path / "a.onnx"
    unit = load(written(path, graph(nodes, CONSTANTS, annotate="")))
    assert unit.encoding == InputEncoding.bipolar((6,), 255, 128)
    few_bits = load(
        written(path, graph(HEAD[:2] + HEAD[2:], CONSTANTS | {"half": np.float32(3)}, annotate="UINT4"))
    )
    assert few_bits.encoding == InputEncoding.bipolar((6,), 15, 3)
    whole = load(written(path, graph([op("MatMul", "x w1", "a"), *MIDDLE, *TAIL], CONSTANTS)))
    assert (whole.encoding.kind, whole.encoding.maximum) == ("integer", 255)
    sums = SAMPLES.astype(np.float32) @ W1
    expected = sign(sums * CONSTANTS["s"] + CONSTANTS["b"]) @ W2
    assert np.array_equal(whole.predict(SAMPLES).scores, expected)
    shifted = [
        op("Sub", "x half", "x1"),
        op("Mul", "x1 two", "x2"),
        op("MatMul", "x2 w1", "a"),
        *MIDDLE,
        *TAIL,
    ]
    moved = load(written(path, graph(shifted, CONSTANTS)))
    expected = sign((2 * (SAMPLES - np.float32(100.5)) @ W1) * CONSTANTS["s"] + CONSTANTS["b"]) @ W2
    assert np.array_equal(moved.predict(SAMPLES).scores, expected)
    by_feature = load(written(path, graph(HEAD, CONSTANTS | {"half": f32([1, 2, 3, 4, 5, 6])})))
    assert by_feature.encoding.thresholds is not None
    assert by_feature.encoding.thresholds.tolist() == [[1, 2, 3, 4, 5, 6]]
    pixels = load(
        written(path, graph([op("MatMul", "x w1", "a"), *TAIL], {**CONSTANTS, "c": 1}, annotate=""))
    )
    assert pixels.encoding.kind == "integer"


QUANT = op("Quant", "w2 one one one", "q")
REFUSED: dict[str, tuple[Nodes, dict[str, Any], str]] = {
    "relu": ([*HEAD, op("Relu", "a", "c"), *TAIL], {}, "Relu 'Relu:c' is no step"),
    "no sign": ([*HEAD, op("MatMul", "a w2", "y")], {}, "MatMul:y' follows a layer without a sign"),
    "residual": ([*HEAD, op("BipolarQuant", "a one", "c"), op("Add", "c a", "d")], {}, "no chain"),
    "square": ([*HEAD, op("Mul", "a a", "c"), *TAIL], {}, "'Mul:c' takes two tensors"),
    "branch": ([*HEAD, *MIDDLE, op("Neg", "a", "n"), *TAIL], {}, "'Neg:n' .* another node takes"),
    "two bits": (
        [*HEAD, op("MultiThreshold", "a t", "d", out_dtype="UINT2"), TAIL[1]],
        {"t": np.ones((5, 2), np.float32)}, "2 thresholds a neuron",
    ),
    "levels by neuron": ([*HEAD, op("BipolarQuant", "a s", "d"), TAIL[1]], {}, "not the same two values"),
    "sign at the end": ([*HEAD, op("BipolarQuant", "a one", "y")], {}, "leaves no scores"),
    "three values": ([*HEAD, op("Sign", "a", "d"), TAIL[1]], {}, "Sign 'Sign:d' is no step"),
    "ternary": ([*HEAD, op("BipolarQuant", "a one", "d"), TAIL[1]],
                {"w2": f32([[1, 0, -1]] * 5)}, "'MatMul:y' is no layer of 1-bit weights"),
    "quantised": ([*HEAD, op("BipolarQuant", "a one", "d"), QUANT, op("MatMul", "d q", "y")], {},
                  "is no layer of 1-bit weights"),
    "shape": ([*HEAD, op("Add", "a e", "c"), *TAIL], {"e": np.ones((5, 1), np.float32)}, r"shape \(5, 1\)"),
    "nan": ([*HEAD, op("Add", "a e", "c"), *TAIL], {"e": np.float32(np.nan)}, "no finite constant"),
    "division by 0": ([*HEAD, op("Div", "a e", "c"), *TAIL], {"e": np.float32(0)}, "Div:c' is no step"),
    "reciprocal": ([*HEAD, op("Div", "one a", "c"), *TAIL], {}, "Div:c' is no step"),
    "variance": (
        [*HEAD, op("BatchNormalization", "a s b s s", "c"), *TAIL], {}, "a variance that is not positive"
    ),
    "overflow": (
        [*HEAD, op("Mul", "a e", "c0"), op("Mul", "c0 e", "c"), *TAIL], {"e": np.float32(3e38)}, "overflow"
    ),
    "to integers": ([*HEAD, op("Cast", "a", "c", to=7), *TAIL], {}, "Cast:c' is no step"),
    "scaled gemm": ([*HEAD[:2], op("Gemm", "x1 w1", "y", alpha=0.5)], {}, "scales or transposes"),
    "a smallest": ([*HEAD, op("TopK", "a k", "v i", largest=0)], {"k": i64([1])}, "first of the"),
    "over samples": ([*HEAD, op("ArgMax", "a", "y", axis=0)], {}, "first of the largest"),
    "widths": ([*HEAD, *MIDDLE, TAIL[0], op("MatMul", "d w", "y")], {"w": np.ones((4, 3), np.float32)},
               "takes 4 inputs of 5"),
    "features": ([op("MatMul", "x w2", "y")], {}, "takes 5 inputs of 6"),
    "out of range": (HEAD, {"half": np.float32(300)}, "no threshold that inputs reach"),
    "falling": ([op("Sub", "half x", "x0"), *HEAD[1:]], {}, "no threshold that inputs reach"),
    "scaled by feature": (
        [op("Mul", "x e", "x1"), *HEAD[2:]], {"e": f32([1, 2, 3, 4, 5, 6])}, "features differently"
    ),
    "nothing dense": ([op("Neg", "x", "y")], {}, "no 1-bit layer"),
    "xnor of ±1": ([*HEAD[:2], op("XnorPopcountMatMul", "x1 w", "y")], {"w": (W1 + 1) / 2}, "not 0 and 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_graphs_are_refused_by_node(tmp_path: Path, name: str) -> None:
    nodes, more, message = REFUSED[name]
    path = written(tmp_path / "a.onnx", graph(nodes, CONSTANTS | more))
    with pytest.raises(UnsupportedError, match=message):
        load(path)
    if name != "nothing dense":
        weights = load_weights(path)
        assert weights.model is None
        assert weights.notes[-1].startswith("network: weights only: ")


def test_a_graph_of_two_inputs(tmp_path: Path) -> None:
    proto = graph(HEAD, CONSTANTS)
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    with pytest.raises(UnsupportedError, match="has 2 inputs"):
        load(written(tmp_path / "a.onnx", proto))
