"""Arrays of others: what becomes a bit, what is left out, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bnnedge.errors import FileError
from bnnedge.importers import arrays, load_weights
from bnnedge.packed.weights import WeightSet

Arrays = dict[str, NDArray[Any]]
matrices = hnp.array_shapes(min_dims=2, max_dims=2, max_side=70)


def as_npz(path: Path, content: Arrays) -> WeightSet:
    np.savez(path / "weights.npz", **content)  # type: ignore[arg-type]
    return load_weights(path / "weights.npz")


def as_safetensors(path: Path, content: Arrays) -> WeightSet:
    safetensors.numpy.save_file(content, path / "weights.safetensors")
    return load_weights(path / "weights.safetensors")


def bits(weights: WeightSet) -> dict[str, NDArray[np.bool_]]:
    return {tensor.name: tensor.matrix.to_bits().reshape(tensor.shape) for tensor in weights.tensors}


both = pytest.mark.parametrize("read", [as_npz, as_safetensors])


@both
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1"])
def test_signs(tmp_path: Path, read: Any, dtype: str) -> None:
    rng = np.random.default_rng(1)
    values = rng.choice([-1, 1], (5, 3, 3, 3)).astype(dtype)
    weights = read(tmp_path, {"conv": values})
    (tensor,) = weights.tensors
    assert (tensor.name, tensor.shape, tensor.reading) == ("conv", (5, 3, 3, 3), "±1")
    assert np.array_equal(bits(weights)["conv"], values == 1)
    assert weights.model is None
    assert weights.notes == ()


@both
@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "u2", "u8", "?"])
def test_zeros_and_ones(tmp_path: Path, read: Any, dtype: str) -> None:
    values = (np.random.default_rng(2).random((9, 65)) < 0.5).astype(dtype)
    weights = read(tmp_path, {"fc": values})
    assert weights.tensors[0].reading == "0/1"
    assert np.array_equal(bits(weights)["fc"], values != 0)


@both
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i4"])
def test_real_values_count_by_sign_and_zero_is_plus_one(tmp_path: Path, read: Any, dtype: str) -> None:
    values = np.array([[3, 0, -3], [-0.0, 7, -1]]).astype(dtype)
    weights = read(tmp_path, {"fc": values})
    assert weights.tensors[0].reading == "signs of real values"
    assert np.array_equal(bits(weights)["fc"], [[True, True, False], [True, True, False]])
    assert weights.notes == ("fc: signs of real values, 0 being +1 (2 are 0)",)


def test_bfloat16(tmp_path: Path) -> None:
    values = torch.randn(7, 66, dtype=torch.bfloat16)
    signs = torch.where(values < 0, -1, 1).to(torch.bfloat16)
    safetensors.torch.save_file({"a": values, "b": signs, "c": values[0].clone()}, tmp_path / "model")
    weights = load_weights(tmp_path / "model")
    assert [tensor.reading for tensor in weights.tensors] == ["signs of real values", "±1"]
    assert np.array_equal(bits(weights)["a"], (values >= 0).numpy())
    assert weights.tensors[0].matrix == weights.tensors[1].matrix


@given(hnp.arrays(np.float64, matrices, elements=st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1.0, 1e-300])))
def test_any_matrix_has_the_bits_of_its_signs(values: NDArray[np.float64]) -> None:
    matrix, reading, zeros = arrays.read_bits("fc", values)
    only_bits = bool(np.isin(values, [0, 1]).all()) and not (values == 1).all()
    assert np.array_equal(matrix.to_bits(), values > 0 if only_bits else values >= 0)
    assert zeros == int((values == 0).sum())
    assert (reading == "±1") == bool((np.abs(values) == 1).all())
    latent, reading, _ = arrays.read_bits("fc", values, latent=True)
    assert np.array_equal(latent.to_bits(), values >= 0)
    assert reading != "0/1"


def test_large_arrays_are_read_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=(50, 67))
    whole, *_ = arrays.read_bits("fc", values)
    monkeypatch.setattr(arrays, "SLICE_ENTRIES", 200)
    assert arrays.read_bits("fc", values)[0] == whole
    values[-1, -1] = np.nan
    with pytest.raises(FileError, match="not finite"):
        arrays.read_bits("fc", values)


@both
def test_what_is_no_weight_is_left_out_and_said(tmp_path: Path, read: Any) -> None:
    content: Arrays = {
        "a.weight": -np.ones((2, 3)),
        "a.bias": np.ones(2),
        "b": np.ones((2, 2, 2)),
        "packed": np.array([[200, 3]], dtype=np.uint8),
        "nothing": np.ones((0, 4)),
    }
    weights = read(tmp_path, content)
    assert [tensor.name for tensor in weights.tensors] == ["a"]
    assert sorted(weights.notes) == [
        "b: left out, 3 axes",
        "nothing: left out, nothing in a shape of (0, 4)",
        "packed: left out, unsigned whole numbers other than 0 and 1 have no sign",
    ]


def test_text_and_complex_numbers_are_no_weights(tmp_path: Path) -> None:
    content: Arrays = {"a": np.ones((1, 1)), "b": np.array([["x"]]), "c": np.ones((1, 1)) * 1j}
    notes = as_npz(tmp_path, content).notes
    assert notes == ("b: left out, values of type <U1", "c: left out, values of type complex128")


def test_types_of_safetensors_that_nobody_computes_with(tmp_path: Path) -> None:
    content = {"a": torch.ones(2, 2), "b": torch.ones(2, 2).to(torch.float8_e5m2)}
    safetensors.torch.save_file(content, tmp_path / "model")
    assert load_weights(tmp_path / "model").notes == ("b: left out, values of type F8_E5M2",)
    safetensors.torch.save_file({"b": content["b"]}, tmp_path / "model")
    refused(tmp_path / "model", "holds no values of a type known here")


@both
def test_nothing_but_biases(tmp_path: Path, read: Any) -> None:
    with pytest.raises(FileError, match=r"holds no weights; b: left out, 3 axes") as caught:
        read(tmp_path, {"a": np.ones(3), "b": np.ones((1, 1, 1))})
    assert "two axes" in caught.value.hint


@both
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_network(tmp_path: Path, read: Any, value: float) -> None:
    with pytest.raises(FileError, match="fc has values that are not finite"):
        read(tmp_path, {"fc": np.array([[1.0, value]])})


def test_order(tmp_path: Path) -> None:
    names = ["layer10.weight", "layer2.weight", "layer2.conv", "head"]
    content: Arrays = {name: np.ones((1, 2)) for name in names}
    assert [t.name for t in as_npz(tmp_path, content).tensors] == ["layer10", "layer2", "layer2.conv", "head"]
    natural = [t.name for t in as_safetensors(tmp_path, content).tensors]
    assert natural == ["head", "layer2.conv", "layer2", "layer10"]


def test_fortran_order(tmp_path: Path) -> None:
    values = np.asfortranarray(np.random.default_rng(4).normal(size=(4, 3, 2, 2)))
    assert np.array_equal(bits(as_npz(tmp_path, {"a": values}))["a"], values >= 0)


def test_names_become_layer_names() -> None:
    names = arrays.layer_names(["a.weight", "a", "b/c d", "weight", ".weight"])
    assert names == ("a", "a-2", "b_c_d", "weight", "weight-2")


def refused(path: Path, message: str) -> None:
    with pytest.raises(FileError, match=message) as caught:
        load_weights(path)
    assert "\n" not in caught.value.message


class _Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path("exploded"),)  # type: ignore[return-value]


def test_pickled_arrays_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "objects.npz", a=np.array([[_Bomb()]], dtype=object))
    refused(tmp_path / "objects.npz", "no whole .npz of plain arrays")
    assert not Path("exploded").exists()


def npy(header: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    "member",
    [
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000)}\n"),
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3)}\n", b"short"),
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}\n", bytes(24)),
        npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1)}\n", b"\x80\x04N."),
        npy(b"{'descr': 'what', 'fortran_order': False, 'shape': (1, 1)}\n"),
        npy(b"__import__('os').getcwd()\n"),
        npy(b"(((\n"),
        npy(b""),
        b"\x93NUMPY\x09\x00",
        b"\x93NUMPY",
        b"",
        b"words",
    ],
)
def test_hostile_members(tmp_path: Path, member: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", member)
    refused(tmp_path / "a.npz", "a.npz (is no whole .npz|holds no weights)")


def mutated(content: bytes, seed: int) -> bytes:
    """Cut, or with a few bytes changed."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    for position in rng.integers(0, len(data), rng.integers(1, 6)):
        data[position] = rng.integers(0, 256)
    return bytes(data[: rng.integers(1, len(data))]) if seed % 3 == 0 else bytes(data)


@pytest.mark.parametrize("form", ["npz", "compressed", "safetensors"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, form: str) -> None:
    content: Arrays = {"a": np.ones((4, 4)), "b": -np.ones((2, 2, 3, 3), dtype=np.float32)}
    buffer = io.BytesIO()
    if form == "npz":
        np.savez(buffer, **content)  # type: ignore[arg-type]
    elif form == "compressed":
        np.savez_compressed(buffer, **content)  # type: ignore[arg-type]
    else:
        buffer.write(safetensors.numpy.save(content))
    path, refusals = tmp_path / "file", 0
    for seed in range(300):
        path.write_bytes(mutated(buffer.getvalue(), seed))
        try:
            load_weights(path)
        except FileError:
            refusals += 1
    assert refusals > 100


def test_a_header_that_lies_about_offsets(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [100, 100], "data_offsets": [0, 40000]}}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    refused(tmp_path / "a", "is no whole safetensors file")
