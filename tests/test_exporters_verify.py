"""Verification passes what is right, names the first place that is wrong, and refuses what is not ours."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from bnnedge.data.dataset import Dataset
from bnnedge.errors import BnnedgeError, DataError, FileError, VerificationError
from bnnedge.exporters import Verification, export, verification, verify
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.graph import Form
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.files import sha256_of
from bnnedge.importers.brevitas import pack
from bnnedge.packed.file import digest, save_packed
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import ConvConfig, NetConfig
from tests.networks import (
    Filters,
    conv_models,
    packed_models,
    random_conv_model,
    random_inputs,
    random_model,
)
from tests.trained import trained

MAKERS = {"onnx": to_onnx, "qonnx": to_qonnx, "finn": to_finn}
FORMS = (Form(label=False), Form(label=True, xnor=True))
makers = pytest.mark.parametrize("target", MAKERS)

MODEL = random_model(1, (60, 33, 20, 5), head="per-class")
INPUTS = random_inputs(MODEL, 300)

Array = NDArray[np.float32]


def saved(proto: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def constant(proto: onnx.ModelProto, name: str, change: Callable[[Array], object]) -> None:
    """Change a constant of a graph in place."""
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor).copy()
    change(values)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def add(amount: float, index: int) -> Callable[[Array], object]:
    def change(values: Array) -> None:
        values.reshape(-1)[index] += amount

    return change


def flip(row: int, column: int) -> Callable[[Array], object]:
    def change(values: Array) -> None:
        values[row, column] *= -1

    return change


def attribute(node: onnx.NodeProto, name: str, value: list[int]) -> None:
    """Change an attribute of a node in place."""
    (entry,) = (entry for entry in node.attribute if entry.name == name)
    entry.CopyFrom(helper.make_attribute(name, value))


def swap(values: Array) -> None:
    values[:, [3, 4]] = values[:, [4, 3]]


# What is changed, and the first place that shows it.
MUTATIONS = {
    "a weight bit of the first layer": ("fc1.weight", flip(7, 5), "layer fc1, neuron 5, sample 0:"),
    "a weight bit of a hidden layer": ("fc2.weight", flip(0, 19), "layer fc2, neuron 19, sample 0:"),
    "a weight bit of the last layer": ("fc3.weight", flip(19, 0), "layer fc3, neuron 0, sample 0:"),
    "a weight that is nearly one": ("fc1.weight", add(-0.005, 0), "layer fc1, neuron 0"),
    "a pair of channels": ("fc2.weight", swap, "layer fc2, neuron [34], sample"),
    "a threshold, one lattice step up": ("fc1.threshold", add(2, 9), "fc[12].*, neuron"),
    "a threshold, one lattice step down": ("fc2.threshold", add(-2, 3), "fc[23].*, neuron"),
    "the input threshold": ("image_threshold", add(1, 0), "layer fc1, neuron"),
    "a scale of the head": ("head_scale", add(0.001, 2), r"class 2, sample \d+: logit is"),
    "an offset of the head": ("head_offset", add(1e-6, 4), r"class 4, sample \d+: logit is"),
}  # fmt: skip


@makers
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_change_is_found_and_named(tmp_path: Path, target: str, name: str) -> None:
    parameter, change, place = MUTATIONS[name]
    proto = MAKERS[target](MODEL)
    constant(proto, parameter, change)
    with pytest.raises(VerificationError, match=place) as caught:
        verify(saved(proto, tmp_path), MODEL, INPUTS)
    assert "changed since it was exported" in caught.value.hint


@makers
def test_every_threshold_is_found_though_no_sample_falls_on_it(tmp_path: Path, target: str) -> None:
    proto = MAKERS[target](MODEL)
    for index in range(33):
        constant(proto, "fc1.threshold", add(2, index))
        with pytest.raises(VerificationError):
            verify(saved(proto, tmp_path), MODEL, INPUTS[:1])
        constant(proto, "fc1.threshold", add(-2, index))
    verify(saved(proto, tmp_path), MODEL, INPUTS[:1])


@makers
def test_both_values_are_named(tmp_path: Path, target: str) -> None:
    proto = MAKERS[target](MODEL)
    constant(proto, "fc1.weight", flip(7, 5))
    right = MODEL.canonical().layers[0].weights.to_signs()[5].astype(int)
    bits = np.where(MODEL.encoding.encode(INPUTS[:1])[0], 1, -1)
    expected = int(right @ bits)
    actual = expected - 2 * int(right[7] * bits[7])
    with pytest.raises(VerificationError) as caught:
        verify(saved(proto, tmp_path), MODEL, INPUTS)
    assert f"preactivation is {actual}, but the golden model has {expected}" in caught.value.message
    assert caught.value.difference == {
        "layer": "fc1", "neuron": 5, "sample": 0, "value": "preactivation", "actual": actual,
        "expected": expected,
    }  # fmt: skip


@makers
def test_a_weight_that_no_sample_reaches_is_found(tmp_path: Path, target: str) -> None:
    model = random_model(2, (20, 9, 3), kind="integer", maximum=16)
    inputs = random_inputs(model, 40)
    inputs[:, 13] = 0
    proto = MAKERS[target](model)
    constant(proto, "fc1.weight", flip(13, 2))
    with pytest.raises(VerificationError, match=r"fc1, neuron 2, input 13: weight .* no sample showed it"):
        verify(saved(proto, tmp_path), model, inputs)


def test_the_first_layer_is_named_though_a_later_sample_shows_it(tmp_path: Path) -> None:
    model = random_model(2, (20, 9, 3), kind="integer", maximum=16)
    inputs = random_inputs(model, 2500)
    inputs[:, 13] = 0
    inputs[2345, 13] = 1
    proto = to_onnx(model)
    constant(proto, "fc1.weight", flip(13, 2))
    constant(proto, "fc2.weight", flip(0, 1))  # shows from sample 0 on
    with pytest.raises(VerificationError, match="layer fc1, neuron 2, sample 2345:"):
        verify(saved(proto, tmp_path), model, inputs)


def test_an_operator_that_differs_at_equality_alone_is_found(tmp_path: Path) -> None:
    proto = to_onnx(MODEL)
    for node in proto.graph.node:
        if node.op_type == "GreaterOrEqual" and "fc1" in node.name:
            node.op_type = "Greater"
    with pytest.raises(
        VerificationError, match=r"holds the node .* = Greater\(.* has the node .* = GreaterO"
    ):
        verify(saved(proto, tmp_path), MODEL, INPUTS)


def test_a_label_that_is_not_the_first_of_equals_is_found(tmp_path: Path) -> None:
    model = random_model(3, (4, 3, 6))  # few possible scores: equals are frequent
    proto = to_onnx(model)
    (node,) = (node for node in proto.graph.node if node.op_type == "ArgMax")
    node.attribute.append(helper.make_attribute("select_last_index", 1))
    with pytest.raises(VerificationError, match=r"^[^:]*: sample \d+: label is"):
        verify(saved(proto, tmp_path), model, random_inputs(model, 50))


@pytest.mark.parametrize("target", ["qonnx", "finn"])
def test_a_datatype_that_does_not_hold_the_values_is_found(tmp_path: Path, target: str) -> None:
    proto = MAKERS[target](MODEL)
    for note in proto.graph.quantization_annotation:
        if note.tensor_name == "image":
            note.quant_parameter_tensor_names[0].value = "UINT4"
    with pytest.raises(VerificationError, match="tensor image can't be represented"):
        verify(saved(proto, tmp_path), MODEL, INPUTS)


@makers
def test_a_graph_of_another_model_says_so(tmp_path: Path, target: str) -> None:
    other = random_model(9, (60, 33, 20, 5), head="per-class")
    with pytest.raises(VerificationError) as caught:
        verify(saved(MAKERS[target](other), tmp_path), MODEL, INPUTS)
    assert digest(other)[:12] in caught.value.hint
    assert digest(MODEL)[:12] in caught.value.hint
    slim = random_model(9, (60, 32, 20, 5))
    with pytest.raises(VerificationError, match="no layer fc1 of 60 inputs and 33 neurons"):
        verify(saved(MAKERS[target](slim), tmp_path), MODEL, INPUTS)


def test_shapes_are_compared(tmp_path: Path) -> None:
    first, *rest = MODEL.layers
    assert first.thresholds is not None
    alike = Thresholds(np.zeros_like(first.thresholds.values), first.thresholds.directions)
    model = dataclasses.replace(MODEL, layers=(dataclasses.replace(first, thresholds=alike), *rest))
    proto = to_onnx(model)
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "fc1.threshold")
    tensor.CopyFrom(numpy_helper.from_array(np.zeros(1, dtype=np.float32), tensor.name))
    with pytest.raises(VerificationError, match=r"fc1\.threshold is float32 of shape \(1,\), not .* \(33,\)"):
        verify(saved(proto, tmp_path), model, INPUTS)
    proto = to_onnx(MODEL)
    (node,) = (node for node in proto.graph.node if node.op_type == "ArgMax")
    (axis,) = (entry for entry in node.attribute if entry.name == "axis")
    axis.i = 0
    with pytest.raises(VerificationError, match=r"label is of shape \(5,\)"):
        verify(saved(proto, tmp_path), MODEL, INPUTS)


@settings(max_examples=10, deadline=None)
@given(packed_models() | conv_models())
def test_what_is_right_passes(tmp_path_factory: pytest.TempPathFactory, model: PackedModel) -> None:
    folder, inputs = tmp_path_factory.mktemp("graphs"), random_inputs(model, 7)
    names = tuple(layer.name for layer in model.layers)
    for target, make in MAKERS.items():
        for form in FORMS:
            path = saved(make(model, form), folder)
            assert verify(path, model, inputs) == Verification(path, target, 7, names, digest(model))


@makers
def test_real_images_in_every_target(tmp_path: Path, target: str, digits: Dataset) -> None:
    model = random_model(4, (64, 48, 40, 10), kind="integer", maximum=16)
    images = digits.test.inputs
    assert verify(saved(MAKERS[target](model), tmp_path), model, images).samples == len(images)


# Convolutions.

PADDED = random_conv_model(
    5, (2, 9, 8), (Filters(6, padding=1, pool=2), Filters(7, stride=2)), (9, 4), kind="thermometer"
)
PADDED_INPUTS = random_inputs(PADDED, 50)


def turn(*index: int) -> Callable[[Array], object]:
    """Flip one weight, −1 and +1 or, in FINN's padded layers, 0 and 1."""

    def change(values: Array) -> None:
        values[index] = 1 - values[index] if values.min() == 0 else -values[index]

    return change


