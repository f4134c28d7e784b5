"""``bnnedge verify``: what is right passes, and a change of one bit is named, down to the sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from bnnedge import errors, load, report
from bnnedge.data.dataset import Dataset
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.graph import Form
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.files import sha256_of
from bnnedge.importers.brevitas import pack
from bnnedge.packed.file import digest, save_packed
from bnnedge.packed.infer import trace
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import ConvConfig, NetConfig
from tests.commands import Bnnedge, Outcome, two_lines
from tests.networks import random_model
from tests.test_exporters_verify import attribute, constant, saved
from tests.trained import trained

SCHEMA = json.loads((Path(report.__file__).parent / "schemas" / "verification.schema.json").read_text())
MAKERS: dict[str, Callable[[PackedModel], onnx.ModelProto]] = {
    "onnx": to_onnx,
    "onnx without labels": lambda model: to_onnx(model, Form(label=False)),
    "qonnx": to_qonnx,
    "qonnx with labels": lambda model: to_qonnx(model, Form(label=True)),
    "finn": to_finn,
    "finn, xnor": lambda model: to_finn(model, Form(xnor=True)),
}
CONV = NetConfig(conv=(ConvConfig(8, padding=1, pool=2), ConvConfig(12)), hidden=(24,))
Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> dict[str, str]:
    """Networks trained on the digits: a dense one and one of convolutions."""
    path = tmp_path_factory.mktemp("conv") / "conv.safetensors"
    save_packed(pack(trained(CONV, digits), {"data": {"name": "digits"}}), path)
    return {"dense": "digits-tfc", "conv": str(path)}


def test_every_target_passes(tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge) -> None:
    for checkpoint in checkpoints.values():
        for target in ("onnx", "qonnx", "finn", "pynq", "c"):
            folder = tmp_path / target
            assert bnnedge("export", checkpoint, "--target", target, "--out", folder).code == 0
            done = bnnedge("verify", folder, checkpoint)
            assert done.code == 0, done.err
            model = load(checkpoint)
            layers = [layer.name for layer in model.layers]
            assert done.out == (
                f"{folder} ({target}) equals the golden model {digest(model)[:12]} bit for bit: "
                f"{len(layers)} layers and the output, on 359 samples\n"
            )
            told = json.loads(bnnedge("verify", folder, checkpoint, "--samples", "5", "--json").out)
            jsonschema.validate(told, SCHEMA)
            assert (told["target"], told["samples"], told["layers"]) == (target, 5, layers)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_graph_by_itself_passes(
    tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge, maker: str
) -> None:
    for checkpoint in checkpoints.values():
        path = saved(MAKERS[maker](load(checkpoint)), tmp_path)
        assert bnnedge("verify", path, checkpoint).code == 0


def mismatch(outcome: Outcome) -> dict[str, Any]:
    """The difference that a command names, in its message and in its JSON."""
    message, _ = two_lines(outcome, errors.VerificationError)
    told = json.loads(outcome.out)
    jsonschema.validate(told, SCHEMA)
    assert f"Error: {told['message']}" == message
    difference: dict[str, Any] = told["difference"]
    assert f" is {difference['actual']}, but the golden model has {difference['expected']}" in message
    return difference


def golden(checkpoint: str, digits: Dataset, difference: dict[str, Any]) -> int:
    """The golden model's pre-activation at the place of a difference."""
    model = load(checkpoint).canonical()
    sums = trace(model, digits.test.inputs)[0]
    layer = next(n for n, layer in enumerate(model.layers) if layer.name == difference["layer"])
    axes = ("sample", "neuron") if "neuron" in difference else ("sample", "channel", "row", "column")
    return int(sums[layer][tuple(difference[axis] for axis in axes)])


