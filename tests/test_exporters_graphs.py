"""Graphs against plain arithmetic, run in onnxruntime and qonnx directly, not through our verification."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.cleanup import cleanup_model

import bnnedge
from bnnedge.errors import UnsupportedError
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.graph import Form
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import digest
from bnnedge.packed.fold import Affine
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.model import PackedModel
from tests.networks import (
    Filters,
    conv_models,
    packed_models,
    random_conv_model,
    random_inputs,
    random_model,
)

MAKERS = {"onnx": to_onnx, "qonnx": to_qonnx, "finn": to_finn}
makers = pytest.mark.parametrize("target", MAKERS)
few = settings(max_examples=25, deadline=None)
sizes = st.integers(1, 9)
networks = packed_models() | conv_models()


def encoded(model: PackedModel, inputs: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What the first layer sees, bit by bit and channel by channel."""
    encoding = model.encoding
    values = inputs.reshape(-1, *encoding.shape).astype(np.int64)
    if encoding.thresholds is None:
        return values
    channels = range(encoding.shape[0])
    of_channels = [
        np.where(values[:, channel] >= (row[channel] if row.size > 1 else row[0]), 1, -1)
        for row in encoding.thresholds
        for channel in channels
    ]
    return np.stack(of_channels, axis=1)


def convolved(layer: PackedLayer, sliding: Convolution, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(samples, filters, height, width) sums, place by place."""
    margin, side = (sliding.padding,) * 2, sliding.kernel
    padded = np.pad(values, ((0, 0), (0, 0), margin, margin), constant_values=-1 if sliding.padding else 0)
    filters = layer.weights.to_signs().astype(np.int64)
    height, width = sliding.positions
    sums = np.zeros((len(values), layer.outputs, height, width), dtype=np.int64)
    for row in range(height):
        for column in range(width):
            top, left = row * sliding.stride, column * sliding.stride
            window = padded[:, :, top : top + side, left : left + side]
            sums[:, :, row, column] = window.reshape(len(values), -1) @ filters.T
    return sums


def pooled(sliding: Convolution, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest of each whole window."""
    height, width = sliding.pooled
    windows = [
        values[:, :, row : height * sliding.pool : sliding.pool, column : width * sliding.pool : sliding.pool]
        for row in range(sliding.pool)
        for column in range(sliding.pool)
    ]
    largest: NDArray[np.int64] = np.max(windows, axis=0)
    return largest


def plain_logits(model: PackedModel, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The network as trained (not its canonical form), by integer matrix products."""
    values = encoded(model, inputs)
    for layer in model.layers:
        if layer.convolution is None:
            flat = values.reshape(len(values), -1)
            values = flat @ layer.weights.to_signs().astype(np.int64).T
        else:
            values = convolved(layer, layer.convolution, values)
        if layer.thresholds is not None:
            of_channels = (-1, *(1,) * (values.ndim - 2))
            upright = values * layer.thresholds.directions.astype(np.int64).reshape(of_channels)
            values = np.where(upright >= layer.thresholds.values.reshape(of_channels), 1, -1)
        if layer.convolution is not None:
            values = pooled(layer.convolution, values)
    logits: NDArray[np.float32] = values.astype(np.float32) * model.head.scale + model.head.offset
    return logits


def in_onnxruntime(proto: onnx.ModelProto, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    image = inputs.reshape(-1, *session.get_inputs()[0].shape[1:])
    return dict(zip(names, session.run(names, {"image": image}), strict=True))


def in_qonnx(wrapper: ModelWrapper, sample: NDArray[np.uint8]) -> NDArray[np.float32]:
    name = wrapper.graph.input[0].name
    image = sample.reshape(wrapper.get_tensor_shape(name)).astype(np.float32)
    outputs = execute_onnx(wrapper, {name: image})
    first: NDArray[np.float32] = next(iter(outputs.values()))
    return first


@few
@given(networks, sizes)
def test_onnx_computes_the_network(model: PackedModel, samples: int) -> None:
    inputs = random_inputs(model, samples)
    outputs = in_onnxruntime(to_onnx(model), inputs)
    expected = plain_logits(model, inputs)
    assert outputs["logits"].tobytes() == expected.tobytes()
    assert outputs["label"].dtype == np.int64
    assert outputs["label"].tolist() == expected.argmax(axis=1).tolist()


@few
@given(networks)
def test_qonnx_computes_the_network_and_survives_cleanup(model: PackedModel) -> None:
    wrapper = ModelWrapper(to_qonnx(model))
    clean = cleanup_model(ModelWrapper(to_qonnx(model)))
    for sample in random_inputs(model, 2):
        expected = plain_logits(model, sample[None]).tobytes()
        assert in_qonnx(wrapper, sample).tobytes() == expected
        assert in_qonnx(clean, sample).tobytes() == expected


@few
@given(networks)
def test_finn_onnx_computes_the_network(model: PackedModel) -> None:
    wrapper = ModelWrapper(to_finn(model))
    for sample in random_inputs(model, 2):
        label = in_qonnx(wrapper, sample)
        assert label.shape == (1, 1)
        assert label.item() == plain_logits(model, sample[None]).argmax()


@few
@given(networks)
def test_finn_onnx_that_counts_computes_the_network(model: PackedModel) -> None:
    proto = to_finn(model, Form(xnor=True))
    wrapper = ModelWrapper(proto)
    takes_numbers = model.encoding.thresholds is None
    counting = wrapper.get_nodes_by_op_type("XnorPopcountMatMul")
    assert len(counting) == len(model.layers) - takes_numbers
    for node in counting:
        assert {wrapper.get_tensor_datatype(name) for name in node.input} == {DataType["BINARY"]}
        assert set(np.unique(wrapper.get_initializer(node.input[1]))) <= {0, 1}
    for sample in random_inputs(model, 2):
        assert in_qonnx(wrapper, sample).item() == plain_logits(model, sample[None]).argmax()


@few
@given(networks)
def test_labels_are_there_if_wanted(model: PackedModel) -> None:
    inputs = random_inputs(model, 2)
    expected = plain_logits(model, inputs)
    (logits,) = in_onnxruntime(to_onnx(model, Form(label=False)), inputs).values()
    assert logits.tobytes() == expected.tobytes()
    for sample, scores in zip(inputs, expected, strict=True):
        wrapper = ModelWrapper(to_qonnx(model, Form(label=True)))
        outputs = execute_onnx(
            wrapper, {"image": sample.reshape(wrapper.get_tensor_shape("image")).astype(np.float32)}
        )
        assert list(outputs) == ["logits", "label"]
        assert outputs["logits"].tobytes() == scores.tobytes()
        assert outputs["label"].tolist() == [[scores.argmax()]]
        compared = in_qonnx(ModelWrapper(to_finn(model, Form(label=False))), sample)
        assert compared.argmax() == scores.argmax()
        assert compared.shape == (1, model.classes)


@makers
def test_files_are_alike_and_say_where_they_come_from(target: str) -> None:
    model = random_model(1, (20, 9, 3))
    proto = MAKERS[target](model)
    onnx.checker.check_model(proto, full_check=target == "onnx")
    assert proto.ir_version == 8
    assert {entry.domain: entry.version for entry in proto.opset_import}[""] == 13
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert properties["bnnedge.digest"] == digest(model)
    assert properties["bnnedge.version"] == bnnedge.__version__
    assert properties["bnnedge.target"] == target
    assert json.loads(properties["bnnedge.form"]) == {"label": target != "qonnx", "xnor": False}
    assert properties["bnnedge.input"] == model.encoding.describe()
    assert json.loads(properties["bnnedge.provenance"]) == model.provenance
    assert proto.SerializeToString() == MAKERS[target](random_model(1, (20, 9, 3))).SerializeToString()
    nodes = [node.name for node in proto.graph.node]
    assert len(set(nodes)) == len(nodes)
    assert all(node.name.startswith(f"{node.op_type}:") for node in proto.graph.node)
    tensors = {name for node in proto.graph.node for name in node.output}
    assert {"fc1.preactivation", "fc1.activation", "fc2.preactivation"} <= tensors


@makers
def test_layer_names_never_meet_tensor_names(target: str) -> None:
    names = ("image", "image.activation", "logits", "label", "one")
    model = random_model(2, (12, 8, 7, 6, 5, 4), names=names, head="per-class")
    proto = MAKERS[target](model)
    made = [name for node in proto.graph.node for name in node.output]
    made += [tensor.name for tensor in proto.graph.initializer] + ["image"]
    assert len(set(made)) == len(made)
    inputs = random_inputs(model, 3)
    expected = plain_logits(model, inputs).argmax(axis=1)
    if target == "onnx":
        assert in_onnxruntime(proto, inputs)["label"].tolist() == expected.tolist()
    else:
        outputs = [in_qonnx(ModelWrapper(proto), sample) for sample in inputs]
        labels = [output.argmax() if target == "qonnx" else output.item() for output in outputs]
        assert labels == expected.tolist()


def test_onnx_has_standard_operators_and_a_free_batch() -> None:
    proto = to_onnx(random_model(3, (20, 9, 3)))
    assert {node.domain for node in proto.graph.node} == {""}
    (image,) = proto.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim] == ["N", 20]
    assert [output.name for output in proto.graph.output] == ["logits", "label"]


def test_onnx_keeps_a_wide_head_exact_where_onnxruntime_would_fold_a_scalar() -> None:
    """With one scalar, onnxruntime 1.31 makes MatMul and Mul one, and two thirds of these logits are off."""
    model = random_model(4, (5000, 10))
    inputs = random_inputs(model, 50)
    outputs = in_onnxruntime(to_onnx(model), inputs)
    assert outputs["logits"].tobytes() == plain_logits(model, inputs).tobytes()


@pytest.mark.parametrize("target", ["qonnx", "finn"])
def test_fpga_graphs_are_static_and_annotated(target: str) -> None:
    model = random_model(5, (300, 9, 5, 3))
    wrapper = ModelWrapper(MAKERS[target](model))
    assert wrapper.get_tensor_shape("image") == [1, 300]
    assert wrapper.get_tensor_datatype("image") == DataType["UINT8"]
    assert wrapper.check_all_tensor_shapes_specified()
    for name in ("image_bipolar", "fc1.activation", "fc2.activation"):
        assert wrapper.get_tensor_datatype(name) == DataType["BIPOLAR"]
    weights = "fc1.weight/bipolar" if target == "qonnx" else "fc1.weight"
    assert wrapper.get_tensor_datatype(weights) == DataType["BIPOLAR"]
    assert wrapper.get_tensor_shape(weights) == [300, 9]


def test_finn_onnx_is_what_finn_asks_for() -> None:
    model = random_model(6, (300, 40, 5, 3))
    wrapper = ModelWrapper(to_finn(model))
    kinds = [node.op_type for node in wrapper.graph.node]
    assert kinds == ["MultiThreshold", *["MatMul", "MultiThreshold"] * 2, "MatMul", "TopK"]
    for node in wrapper.get_nodes_by_op_type("MultiThreshold"):
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        assert node.domain == "qonnx.custom_op.general"
        assert attributes == {
            "out_dtype": b"BIPOLAR",
            "out_scale": 2.0,
            "out_bias": -1.0,
            "data_layout": b"NCHW",
        }
        values = wrapper.get_initializer(node.input[1])
        datatype = wrapper.get_tensor_datatype(node.input[1])
        assert values.shape in {(1, 1), (model.layers[0].outputs, 1), (model.layers[1].outputs, 1)}
        assert datatype.is_integer()
        assert datatype.allowed(values).all()
    # 300 inputs: thresholds run from −300 to 302, which takes ten bits and a sign.
    assert wrapper.get_tensor_datatype("fc1.threshold") == DataType["INT10"]
    assert [output.name for output in wrapper.graph.output] == ["label"]
    assert wrapper.get_initializer(wrapper.graph.node[-1].input[1]).tolist() == [1]


def test_thresholds_lie_on_the_lattice_of_the_sums() -> None:
    model = random_model(7, (33, 20, 10, 3))
    constants = {t.name: numpy_helper.to_array(t) for t in to_finn(model).graph.initializer}
    assert set(constants["fc1.threshold"].ravel() % 2) == {1}
    assert set(constants["fc2.threshold"].ravel() % 2) == {0}


@pytest.mark.parametrize(
    ("scale", "offset", "needed"),
    [
        ([0.5], [-3.0], False),
        ([-0.5], [0.0], True),
        ([0.0], [0.0], True),
        ([1e-9], [1.0], True),  # positive, but rounds every logit to 1: equals, so label 0
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], True),
    ],
)
def test_finn_gets_the_head_where_it_can_change_the_label(
    scale: list[float], offset: list[float], needed: bool
) -> None:
    head = Affine(np.array(scale, dtype=np.float32), np.array(offset, dtype=np.float32))
    model = dataclasses.replace(random_model(8, (20, 9, 3)), head=head)
    assert model.needs_head is needed
    wrapper = ModelWrapper(to_finn(model))
    assert bool(wrapper.get_nodes_by_op_type("Mul")) is needed
    for sample in random_inputs(model, 5):
        assert in_qonnx(wrapper, sample).item() == plain_logits(model, sample[None]).argmax()


# Convolutions.


PADDED = (Filters(5, padding=1, pool=2), Filters(6, padding=1, stride=2))


def attributes(node: onnx.NodeProto) -> dict[str, object]:
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def test_a_cnv_in_finn_onnx() -> None:
    """Golden: the nodes that FINN lowers to its own, in the order in which FINN+ 1.6.1 takes them."""
    model = random_conv_model(1)
    wrapper = ModelWrapper(to_finn(model))
    block = ["Conv", "MultiThreshold"]
    assert [node.op_type for node in wrapper.graph.node] == [
        *block, *block, "MaxPool", *block, *block, "MaxPool", "Flatten", "MatMul", "MultiThreshold", "MatMul",
        "TopK",
    ]  # fmt: skip
    assert wrapper.get_tensor_shape("image") == [1, 3, 24, 24]
    assert wrapper.get_tensor_datatype("image") == DataType["UINT8"]
    assert wrapper.check_all_tensor_shapes_specified()
    for layer in model.layers[:4]:
        assert wrapper.get_tensor_shape(f"{layer.name}.weight") == list(layer.weight_shape)
        assert wrapper.get_tensor_datatype(f"{layer.name}.weight") == DataType["BIPOLAR"]
        assert wrapper.get_tensor_shape(f"{layer.name}.threshold") == [layer.outputs, 1]
        assert wrapper.get_tensor_shape(f"{layer.name}.preactivation") == [1, *layer.sum_shape]
    for node in wrapper.get_nodes_by_op_type("MaxPool"):
        assert attributes(node) == {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4}
    for node in wrapper.get_nodes_by_op_type("Conv"):
        assert attributes(node)["pads"] == [0] * 4


@pytest.mark.parametrize(("kind", "channels"), [("bipolar", 1), ("bipolar", 2), ("thermometer", 1)])
def test_finn_pads_bits_whose_0_is_minus_one(kind: str, channels: int) -> None:
    model = random_conv_model(2, (channels, 8, 8), PADDED, kind=kind)  # type: ignore[arg-type]
    wrapper = ModelWrapper(to_finn(model))
    # FINN lowers images only where there is a Conv, and takes one of a single channel for depthwise.
    (conv,) = wrapper.get_nodes_by_op_type("Conv")
    assert wrapper.get_tensor_shape(conv.output[0])[1] > 1
    windows = wrapper.get_nodes_by_op_type("Im2Col")
    assert len(windows) == len(wrapper.get_nodes_by_op_type("XnorPopcountMatMul")) == 2
    for node in windows:
        assert wrapper.get_tensor_datatype(node.input[0]) == DataType["BINARY"]
        assert attributes(node)["pad_amount"] == [1] * 4
        assert "pad_value" not in attributes(node)
    for sample in random_inputs(model, 5):
        assert in_qonnx(wrapper, sample).item() == plain_logits(model, sample[None]).argmax()


def test_finn_cannot_pad_a_single_row() -> None:
    model = random_conv_model(2, (2, 6, 4), (Filters(5, kernel=1, pool=4), Filters(6, padding=1)))
    with pytest.raises(UnsupportedError, match=r"layer conv2 pads images of \(1, 1\) pixels"):
        to_finn(model)


def test_onnx_pads_with_minus_one_in_a_node_of_its_own() -> None:
    model = random_conv_model(3, (3, 8, 9), PADDED, kind="thermometer")
    proto = to_onnx(model)
    assert {node.domain for node in proto.graph.node} == {""}
    onnx.checker.check_model(proto, full_check=True)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["N", 3, 8, 9]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    pads = [node for node in proto.graph.node if node.op_type == "Pad"]
    assert len(pads) == 2
    for node in pads:
        assert constants[node.input[1]].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
        assert constants[node.input[2]] == -1
    assert constants["conv1.threshold"].shape == (5, 1, 1)
    assert constants["image_threshold/2"].shape == (3, 1, 1)


@makers
@pytest.mark.parametrize("bits", [1, 2])
def test_dense_layers_on_images(target: str, bits: int) -> None:
    """Thresholds of channels ask for an image; features come flat where nothing depends on it."""
    thresholds = np.arange(60, 60 + 30 * bits * 3, 30).reshape(bits, 3)
    encoding = InputEncoding.thermometer((3, 4, 5), 255, thresholds)
    model = dataclasses.replace(random_model(4, (60 * bits, 9, 4)), encoding=encoding)
    (image,) = MAKERS[target](model).graph.input
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim[1:]] == [3, 4, 5]
    for sample in random_inputs(model, 3):
        expected = plain_logits(model, sample[None])
        if target == "onnx":
            assert in_onnxruntime(to_onnx(model), sample[None])["logits"].tobytes() == expected.tobytes()
        else:
            output = in_qonnx(ModelWrapper(MAKERS[target](model)), sample)
            assert (output.item() if target == "finn" else output.argmax()) == expected.argmax()
    flat = dataclasses.replace(model, encoding=InputEncoding.integer((3 * bits, 4, 5), 255))
    (image,) = MAKERS[target](flat).graph.input
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim[1:]] == [60 * bits]
