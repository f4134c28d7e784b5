"""Files that once crashed a reader, kept it busy for ever, or made it take more memory than there is.

Found by scripts/fuzz, or by reading the readers as an adversary would. Most are built here; what would have
taken for ever needs no clock to fail.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tomllib
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
from onnx import TensorProto, helper, numpy_helper

from bnnedge import archives, load
from bnnedge.data.cifar import records_of_pickle
from bnnedge.data.digits import load_digits
from bnnedge.data.idx import read_idx
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError, ConfigError, FileError
from bnnedge.exporters import verify
from bnnedge.exporters.manifest import Manifest, check_files, read_manifest, write_manifest
from bnnedge.exporters.onnx import to_onnx
from bnnedge.exporters.rtl import read_rtl, write_rtl
from bnnedge.exporters.vectors import check_vectors
from bnnedge.hardware.boards import board
from bnnedge.hardware.costs import synthesised_luts
from bnnedge.importers import load_weights
from bnnedge.importers.arrays import layer_names
from bnnedge.packed.file import load_packed, save_packed
from bnnedge.runs.metrics import read_records
from bnnedge.runs.toml import load_config, parse_config
from bnnedge.runs.trajectory import read_steps
from bnnedge.studies.place import SweepPlace
from bnnedge.studies.study import load_study
from tests.graphs import CONSTANTS, HEAD, MIDDLE, TAIL, graph, op
from tests.networks import random_model

Description = dict[str, Any]
SMALL = random_model(3, (12, 8, 3))


def npz(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def refused(read: Callable[[], object], message: str, kind: type[BnnedgeError] = FileError) -> None:
    with pytest.raises(kind, match=message):
        read()


# Archives


def test_zeros_behind_a_gzip_member_are_not_read_one_by_one(tmp_path: Path) -> None:
    whole = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    path = tmp_path / "labels"
    for tail in (bytes(1 << 26), whole, b"x"):
        path.write_bytes(whole + tail)
        refused(lambda: read_idx(path, 1), "goes on behind its end")


def test_an_archive_may_not_decompress_to_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_LEAST", 1 << 20)
    bomb = npz(tmp_path / "a.npz", {"X.npy": npy(np.zeros(1 << 22, np.uint8).reshape(4, -1))})
    refused(
        lambda: load_weights(bomb), "decompresses to 4,194,432 bytes, more than the 1,048,576 that it may"
    )
    refused(lambda: load_dataset("npz", path=bomb), "decompresses to")
    zipped = tmp_path / "images.gz"
    zipped.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + (1 << 22).to_bytes(4, "big") + bytes(1 << 22)))
    refused(lambda: read_idx(zipped, 1), "expected 1 to 1048576 in all")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"'shape': (8, 8), ", b"'shape': (2**99,)"),
        (b"'shape': (8, 8), ", b"'shape': (9**9, )"),
        (b"'shape': (8, 8), ", b"'shape': (99999,)"),
        (b"'descr': '<f4'", b"'descr': '<f8'"),
        (b"'descr': '<f4'", b"'descr': '|O8'"),
        (b"'descr': '<f4'", b"'descr': '''  "),
        (b"'fortran_order'", b"'fortran_0rder'"),
        (b"(8, 8)", b"(8, 7)"),
        (b"NUMPY\x01", b"NUMPY\x09"),
    ],
)
def test_headers_of_arrays_are_not_believed(tmp_path: Path, old: bytes, new: bytes) -> None:
    content = npy(np.ones((8, 8), np.float32))
    assert content.count(old) == 1
    changed = content.replace(old, new)
    path = npz(tmp_path / "a.npz", {"fc.npy": changed})
    refused(lambda: load_weights(path), "no whole .npz of plain arrays")
    (tmp_path / "input.npy").write_bytes(changed)
    refused(lambda: check_vectors(tmp_path, SMALL), "no whole .npy of plain arrays")


def test_an_array_whose_truth_values_are_no_bits(tmp_path: Path) -> None:
    """A byte of 6 is True, and NumPy's own reader keeps it: neither False nor True to a search."""
    content = npy(np.ones(20, bool))[:-20] + bytes([6, 0] * 10)
    inputs = npy(np.arange(80, dtype=np.uint8).reshape(20, 4))
    path = npz(tmp_path / "own.npz", {"X.npy": inputs, "y.npy": content})
    assert load_dataset("npz", path=path).class_names == ("False", "True")


def test_members_that_are_no_arrays(tmp_path: Path) -> None:
    path = npz(tmp_path / "own.npz", {"X": b"no array", "y.npy": npy(np.ones(3))})
    refused(lambda: load_dataset("npz", path=path), "has the arrays y")
    path = npz(tmp_path / "b.npz", {"a.npy": npy(np.ones((2, 2)))}, zipfile.ZIP_LZMA)
    refused(lambda: load_weights(path), "compressed in a way that NumPy does not")


