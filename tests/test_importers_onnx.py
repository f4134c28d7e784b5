"""Weights in graphs: found, named and read, or left out and said; and files that pretend to be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from bnnedge.errors import FileError, UnsupportedError
from bnnedge.importers import load, load_weights
from bnnedge.packed.weights import WeightSet
from tests.graphs import CONSTANTS, HEAD, MIDDLE, QONNX, RNG, TAIL, W1, W2, Nodes, f32, graph, op, written


def read(path: Path, nodes: Nodes, constants: dict[str, Any]) -> WeightSet:
    return load_weights(written(path / "a.onnx", graph(nodes, constants)))


def test_weights_wherever_they_stand(tmp_path: Path) -> None:
    kernel = RNG.choice([-0.3, 0.3], (4, 2, 3, 3)).astype(np.float32)
    latent = f32([[0.5, 0.0, -2], [-1, 3, -0.0]])
    constants: dict[str, Any] = {
        "conv.weight": kernel, "7": latent, "one": np.float32(1), "w/left": W1, "perm": W2,
        "onnx::MatMul_9": np.ones((2, 2), np.float32), "real": latent.copy(),
        "thick": np.ones((1, 2, 2), np.float32),
    }  # fmt: skip
    nodes = [
        op("Conv", "x conv.weight", "a"),
        op("BipolarQuant", "7 one", "q"),
        op("Transpose", "q", "qt", perm=[1, 0]),
        op("MatMul", "a qt", "b"),
        op("MatMul", "w/left b", "c"),
        op("Gemm", "c perm", "d", transB=1),
        op("MatMul", "d onnx::MatMul_9", "e"),
        op("MatMul", "e real", "f"),
        op("MatMul", "f thick", "g"),
        op("MatMul", "g e", "h"),
        op("Quant", "real one one one", "q2"),
        op("MatMul", "h q2", "i"),
    ]
    weights = read(tmp_path, nodes, constants)
    found = {t.name: (t.shape, t.reading) for t in weights.tensors}
    assert found == {
        "conv": ((4, 2, 3, 3), "±1"),
        "fc2": ((2, 3), "signs of real values"),
        "w_left": ((6, 5), "±1"),
        "perm": ((5, 3), "±1"),
        "fc5": ((2, 2), "±1"),
    }
    matrices = [tensor.matrix.to_signs() for tensor in weights.tensors]
    assert np.array_equal(matrices[0], np.sign(kernel).reshape(4, -1))
    assert matrices[1].tolist() == [[1, 1, -1], [-1, 1, 1]]
    assert np.array_equal(matrices[2], W1)
    assert np.array_equal(matrices[3], W2)
    assert weights.notes[:-1] == (
        "fc2: signs of real values, 0 being +1 (2 are 0)",
        "real: left out, MatMul 'MatMul:f' has weights of more than two values",
        "thick: left out, MatMul 'MatMul:g' reads float32 weights of shape (1, 2, 2)",
        "q2: left out, Quant makes its weights, which is not known here",
    )


@pytest.mark.parametrize("domain", [QONNX, "finn.custom_op.general", "onnx.brevitas"])
def test_domains_of_bipolar_quant(tmp_path: Path, domain: str) -> None:
    nodes: Nodes = [("BipolarQuant", ["w", "one"], "q", domain, {}), op("MatMul", "x q", "y")]
    constants = {"w": f32([[0.1], [-0.2]]), "one": np.float32(1)}
    weights = load_weights(written(tmp_path / "a", graph(nodes, constants, annotate="")))
    assert weights.tensors[0].matrix.to_signs().tolist() == [[1, -1]]


def test_quantisers_of_other_domains_are_not_guessed(tmp_path: Path) -> None:
    nodes: Nodes = [("BipolarQuant", ["w", "one"], "q", "my.own", {}), op("MatMul", "x q", "y")]
    with pytest.raises(
        FileError, match="holds no 1-bit weights; q: left out, BipolarQuant makes its weights"
    ):
        read(tmp_path, nodes, {"w": np.ones((2, 2), np.float32), "one": np.float32(1)})


def test_a_graph_without_weights(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"holds no 1-bit weights$"):
        read(tmp_path, [op("Relu", "x", "y")], {})


def test_counts_of_xnors_of_other_numbers(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="takes weights 0 and 1, and has others"):
        read(tmp_path, [op("XnorPopcountMatMul", "x w", "y")], {"w": W1})


# Hostile files


def refused(path: Path, message: str) -> None:
    for reader in (load, load_weights):
        with pytest.raises(FileError, match=message) as caught:
            reader(path)
        assert caught.value.hint


def test_data_in_other_files_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(W1.tobytes())
    nested = tmp_path / "model"
    nested.mkdir()
    proto = graph(HEAD, CONSTANTS)
    tensor = next(t for t in proto.graph.initializer if t.name == "w1")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret"), ("offset", "0"), ("length", str(W1.nbytes))):
        tensor.external_data.add(key=key, value=value)
    refused(written(nested / "a.onnx", proto), "keeps tensors in other files")
    inside = graph([op("Constant", "", "k", value=tensor), op("MatMul", "x k", "y")], {})
    refused(written(nested / "a.onnx", inside), "keeps tensors in other files")


def test_constants_that_would_fill_the_memory(tmp_path: Path) -> None:
    nodes = [op("Add", "column row", "w"), op("MatMul", "x w", "y")]
    constants = {"column": np.ones((10**6, 1), np.float32), "row": np.ones((1, 10**6), np.float32)}
    refused(
        written(tmp_path / "a", graph(nodes, constants)), "holds no 1-bit weights|no dense"
    ) if False else None
    with pytest.raises(FileError, match="Add makes its weights"):
        read(tmp_path, nodes, constants)


def test_tensors_that_lie_about_their_size(tmp_path: Path) -> None:
    proto = graph(HEAD, CONSTANTS)
    next(t for t in proto.graph.initializer if t.name == "w1").dims[0] = 10**12
    refused(written(tmp_path / "a", proto), "is damaged")


def test_attributes_of_the_wrong_type(tmp_path: Path) -> None:
    nodes = [op("MultiThreshold", "x half", "x1", out_scale="two"), op("MatMul", "x1 w1", "y")]
    path = written(tmp_path / "a", graph(nodes, CONSTANTS))
    with pytest.raises(UnsupportedError, match="attributes"):
        load(path)
    assert load_weights(path).model is None


@pytest.mark.parametrize(
    "content", [b"no model", b"\x00" * 100, b"{}", b"\x08\x07", b"\x89PNG\r\n\x1a\n" * 9]
)
def test_files_of_no_known_format(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    refused(tmp_path / "a.onnx", "none of the formats known here")


def test_damaged_graphs_are_read_or_refused(tmp_path: Path) -> None:
    content, refusals = graph(HEAD + MIDDLE + TAIL, CONSTANTS).SerializeToString(), 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        data = bytearray(content)
        for position in rng.integers(0, len(data), rng.integers(1, 6)):
            data[position] = rng.integers(0, 256)
        (tmp_path / "a").write_bytes(data[: rng.integers(1, len(data))] if seed % 3 == 0 else data)
        try:
            load_weights(tmp_path / "a")
        except FileError:
            refusals += 1
    assert refusals > 100