def middle(values: Array) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.unravel_index(values.size // 2, values.shape))


def filter_axis(values: Array) -> int:
    """Along which axis of its weights a layer's neurons or filters lie."""
    return 0 if values.ndim == 4 else 1


networks = pytest.mark.parametrize("network", ["dense", "conv"])
makers = pytest.mark.parametrize("maker", ["onnx", "qonnx", "finn", "finn, xnor"])
PLACES = {"dense": ("fc1", "fc3", "fc4"), "conv": ("conv1", "conv2", "fc3", "fc4")}


@makers
@networks
def test_a_flipped_weight_bit(
    tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge, digits: Dataset, network: str, maker: str
) -> None:
    for layer in PLACES[network]:
        flipped: list[int] = []

        def flip(values: Array, flipped: list[int] = flipped) -> None:
            index = middle(values)
            values[index] = 1 - values[index] if values.min() == 0 else -values[index]
            flipped.append(index[filter_axis(values)])

        proto = MAKERS[maker](load(checkpoints[network]))
        constant(proto, f"{layer}.weight", flip)
        found = mismatch(bnnedge("verify", saved(proto, tmp_path), checkpoints[network], "--json"))
        assert (found["value"], found["layer"]) == ("preactivation", layer)
        assert [found.get("neuron", found.get("channel"))] == flipped
        assert found["expected"] == golden(checkpoints[network], digits, found)
        assert abs(found["actual"] - found["expected"]) == 2


@makers
@networks
@pytest.mark.parametrize("amount", [1, -1, 2, -2])
def test_a_threshold_off_by_one(
    tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge, network: str, maker: str, amount: int
) -> None:
    """Where sums are even or odd, a step of 1 need not change what is computed, and is found all the same."""

    def move(values: Array) -> None:
        values[7] += amount

    first, second = PLACES[network][0], {"dense": "fc2", "conv": "conv2"}[network]
    proto = MAKERS[maker](load(checkpoints[network]))
    constant(proto, f"{first}.threshold", move)
    found = mismatch(bnnedge("verify", saved(proto, tmp_path), checkpoints[network], "--json"))
    if found["value"] == "threshold":
        assert (found["layer"], found.get("neuron", found.get("channel"))) == (first, 7)
        assert found["actual"] - found["expected"] == amount
    else:
        assert (found["value"], found["layer"]) == ("preactivation", second)


@makers
@networks
def test_swapped_channels(
    tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge, digits: Dataset, network: str, maker: str
) -> None:
    def swap(values: Array) -> None:
        along = np.moveaxis(values, filter_axis(values), 0)
        along[[3, 4]] = along[[4, 3]]

    layer = PLACES[network][1]
    proto = MAKERS[maker](load(checkpoints[network]))
    constant(proto, f"{layer}.weight", swap)
    found = mismatch(bnnedge("verify", saved(proto, tmp_path), checkpoints[network], "--json"))
    assert (found["value"], found["layer"]) == ("preactivation", layer)
    assert found.get("neuron", found.get("channel")) in (3, 4)
    assert found["expected"] == golden(checkpoints[network], digits, found)


@makers
def test_a_wrong_padding(
    tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge, digits: Dataset, maker: str
) -> None:
    proto = MAKERS[maker](load(checkpoints["conv"]))
    windows = [node for node in proto.graph.node if node.op_type == "Im2Col"]
    if windows:
        attribute(windows[0], "pad_amount", [2, 0, 0, 2])
    else:
        constant(proto, "minus_one", lambda values: values.fill(0))
    found = mismatch(bnnedge("verify", saved(proto, tmp_path), checkpoints["conv"], "--json"))
    assert (found["value"], found["layer"], found["sample"]) == ("preactivation", "conv1", 0)
    assert found["expected"] == golden(checkpoints["conv"], digits, found)


def test_a_flipped_bit_in_c(tmp_path: Path, bnnedge: Bnnedge) -> None:
    folder = tmp_path / "c"
    assert bnnedge("export", "digits-tfc", "--target", "c", "--out", folder).code == 0
    source, manifest = folder / "digits_tfc.c", folder / "manifest.json"
    text = source.read_text()
    start = text.index("0x", text.index("fc2_weights"))
    word = text[start : start + 18]
    source.write_text(text.replace(word, f"0x{int(word, 16) ^ 1:016x}", 1))
    message, _ = two_lines(bnnedge("verify", folder, "digits-tfc"), errors.FileError)
    assert f"{source.name} was changed since it was exported" in message
    content = json.loads(manifest.read_text())
    content["files"][source.name] = sha256_of(source)
    manifest.write_text(json.dumps(content))
    message, _ = two_lines(bnnedge("verify", folder, "digits-tfc"), errors.VerificationError)
    assert "layer fc2, neuron 0: weights 0x" in message


def test_another_model(tmp_path: Path, checkpoints: dict[str, str], bnnedge: Bnnedge) -> None:
    path = saved(to_qonnx(load("digits-tfc")), tmp_path)
    done = bnnedge("verify", path, checkpoints["conv"], "--json")
    _, hint = two_lines(done, errors.VerificationError)
    assert digest(load("digits-tfc"))[:12] in hint
    told = json.loads(done.out)
    jsonschema.validate(told, SCHEMA)
    assert told["difference"] is None


def test_what_cannot_be_verified(tmp_path: Path, bnnedge: Bnnedge) -> None:
    model = random_model(0, (64, 8, 3))
    save_packed(model, tmp_path / "a.safetensors")
    path = saved(to_onnx(model), tmp_path)
    two_lines(bnnedge("verify", path, tmp_path / "a.safetensors"), errors.DataError)
    two_lines(bnnedge("verify", tmp_path / "absent.onnx", "digits-tfc"), errors.FileError)
    two_lines(bnnedge("verify", path, tmp_path / "absent.safetensors"), errors.FileError)
    assert bnnedge("verify", path).code == 2