# Data


def test_a_long_label_is_not_given_to_every_sample(tmp_path: Path) -> None:
    """NumPy gives all texts the room of the longest: 40 GB for this file of 0.5 MB."""
    path = tmp_path / "own.csv"
    path.write_text("1,2,a\n" * 80_000 + f"1,2,{'b' * 130_000}\n", encoding="utf-8")
    refused(lambda: load_dataset("csv", path=path), "line 80001: the label is of 130,000 characters")


@pytest.mark.parametrize(
    "shape",
    [
        (1,) * 65,
        (0, 2**80),
        (2**80000, 2**80000, 0),
        (0, 2**31, 2**31, 2**31),
    ],
)
def test_shapes_in_pickles(shape: tuple[int, ...]) -> None:
    content = pickle.dumps({b"data": np.zeros((3, 5), np.uint8), b"labels": [1]}, protocol=3)
    given, other = pickle.dumps((3, 5), 3)[2:-1], pickle.dumps(shape, 3)[2:-1]
    (place,) = (content.index(text) for text in [given[: given.index(b"q")]])
    changed = content[:place] + other[: other.rindex(b"q")] + content[place + given.index(b"q") :]
    refused(lambda: records_of_pickle(changed), "array|pickle")


def test_pickles_of_nothing_but_instructions() -> None:
    """Each byte of this was a dictionary of a hundred bytes."""
    for code in (b"}", b"N0"):
        content = b"\x80\x03" + code * 10**6
        refused(partial(records_of_pickle, content), "more than 250,000 instr")
    framed = b"\x80\x04\x95" + (10**6).to_bytes(8, "little") + b"]" * 10**6
    refused(lambda: records_of_pickle(framed), "more than 250,000 instructions")


# Settings


@pytest.mark.parametrize("text", [f"[training]\nseed = {'9' * 5000}", "a = " + "[" * 50_000, "\x00"])
def test_toml_that_python_does_not_take(tmp_path: Path, text: str) -> None:
    refused(lambda: parse_config(text, "a.toml"), "a.toml is no TOML", ConfigError)
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    refused(lambda: load_study(tmp_path / "s.toml"), "s.toml is no TOML", ConfigError)


def test_keys_of_ten_thousand_parts(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f"{'.'.join('a' * 20_000)} = 1\n", encoding="utf-8")
    refused(lambda: load_config(tmp_path / "a.toml"), "more than .* dots", ConfigError)
    refused(lambda: load_study(tmp_path / "a.toml"), "more than .* dots", ConfigError)


def test_studies_of_more_jobs_than_anybody_runs(tmp_path: Path) -> None:
    values = ", ".join(str(size / 1000) for size in range(1, 100))
    grid = "\n".join(
        f"training.{key} = [{values}]" for key in ("learning_rate", "weight_decay", "label_smoothing")
    )
    assert len(tomllib.loads(f"[grid]\n{grid}")["grid"]["training"]) == 3
    path = tmp_path / "s.toml"
    for text in (
        f"[grid]\n{grid}",
        f"seeds = {10**9}",
        "seeds = 5000\n[grid]\nnet.hidden = [[4], [5], [6]]",
    ):
        path.write_text(text, encoding="utf-8")
        refused(
            lambda: load_study(path), "more than 10,000 jobs|seeds = 1000000000 is not valid", ConfigError
        )


# State dicts


def test_one_mapping_named_a_thousand_times_is_looked_into_once(tmp_path: Path) -> None:
    inner: dict[str, object] = {"bias": torch.ones(1)}
    for _ in range(3):
        inner = {str(number): inner for number in range(1000)}
    torch.save(inner, tmp_path / "a")
    refused(lambda: load_weights(tmp_path / "a"), "holds no state dict")


class _Call:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "call", [_Call(bytearray, 1 << 40), _Call(torch.Tensor, 1 << 20, 1 << 20), _Call(complex, 1)]
)
def test_functions_that_pytorch_calls_for_a_file(tmp_path: Path, call: _Call, zipped: bool) -> None:
    content = {"a.weight": torch.ones(2, 2), "more": call}
    torch.save(content, tmp_path / "a", _use_new_zipfile_serialization=zipped)
    refused(
        lambda: load_weights(tmp_path / "a"),
        "read safely: UnpicklingError: it asks for '.*no state dict needs",
    )