def swap_filters(values: Array) -> None:
    values[[3, 4]] = values[[4, 3]]


def reverse(values: Array) -> None:
    values[:] = values[::-1].copy()


CONV_MUTATIONS = {
    "a weight bit": ("conv2.weight", turn(5, 0, 1, 2), "layer conv2, channel 5, row 0, column 0, sample 0:"),
    "a pair of filters": ("conv2.weight", swap_filters, "layer conv2, channel [34], row"),
    "the order of thresholds": ("conv1.threshold", reverse, "layer conv2, channel"),
    "a threshold, one lattice step up": ("conv2.threshold", add(2, 6), "layer fc3, neuron|conv2.*neuron 6"),
    "an input threshold": ("image_threshold", add(1, 1), "layer conv1, channel"),
}


@makers
@pytest.mark.parametrize("name", CONV_MUTATIONS)
def test_a_change_of_a_convolution_is_found_and_named(tmp_path: Path, target: str, name: str) -> None:
    parameter, change, place = CONV_MUTATIONS[name]
    proto = MAKERS[target](PADDED)
    if parameter == "image_threshold" and target != "finn":
        parameter = "image_threshold/0"
    constant(proto, parameter, change)
    with pytest.raises(VerificationError, match=place):
        verify(saved(proto, tmp_path), PADDED, PADDED_INPUTS)


