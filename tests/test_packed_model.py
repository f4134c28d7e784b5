"""The waist: what fits together, the golden model against plain integer arithmetic, and the file format."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bnnedge import PackedMatrix, PackedModel, load
from bnnedge.errors import DataError, FileError, OutputError
from bnnedge.packed.file import digest, load_packed, save_packed
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.infer import trace
from bnnedge.packed.model import InputEncoding, PackedLayer
from tests.networks import packed_models, random_inputs, random_model

models = packed_models()


def floats(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def by_plain_arithmetic(model: PackedModel, inputs: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Every layer's pre-activations by integer matrix products over ±1."""
    encoding = model.encoding
    bipolar = np.where(inputs >= encoding.threshold, 1, -1)
    values = bipolar if encoding.kind == "bipolar" else inputs.astype(np.int64)
    stages = []
    for layer in model.layers:
        stages.append(values @ layer.weights.to_signs().astype(np.int64).T)
        if layer.thresholds is not None:
            sign = layer.thresholds.directions.astype(np.int64)
            values = np.where(sign * stages[-1] >= layer.thresholds.values, 1, -1)
    return stages


@given(models, st.integers(0, 40))
def test_golden_model_equals_plain_integer_arithmetic(model: PackedModel, samples: int) -> None:
    inputs = random_inputs(model, samples, seed=1)
    preactivations, prediction = trace(model, inputs)
    for mine, plain in zip(preactivations, by_plain_arithmetic(model, inputs), strict=True):
        assert np.array_equal(mine, plain)
    assert np.array_equal(prediction.scores, preactivations[-1])
    logits = prediction.scores.astype(np.float32) * model.head.scale + model.head.offset
    assert np.array_equal(prediction.logits, logits)
    assert np.array_equal(prediction.labels, logits.argmax(axis=1))


@given(models)
def test_slices_do_not_show(model: PackedModel) -> None:
    inputs = random_inputs(model, 30, seed=2)
    whole = model.predict(inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnnedge.packed.infer.SLICE_ENTRIES", 1)
        assert np.array_equal(model.predict(inputs).scores, whole.scores)


@given(models)
def test_canonical_form_computes_the_same(model: PackedModel) -> None:
    inputs = random_inputs(model, 20, seed=3)
    upright = model.canonical()
    assert all((layer.thresholds.directions > 0).all() for layer in upright.layers if layer.thresholds)
    assert np.array_equal(upright.predict(inputs).logits, model.predict(inputs).logits)


def test_equal_logits_give_the_first_class() -> None:
    layer = PackedLayer("fc1", PackedMatrix.from_signs([[-1, -1], [1, 1], [1, 1]]))
    model = PackedModel(InputEncoding("bipolar", 2, 1, 1), (layer,), Affine(floats([1]), floats([0])))
    assert model.predict(np.array([[1, 1], [0, 0]], dtype=np.uint8)).labels.tolist() == [1, 0]
    assert model.head_is_order_preserving


def test_inputs_that_do_not_fit_are_refused() -> None:
    model = random_model(seed=0, widths=(6, 3), kind="bipolar")
    inputs = random_inputs(model, 4, seed=0)
    with pytest.raises(DataError, match="6 features"):
        model.predict(inputs[:, :5])
    with pytest.raises(DataError, match="whole numbers"):
        model.predict(inputs.astype(np.float32))
    with pytest.raises(DataError, match="trained on 0"):
        model.predict(inputs.astype(np.int64) - 1)  # type: ignore[arg-type]
    assert np.array_equal(
        model.predict(inputs.reshape(4, 2, 3)).scores,
        model.predict(inputs.astype(np.int64)).scores,
    )


def test_parts_that_do_not_fit_are_refused() -> None:
    model = random_model(seed=0, widths=(6, 5, 3), kind="bipolar")
    first, last = model.layers
    with pytest.raises(DataError, match="takes 5 inputs, but 6 reach it"):
        dataclasses.replace(model, layers=(last,))
    with pytest.raises(DataError, match="must have no thresholds"):
        dataclasses.replace(model, layers=(first,))
    with pytest.raises(DataError, match="must have thresholds"):
        dataclasses.replace(model, layers=(dataclasses.replace(first, thresholds=None), last))
    with pytest.raises(DataError, match="names must differ"):
        dataclasses.replace(model, layers=(first, dataclasses.replace(last, name=first.name)))
    with pytest.raises(DataError, match="at least one layer"):
        dataclasses.replace(model, layers=())
    with pytest.raises(DataError, match="does not fit 3 classes"):
        dataclasses.replace(model, head=Affine(np.ones(2, np.float32), np.ones(2, np.float32)))
    with pytest.raises(DataError, match="bad layer name"):
        dataclasses.replace(first, name="../fc1")
    with pytest.raises(DataError, match="thresholds for 5 neurons"):
        dataclasses.replace(first, thresholds=Thresholds(np.zeros(4, np.int32), np.ones(4, np.int8)))
    with pytest.raises(DataError, match="empty"):
        PackedLayer("fc1", PackedMatrix.from_bits(np.zeros((0, 4), dtype=bool)))
    for wrong in ({"kind": "ternary"}, {"features": 0}, {"maximum": 256}, {"threshold": 17}):
        with pytest.raises(DataError):
            InputEncoding(**({"kind": "bipolar", "features": 4, "maximum": 16, "threshold": 8} | wrong))  # type: ignore[arg-type]
    with pytest.raises(DataError):
        InputEncoding("integer", 4, 16, 8)


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


def rewrite(path: Path, **changes: object) -> None:
    """Save the file again with its description changed."""
    with safetensors.safe_open(path, framework="numpy") as file:
        description = json.loads(file.metadata()["bnnedge"]) | changes
    tensors = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"bnnedge": json.dumps(description)}))


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
    rewrite(saved, schema=1, layers=[{"name": "fc1", "type": "attention"}])
    with pytest.raises(FileError, match="unknown type 'attention'"):
        load(saved)
    rewrite(saved, layers="fc1")
    with pytest.raises(FileError, match="damaged"):
        load(saved)


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