def test_compressed_state_dicts(tmp_path: Path) -> None:
    """PyTorch inflates whatever a record says that it holds."""
    torch.save({"a.weight": torch.ones(2, 2)}, tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as archive:
        npz(tmp_path / "b", {name: archive.read(name) for name in archive.namelist()})
    refused(lambda: load_weights(tmp_path / "b"), "compressed, which PyTorch's files are not")


# Graphs


def weights_of(proto: onnx.ModelProto, folder: Path) -> Callable[[], object]:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return lambda: load_weights(path)


def test_a_graph_that_leads_in_a_circle(tmp_path: Path) -> None:
    circle = [op("Neg", "p", "q"), op("Neg", "q", "p"), op("Concat", "p q", "both", axis=1)]
    notes = weights_of(graph([*circle, *HEAD, *MIDDLE, *TAIL], CONSTANTS), tmp_path)().notes  # type: ignore[attr-defined]
    assert notes[-1].startswith("network: ")


def test_nodes_that_make_one_large_constant_over_and_over(tmp_path: Path) -> None:
    large = np.ones((256, 256), np.float32)
    copies = [op("Neg", "large", f"copy{number}") for number in range(3000)]
    refused(
        weights_of(graph(copies, {"large": large}), tmp_path), "nodes make more than .* bytes of constants"
    )


def test_products_that_read_one_constant_over_and_over(tmp_path: Path) -> None:
    large = np.ones((256, 256), np.float32)
    products = [op("MatMul", f"x{number} large", f"y{number}") for number in range(3000)]
    refused(weights_of(graph(products, {"large": large}), tmp_path), "reads .* weights of 65,536 values")


def test_a_chain_of_more_steps_than_a_layer_has(tmp_path: Path) -> None:
    steps = [op("Neg", f"n{number}", f"n{number + 1}") for number in range(500)]
    begun = [op("Sub", "x half", "x0"), op("BipolarQuant", "x0 one", "x1"), op("MatMul", "x1 w1", "n0")]
    end = [op("BipolarQuant", "n500 one", "d"), op("MatMul", "d w2", "y")]
    read = weights_of(graph([*begun, *steps, *end], CONSTANTS), tmp_path)()
    assert "follows 64 others since the last product" in read.notes[-1]  # type: ignore[attr-defined]


def test_nodes_without_their_operands(tmp_path: Path) -> None:
    reshaping = graph([op("Reshape", "x", "x2"), *HEAD, *MIDDLE, *TAIL], CONSTANTS)
    notes = weights_of(reshaping, tmp_path)().notes  # type: ignore[attr-defined]
    assert "lacks an operand" in notes[-1]


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "link"])
@pytest.mark.parametrize("constant", ["initialiser", "attribute", "sparse"])
def test_data_of_a_graph_is_not_sought_elsewhere(tmp_path: Path, place: str, constant: str) -> None:
    """Pipes stand where a graph points to: to open one would wait for ever."""
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(tmp_path / "secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    proto = to_onnx(SMALL)
    tensor = numpy_helper.from_array(np.ones((2, 2), np.float32), "more")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    if constant == "initialiser":
        proto.graph.initializer.append(tensor)
    elif constant == "attribute":
        proto.graph.node.append(helper.make_node("Constant", [], ["more"], value=tensor))
    else:
        proto.graph.sparse_initializer.add().values.CopyFrom(tensor)
    read = weights_of(proto, folder)
    refused(read, "keeps tensors in other files, which are not read")
    refused(lambda: verify(folder / "model.onnx", SMALL, np.zeros((1, 12), np.uint8)), "ONNX")


@pytest.mark.parametrize("change", [lambda t: t.dims.append(7), lambda t: setattr(t, "data_type", 29)])
def test_constants_of_graphs_of_ours_that_are_damaged(
    tmp_path: Path, change: Callable[[Any], object]
) -> None:
    proto = to_onnx(SMALL)
    change(proto.graph.initializer[0])
    (tmp_path / "a.onnx").write_bytes(proto.SerializeToString())
    inputs = np.zeros((1, 12), np.uint8)
    refused(lambda: verify(tmp_path / "a.onnx", SMALL, inputs), "damaged constant|no whole ONNX file")


# Names, and descriptions of packed models


@pytest.mark.parametrize(
    "read", [load_weights, partial(verify, model=SMALL, inputs=np.zeros((1, 12), np.uint8))]
)
def test_a_graph_of_nothing_but_empty_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    nodes = b"\x0a\x00" * 8000  # field 1, of length 0; a hundred bytes each in memory
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a\x80\x7d" + nodes)  # field 7, the graph
    assert len(onnx.load(path).graph.node) == 8000
    monkeypatch.setattr("bnnedge.onnx_data.MOST_MESSAGES", 8000)
    with pytest.raises(FileError) as refusal:
        read(path)
    assert "more than 8,000 messages" in str(refusal.value.__cause__)


def test_json_of_nothing_but_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = '{"format": [' + "[]," * 5000 + "[]]}"
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(FileError, match="not the manifest"):
        read_manifest(tmp_path)
    monkeypatch.setattr("bnnedge.bounded.MOST_CHARACTERS", len(content) - 1)
    with pytest.raises(FileError, match=r"it has 15,0\d\d characters"):
        read_manifest(tmp_path)


def test_names_that_are_all_alike() -> None:
    names = layer_names(["é"] * 50_000)
    assert len(set(names)) == 50_000
    assert names[:3] == ("_", "_-2", "_-3")


def test_names_of_thousands_of_digits(tmp_path: Path) -> None:
    safetensors.numpy.save_file({f"layer{'1' * 5000}": np.ones((2, 2), np.float32)}, tmp_path / "a")
    assert len(load_weights(tmp_path / "a").tensors) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["encoding"].update(maximum=float("inf")), "Infinity is no JSON"),
        (lambda d: d["provenance"].update(score=float("nan")), "NaN is no JSON"),
        (lambda d: d["provenance"].update(name="\ud800"), "surrogates not allowed"),
        (lambda d: d["encoding"].update(maximum=10**400), "cannot be"),
        (lambda d: d["layers"][0].update(inputs=-5), "cannot hold rows of -5 bits"),
        (lambda d: d["layers"][0].update(inputs=1e308), "cannot hold rows of 1000"),
        (lambda d: d.update(layers=d["layers"] * 2), "must have thresholds"),
    ],
)
def test_descriptions_of_packed_models(
    tmp_path: Path, change: Callable[[Description], object], message: str
) -> None:
    save_packed(SMALL, tmp_path / "a")
    content = (tmp_path / "a").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    description = json.loads(header["__metadata__"]["bnnedge"])
    change(description)
    header["__metadata__"]["bnnedge"] = json.dumps(description)
    written = json.dumps(header).encode()
    (tmp_path / "a").write_bytes(len(written).to_bytes(8, "little") + written + content[8 + length :])
    refused(lambda: load_packed(tmp_path / "a"), message)