@makers
def test_a_wrong_padding_is_found(tmp_path: Path, target: str) -> None:
    proto = MAKERS[target](PADDED)
    if target == "finn":
        (node,) = (node for node in proto.graph.node if node.op_type == "Im2Col")
        attribute(node, "pad_amount", [2, 2, 0, 0])
    else:
        constant(proto, "minus_one", add(1, 0))
    with pytest.raises(VerificationError, match="layer conv1, channel 0, row 0, column 0, sample 0:"):
        verify(saved(proto, tmp_path), PADDED, PADDED_INPUTS)


@makers
@pytest.mark.parametrize(
    ("operator", "name", "value"),
    [("Conv", "strides", [2, 1]), ("MaxPool", "kernel_shape", [1, 1]), ("MaxPool", "strides", [1, 2])],
)
def test_a_wrong_stride_or_pool_is_found(
    tmp_path: Path, target: str, operator: str, name: str, value: list[int]
) -> None:
    model = random_conv_model(6, (2, 10, 10), (Filters(6, stride=2, pool=2), Filters(5, kernel=1)))
    proto = MAKERS[target](model)
    node = next(node for node in proto.graph.node if node.op_type == operator)
    attribute(node, name, value)
    # What a target states of shapes stops a run of a graph whose shapes are others.
    with pytest.raises((VerificationError, FileError)):
        verify(saved(proto, tmp_path), model, random_inputs(model, 20))


