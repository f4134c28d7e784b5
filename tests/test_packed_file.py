"""Packed models as files: the same bytes again, and no damaged, foreign or lying file read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedModel, load
from bnnedge.errors import FileError, OutputError
from bnnedge.packed.file import digest, load_packed, save_packed
from tests.networks import Filters, conv_models, packed_models, random_conv_model, random_model

models = st.one_of(packed_models(), conv_models())


@given(model=models)
def test_file_round_trip(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_packed(model, path)
    first = path.read_bytes()
    again = load(path)
    assert digest(again) == digest(model)
    assert again.provenance == model.provenance
    for mine, read in zip(model.layers, again.layers, strict=True):
        assert (mine.name, mine.weights) == (read.name, read.weights)
        assert (mine.convolution, mine.weight_shape) == (read.convolution, read.weight_shape)
    assert again.encoding == model.encoding
    save_packed(again, path)
    assert path.read_bytes() == first


def test_digest_is_of_the_function_not_of_its_history() -> None:
    model = random_model(seed=0, widths=(6, 5, 3), kind="bipolar")
    assert digest(dataclasses.replace(model, provenance={"step": 7})) == digest(model)
    assert digest(random_model(seed=1, widths=(6, 5, 3), kind="bipolar")) != digest(model)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_packed(random_model(seed=0, widths=(20, 9, 3), kind="bipolar"), path)
    return path


def test_no_byte_can_change_unnoticed(saved: Path) -> None:
    """Flip one bit anywhere: the file is refused, or (in the provenance) still computes the same."""
    whole, expected = saved.read_bytes(), digest(load_packed(saved))
    rng = np.random.default_rng(0)
    for position in {*range(16), *rng.integers(0, len(whole), 400).tolist()}:
        broken = bytearray(whole)
        broken[position] ^= 1 << int(rng.integers(8))
        saved.write_bytes(broken)
        try:
            assert digest(load_packed(saved)) == expected
        except FileError:
            continue


def test_no_truncation_is_read(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in {0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1}:
        saved.write_bytes(whole[:length])
        with pytest.raises(FileError, match="no whole safetensors file"):
            load_packed(saved)


def description(path: Path) -> dict[str, Any]:
    """What a file says of its model."""
    with safetensors.safe_open(path, framework="numpy") as file:
        said: dict[str, Any] = json.loads(file.metadata()["bnnedge"])
    return said


def rewrite(path: Path, **changes: object) -> None:
    """Save the file again with its description changed."""
    said, tensors = description(path) | changes, safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"bnnedge": json.dumps(said)}))


def test_foreign_and_damaged_files_are_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file"):
        load(tmp_path / "absent.safetensors")
    with pytest.raises(FileError, match="cannot read"):
        load_packed(tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(safetensors.numpy.save({"weight": np.zeros(3, np.float32)}))
    with pytest.raises(FileError, match="not a packed 1-bit model"):
        load(foreign)
    rewrite(saved, schema=99)
    with pytest.raises(FileError, match="schema 99") as caught:
        load(saved)
    assert "newer" in caught.value.hint


@pytest.fixture
def filters(tmp_path: Path) -> Path:
    path = tmp_path / "filters.safetensors"
    model = random_conv_model(0, (2, 8, 8), (Filters(4, pool=2),), (3,), kind="thermometer", bits=2)
    save_packed(model, path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "attention"}, "unknown type 'attention'"),
        ({"kernel": 2}, "filters of 36 weights do not fit 16 inputs"),
        ({"kernel": 0}, "cannot be"),
        ({"kernel": "wide"}, "damaged"),
        ({"kernel": None}, "damaged"),
        ({"pool": 99}, "too small"),
        ({"pool": 1}, "takes 36 inputs, but 4 x 6 x 6 reach it"),
        ({"padding": 3}, "padding alone"),
        ({"stride": -1}, "cannot be"),
        ({"input_shape": [4, 8]}, "damaged"),
        ({"input_shape": [3, 8, 8]}, "do not fit"),
        ({"input_shape": 7}, "damaged"),
        ({"inputs": 35}, "35"),
        ({"inputs": -1}, "bytes of shape"),
        ({"outputs": 5}, "weights are uint8 of shape"),
        ({"name": "conv9"}, "damaged"),
    ],
)
def test_descriptions_of_filters_that_lie_are_refused(
    filters: Path, change: dict[str, object], message: str
) -> None:
    rewrite(filters, layers=[description(filters)["layers"][0] | change, description(filters)["layers"][1]])
    with pytest.raises(FileError, match=message):
        load(filters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": "conv1"}, "damaged"),
        ({"layers": []}, "at least one layer"),
        ({"encoding": {"shape": [1, 8, 8], "maximum": 255}}, "input thresholds are int16 of shape"),
        ({"encoding": {"shape": [2, 64], "maximum": 255}}, "cannot be"),
        ({"encoding": {"shape": "28", "maximum": 255}}, "damaged|cannot be"),
        ({"encoding": {"shape": [2, 8, 8], "maximum": 1}}, "do not fit inputs up to 1"),
        ({"encoding": None}, "damaged"),
        ({"schema": 1}, "schema 1"),
        ({"provenance": 3}, "damaged"),
    ],
)
def test_descriptions_that_lie_are_refused(filters: Path, change: dict[str, object], message: str) -> None:
    rewrite(filters, **change)
    with pytest.raises(FileError, match=message):
        load(filters)


def test_tensors_of_filters_that_are_missing_or_of_the_wrong_type_are_refused(filters: Path) -> None:
    whole = safetensors.numpy.load_file(filters)
    metadata = {"bnnedge": json.dumps(description(filters))}
    changes: dict[str, tuple[NDArray[np.generic] | None, str]] = {
        "conv1.threshold": (None, "conv1 must have thresholds|no place"),
        "conv1.direction": (None, "damaged"),
        "conv1.weight": (None, "damaged"),
        "encoding/thresholds": (None, "takes 4 x 8 x 8 inputs, but 2 x 8 x 8 reach it"),
        "head.scale": (np.ones(2, np.float32), "do not fit"),
    }
    for name, (value, message) in changes.items():
        tensors = {key: tensor for key, tensor in whole.items() if key != name or value is not None}
        tensors |= {name: value} if value is not None else {}
        filters.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
        with pytest.raises(FileError, match=message):
            load(filters)
    wrong_types = {"encoding/thresholds": np.int32, "conv1.threshold": np.int64, "conv1.direction": np.int32}
    for name, dtype in wrong_types.items():
        tensors = whole | {name: whole[name].astype(dtype)}
        filters.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
        with pytest.raises(FileError, match=np.dtype(dtype).name):
            load(filters)


def test_tensors_that_do_not_belong_are_refused(saved: Path) -> None:
    with safetensors.safe_open(saved, framework="numpy") as file:
        metadata = file.metadata()
    tensors = safetensors.numpy.load_file(saved)
    saved.write_bytes(safetensors.numpy.save(tensors | {"payload": np.zeros(9, np.uint8)}, metadata=metadata))
    with pytest.raises(FileError, match="no place for the tensor 'payload'"):
        load(saved)
    tensors["fc1.weight"] = tensors["fc1.weight"].astype(np.int16)
    saved.write_bytes(safetensors.numpy.save(tensors, metadata=metadata))
    with pytest.raises(FileError, match="int16"):
        load(saved)


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    model = random_model(seed=0, widths=(6, 3), kind="bipolar")
    with pytest.raises(OutputError, match="cannot write"):
        save_packed(model, tmp_path / "absent" / "model.safetensors")
    assert list(tmp_path.iterdir()) == []