# Run directories, sweeps and exports


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000 + b"\n", b"\xff\n", b"{}\n", b'{"epoch": "1", "step": 1}\n', b'{"epoch": 1}\n'],
)
def test_metrics(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(content)
    refused(lambda: read_records(tmp_path / "metrics.jsonl"), "metrics.jsonl")


def test_steps_that_do_not_fit_one_another(tmp_path: Path) -> None:
    table, line = np.zeros((2, 5)), np.zeros(5)
    arrays = dict.fromkeys(("bdm", "block_entropy", "flips", "changed_blocks"), table)
    for names, loss in ((["a"], line), (["a", "all"], line[:3])):
        says = {"bnnedge.steps": json.dumps({"schema": 1, "names": names})}
        (tmp_path / "a").write_bytes(safetensors.numpy.save(arrays | {"step": line, "loss": loss}, says))
        refused(lambda: read_steps(tmp_path / "a"), "do not fit one another")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"costs": 3}', '{"costs": {"luts": []}}', "null"])
def test_costs_and_attempts_of_jobs(tmp_path: Path, content: str) -> None:
    job = SweepPlace(tmp_path).job("a")
    job.run.path.mkdir(parents=True)
    for name, read in (("costs", job.costs), ("attempts", job.attempts)):
        (job.run.path / f"{name}.json").write_text(content, encoding="utf-8")
        refused(read, name)


def test_numbers_and_names_in_reports(tmp_path: Path) -> None:
    report = {"kind": "x", "digest": "", "family": "", "layers": [{"layer": "fc1", "luts": float("inf")}]}
    (tmp_path / "synthesis.json").write_text(json.dumps(report), encoding="utf-8")
    refused(lambda: synthesised_luts(tmp_path / "synthesis.json", SMALL), "no report of a synthesis")
    write_manifest(tmp_path, Manifest("onnx", "", {"a" * 3000: ""}))
    refused(lambda: read_manifest(tmp_path), "bad target or file names")


def test_links_in_an_export_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to("/dev/zero")
    refused(lambda: check_files(tmp_path, Manifest("onnx", "", {"model.onnx": ""})), "model.onnx is a link")


def test_links_in_a_folder_of_hardware_are_not_followed(tmp_path: Path) -> None:
    inputs = load_digits().test_inputs[:2].reshape(2, 64)
    write_rtl(tmp_path, load("digits-tfc"), inputs, style="unrolled", board=board("Pynq-Z1"))
    (tmp_path / "more.mem").symlink_to("/dev/zero")
    refused(lambda: read_rtl(tmp_path), "more.mem is a link")