@makers
def test_a_node_that_no_sample_shows_to_be_wrong_is_found(tmp_path: Path, target: str) -> None:
    model = random_conv_model(6, (2, 10, 10), (Filters(6, pool=2), Filters(5, kernel=1)))
    proto = MAKERS[target](model)
    (node,) = (node for node in proto.graph.node if node.op_type == "MaxPool")
    node.attribute.append(helper.make_attribute("ceil_mode", 1))
    with pytest.raises(VerificationError, match=r"holds the node .*ceil_mode.*no sample showed it"):
        verify(saved(proto, tmp_path), model, random_inputs(model, 3))


@makers
def test_a_filter_weight_that_no_sample_reaches_is_found(tmp_path: Path, target: str) -> None:
    model = random_conv_model(7, (2, 6, 6), (Filters(4),), maximum=16)
    inputs = random_inputs(model, 10)
    inputs.reshape(-1, 2, 36)[:, 1] = 0
    proto = MAKERS[target](model)
    constant(proto, "conv1.weight", turn(2, 1, 0, 2))
    place = "layer conv1, channel 2, input channel 1, row 0, column 2: weight is .* no sample showed it"
    with pytest.raises(VerificationError, match=place):
        verify(saved(proto, tmp_path), model, inputs)


@makers
def test_images_of_another_size_are_told_apart(tmp_path: Path, target: str) -> None:
    small, large = (random_conv_model(8, (1, side, 6), (Filters(4, pool=2),)) for side in (6, 7))
    path = saved(MAKERS[target](small), tmp_path)
    with pytest.raises(VerificationError, match=r"takes samples of shape \(1, 6, 6\), not \(1, 7, 6\)"):
        verify(path, large, random_inputs(large, 3))


def test_slices_give_the_place_of_a_sample_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnnedge.exporters.verification.SLICE_ENTRIES", 7 * 4 * 16)  # seven samples
    model = random_conv_model(7, (2, 6, 6), (Filters(4),), maximum=16)
    inputs = random_inputs(model, 30)
    inputs.reshape(-1, 2, 36)[:, 1] = 0
    inputs.reshape(-1, 2, 6, 6)[23, 1, 5, 5] = 3
    proto = to_onnx(model)
    constant(proto, "conv1.weight", turn(2, 1, 2, 2))
    with pytest.raises(VerificationError, match="layer conv1, channel 2, row 3, column 3, sample 23:"):
        verify(saved(proto, tmp_path), model, inputs)


@pytest.mark.parametrize("target", ["onnx", "qonnx", "finn", "pynq"])
def test_a_trained_convolutional_network_on_real_images(tmp_path: Path, target: str, digits: Dataset) -> None:
    conv = (ConvConfig(8, padding=1, pool=2), ConvConfig(12, padding=1))
    model = pack(trained(NetConfig(conv=conv, hidden=(24,)), digits), {"preset": "test"})
    images = digits.test.inputs
    assert len(np.unique(model.predict(images).labels)) > 5
    report = export(model, target, tmp_path / "out", inputs=images)
    assert report.verification.samples == len(images) == 359
    assert report.verification.layers == ("conv1", "conv2", "fc3", "fc4")


# Models.


def test_a_canonical_model_computes_the_same(tmp_path: Path) -> None:
    assert digest(MODEL.canonical()) != digest(MODEL)
    assert verify(saved(to_onnx(MODEL), tmp_path), MODEL.canonical(), INPUTS).samples == 300


def test_it_prints_what_it_did(tmp_path: Path) -> None:
    shown = str(verify(saved(to_finn(MODEL), tmp_path), MODEL, INPUTS))
    assert f"(finn) equals the golden model {digest(MODEL)[:12]} bit for bit" in shown
    assert "3 layers" in shown
    assert "300 samples" in shown


def test_no_inputs(tmp_path: Path) -> None:
    path = saved(to_onnx(MODEL), tmp_path)
    with pytest.raises(DataError, match="no inputs"):
        verify(path, MODEL, INPUTS[:0])
    with pytest.raises(DataError, match="do not fit"):
        verify(path, MODEL, INPUTS[:, :7])


# Files that are not ours, or not whole.


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file"):
        verify(tmp_path / "nothing.onnx", MODEL, INPUTS)
    with pytest.raises(FileError, match=r"has no manifest\.json"):
        verify(tmp_path, MODEL, INPUTS)


def test_truncated_files(tmp_path: Path) -> None:
    whole = to_onnx(MODEL).SerializeToString()
    path = tmp_path / "model.onnx"
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError):
            verify(path, MODEL, INPUTS)


def test_a_foreign_graph(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 60])
    label = helper.make_tensor_value_info("label", onnx.TensorProto.FLOAT, [1, 60])
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["label"])], "foreign", [image], [label])
    path = saved(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path)
    with pytest.raises(FileError, match="not one that bnnedge exported"):
        verify(path, MODEL, INPUTS)


@pytest.mark.parametrize(
    "form", ["", "[]", "{}", '{"label": 1, "xnor": false}', '{"label": true}', "[" * 100_000]
)
def test_a_graph_that_does_not_say_its_form(tmp_path: Path, form: str) -> None:
    proto = to_finn(MODEL)
    (entry,) = (entry for entry in proto.metadata_props if entry.key == "bnnedge.form")
    entry.value = form
    with pytest.raises(FileError, match="not one that bnnedge exported"):
        verify(saved(proto, tmp_path), MODEL, INPUTS)
    entry.value = '{"label": true, "xnor": true}'
    with pytest.raises(VerificationError, match=r"holds the node .*'BIPOLAR'.* has the node .*'BINARY'"):
        verify(saved(proto, tmp_path), MODEL, INPUTS)


def test_a_graph_with_foreign_operators_or_files(tmp_path: Path) -> None:
    proto = to_qonnx(MODEL)
    proto.graph.node[1].op_type = "Quant"
    with pytest.raises(FileError, match="not one that bnnedge exported"):
        verify(saved(proto, tmp_path), MODEL, INPUTS)
    (tmp_path / "weights.bin").write_bytes(bytes(4 * 60 * 33))
    proto = to_onnx(MODEL)
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "fc1.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(FileError):
        verify(saved(proto, tmp_path), MODEL, INPUTS)


@makers
def test_a_graph_that_does_not_run(tmp_path: Path, target: str, capfd: pytest.CaptureFixture[str]) -> None:
    proto = MAKERS[target](PADDED)
    attribute([node for node in proto.graph.node if node.op_type == "Conv"][-1], "kernel_shape", [4, 4])
    with pytest.raises(FileError, match="does not run"):
        verify(saved(proto, tmp_path), PADDED, PADDED_INPUTS)
    assert capfd.readouterr() == ("", "")  # onnxruntime's log stays quiet


def pads(proto: onnx.ModelProto) -> None:
    (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "conv1.pads")
    values = numpy_helper.to_array(tensor) * 10**8
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def windows(proto: onnx.ModelProto) -> None:
    attribute(next(node for node in proto.graph.node if node.op_type == "Im2Col"), "pad_amount", [10**8] * 4)


def copies(proto: onnx.ModelProto) -> None:
    """Each of the graph's last thirty nodes makes its tensor twice as large."""
    last = proto.graph.node[-1].output[0]
    for number in range(30):
        proto.graph.node.append(helper.make_node("Concat", [last, last], [f"{last}{number}"], axis=0))
        last = f"{last}{number}"


def tiles(proto: onnx.ModelProto) -> None:
    node = next(node for node in proto.graph.node if node.op_type in ("Cast", "Sub", "MultiThreshold"))
    node.op_type, node.domain = "Tile", ""


def outer_product(proto: onnx.ModelProto) -> None:
    node = [node for node in proto.graph.node if node.op_type == "MatMul"][-1]
    node.input[1] = node.input[0]


def wide_constant(proto: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name.startswith("image_threshold"))
    values = np.zeros((1, 1, 1, 10**6), dtype=np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def stated_shape(proto: onnx.ModelProto) -> None:
    proto.graph.value_info[0].type.tensor_type.shape.dim[0].dim_value = 10**12


def function(proto: onnx.ModelProto) -> None:
    node = helper.make_node("Tile", ["a", "b"], ["c"])
    opsets = [helper.make_opsetid("", 13)]
    proto.functions.append(helper.make_function("", "MatMul", ["a", "b"], ["c"], [node], opsets))
    proto.ir_version = 10


def sparse_constant(proto: onnx.ModelProto) -> None:
    one = helper.make_tensor("sparse", onnx.TensorProto.FLOAT, [1], [1.0])
    place = helper.make_tensor("place", onnx.TensorProto.INT64, [1, 2], [7, 7])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(one, place, [10**6, 10**6]))


def further_constant(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(numpy_helper.from_array(np.zeros(9, dtype=np.float32), "further"))


@pytest.mark.parametrize(
    ("target", "change"),
    [
        ("onnx", pads),
        ("finn", windows),
        *((target, change) for target in MAKERS for change in (copies, tiles, outer_product, wide_constant)),
        *((target, change) for target in MAKERS for change in (stated_shape, function, further_constant)),
        ("onnx", sparse_constant),
    ],
)
def test_what_could_take_any_amount_of_memory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, change: Callable[[onnx.ModelProto], None]
) -> None:
    proto = MAKERS[target](PADDED)
    change(proto)
    path = saved(proto, tmp_path)
    for run in ("run_batch", "run_as_shipped"):
        monkeypatch.setattr(verification, run, lambda *_: pytest.fail("it was run"))
    with pytest.raises((VerificationError, FileError)):
        verify(path, PADDED, PADDED_INPUTS)


# Folders.


@pytest.fixture(scope="module")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "out"
    export(MODEL, "pynq", folder, inputs=INPUTS)
    return folder


@pytest.fixture
def folder(build_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in build_folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def sign(folder: Path) -> None:
    """Make the manifest agree with the files that lie there."""
    content = json.loads((folder / "manifest.json").read_text())
    content["files"] = {name: sha256_of(folder / name) for name in content["files"]}
    (folder / "manifest.json").write_text(json.dumps(content))


def test_a_build_folder_and_files_added_to_it(folder: Path) -> None:
    (folder / "build").mkdir()
    result = verify(folder, MODEL, INPUTS)
    assert (result.kind, result.artefact, result.samples) == ("pynq", folder, 300)


@pytest.mark.parametrize("name", ["model.onnx", "input.npy", "build.py", "README.md"])
def test_a_file_changed_or_missing(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(FileError, match=f"{name} was changed"):
        verify(folder, MODEL, INPUTS)
    path.unlink()
    with pytest.raises(FileError, match=f"lacks {name}"):
        verify(folder, MODEL, INPUTS)


def test_a_wrong_label_among_the_vectors(folder: Path) -> None:
    labels = np.load(folder / "expected_output.npy")
    labels[4] = (labels[4] + 1) % 5
    np.save(folder / "expected_output.npy", labels)
    sign(folder)
    with pytest.raises(VerificationError, match="label of sample 4"):
        verify(folder, MODEL, INPUTS)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("expected_output.npy", np.zeros((3, 1))),
        ("input.npy", np.zeros((10, 7), dtype=np.float32)),
        ("input.npy", np.full((10, 60), 0.5, dtype=np.float32)),
        ("input.npy", np.full((10, 60), np.nan, dtype=np.float32)),
        ("input.npy", np.full((10, 60), 300, dtype=np.float32)),
        ("input.npy", np.zeros(60, dtype=np.float32)),
        ("input.npy", np.array(["text"])),
    ],
)
def test_vectors_that_do_not_fit(folder: Path, name: str, array: NDArray[np.generic]) -> None:
    np.save(folder / name, array)
    sign(folder)
    with pytest.raises(FileError, match=name):
        verify(folder, MODEL, INPUTS)


def test_vectors_that_are_no_arrays(folder: Path) -> None:
    for content in (b"", b"no array", (folder / "input.npy").read_bytes()[:-3]):
        (folder / "input.npy").write_bytes(content)
        sign(folder)
        with pytest.raises(FileError, match=r"input\.npy is no whole \.npy of plain arrays"):
            verify(folder, MODEL, INPUTS)


def test_parts_of_different_exports(folder: Path) -> None:
    save_packed(random_model(8, (60, 33, 20, 5)), folder / "checkpoint.safetensors")
    sign(folder)
    with pytest.raises(VerificationError, match=r"checkpoint\.safetensors is model"):
        verify(folder, MODEL, INPUTS)
    save_packed(MODEL, folder / "checkpoint.safetensors")
    (folder / "model.onnx").write_bytes(to_onnx(MODEL).SerializeToString())
    sign(folder)
    with pytest.raises(FileError, match="should hold a graph for pynq, but holds one for onnx"):
        verify(folder, MODEL, INPUTS)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"format": "other"},
        {"schema": 99},
        {"target": "vhdl"},
        {"files": {}},
        {"files": ["model.onnx"]},
        {"files": {"../model.onnx": "00"}},
        {"strange": 1},
    ],
    ids=str,
)
def test_a_damaged_manifest(folder: Path, change: dict[str, object]) -> None:
    content = json.loads((folder / "manifest.json").read_text()) | change
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"manifest\.json"):
        verify(folder, MODEL, INPUTS)


@pytest.mark.parametrize("content", ["", "[]", "{", "\x80", "[" * 100_000])
def test_a_manifest_that_is_none(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(FileError, match=r"manifest\.json"):
        verify(folder, MODEL, INPUTS)


def test_every_error_says_what_to_do(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(BnnedgeError) as caught:
        verify(folder, MODEL, INPUTS)
    assert caught.value.hint


def test_results_are_frozen(build_folder: Path) -> None:
    result = verify(build_folder, MODEL, INPUTS[:2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.samples = 3  # type: ignore[misc]
