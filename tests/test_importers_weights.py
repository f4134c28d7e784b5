"""Whatever a user calls a checkpoint: found, recognised by its content, and named by its bits."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from bnnedge.errors import FileError, UnsupportedError
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.importers import load, load_weights
from bnnedge.packed.file import digest, save_packed
from tests.networks import random_model

SIGNS = np.random.default_rng(0).choice([-1.0, 1.0], (5, 70)).astype(np.float32)
MODEL = random_model(0, (20, 9, 5))


def save_npz(path: Path) -> None:
    with path.open("wb") as handle:
        np.savez(handle, fc1=SIGNS)


SAVERS: dict[str, Callable[[Path], Any]] = {
    "safetensors": lambda path: safetensors.numpy.save_file({"fc1": SIGNS}, path),
    "npz": save_npz,
    "state dict": lambda path: torch.save({"fc1.weight": torch.from_numpy(SIGNS)}, path),
}
formats = pytest.mark.parametrize("form", SAVERS)


@formats
@pytest.mark.parametrize("suffix", ["", ".pt", ".onnx", ".safetensors", ".npz", ".tar"])
def test_formats_are_recognised_by_content(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    SAVERS[form](path)
    weights = load_weights(str(path))
    (tensor,) = weights.tensors
    assert (weights.name, tensor.name, tensor.shape) == (str(path), "fc1", (5, 70))
    assert np.array_equal(tensor.matrix.to_signs(), SIGNS)
    assert weights.provenance == {"imported": {"file": path.name, "format": form}}


def test_the_digest_names_names_shapes_and_bits(tmp_path: Path) -> None:
    digests = set()
    for form, save in SAVERS.items():
        save(tmp_path / form)
        digests.add(load_weights(tmp_path / form).digest)
    expected = hashlib.sha256(json.dumps(["fc1", [5, 70]]).encode())
    padded = np.zeros((5, 128), dtype=bool)
    padded[:, :70] = SIGNS > 0
    expected.update(np.packbits(padded, axis=1).tobytes())
    assert digests == {expected.hexdigest()}


@pytest.mark.parametrize("content", [{"fc2": SIGNS}, {"fc1": -SIGNS}, {"fc1": SIGNS.reshape(5, 7, 2, 5)}])
def test_other_content_has_another_digest(tmp_path: Path, content: dict[str, Any]) -> None:
    safetensors.numpy.save_file({"fc1": SIGNS}, tmp_path / "a")
    safetensors.numpy.save_file(content, tmp_path / "b")
    assert load_weights(tmp_path / "a").digest != load_weights(tmp_path / "b").digest


def test_our_own_checkpoints(tmp_path: Path) -> None:
    save_packed(MODEL, tmp_path / "a.safetensors")
    weights = load_weights(tmp_path / "a.safetensors")
    assert weights.digest == digest(MODEL)
    assert weights.model is not None
    assert digest(weights.model) == weights.digest
    assert [(t.name, t.shape, t.reading) for t in weights.tensors] == [
        ("fc1", (9, 20), "packed"),
        ("fc2", (5, 9), "packed"),
    ]
    assert weights.notes == ()
    assert weights.provenance == MODEL.provenance


def test_presets_and_directories(tmp_path: Path) -> None:
    weights = load_weights("digits-tfc")
    assert (weights.name, weights.digest) == ("digits-tfc", digest(load("digits-tfc")))
    save_packed(MODEL, tmp_path / "model.safetensors")
    assert load_weights(tmp_path).digest == digest(MODEL)


def test_a_graph_carries_its_model(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(to_qonnx(MODEL).SerializeToString())
    weights = load_weights(tmp_path / "a")
    assert weights.model is not None
    assert weights.provenance == weights.model.provenance
    assert weights.provenance["imported"] == {"file": "a", "format": "onnx", "producer": "bnnedge 0.1.0"}
    (tmp_path / "b").write_bytes(to_finn(MODEL).SerializeToString())
    assert load_weights(tmp_path / "b").digest == weights.digest
    upright = load(tmp_path / "a")
    save_packed(upright, tmp_path / "c")
    assert digest(load(tmp_path / "c")) == digest(upright)


@pytest.mark.parametrize("form", ["npz", "state dict"])
def test_weights_are_no_network(tmp_path: Path, form: str) -> None:
    SAVERS[form](tmp_path / "a")
    with pytest.raises(UnsupportedError):
        load(tmp_path / "a")
    SAVERS["safetensors"](tmp_path / "a")
    with pytest.raises(FileError, match="not a packed 1-bit model"):
        load(tmp_path / "a")


def refused(path: Path | str, message: str) -> None:
    for read in (load, load_weights):
        with pytest.raises(FileError, match=message):
            read(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no file .*none")
    refused("no-such-preset", "no file no-such-preset")
    refused(tmp_path / ("x" * 300), "cannot read")
    refused("a\0b", "cannot read|no file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a plain file")
    (tmp_path / "empty.pt").touch()
    refused(tmp_path / "empty.pt", "is empty")
    (tmp_path / "run").mkdir()
    with pytest.raises(FileError):
        load_weights(tmp_path / "run")


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("words.txt", "words")
    refused(tmp_path / "a.zip", "neither of PyTorch nor of NumPy")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    refused(tmp_path / "b.zip", "no whole archive")


def test_a_truncated_checkpoint(tmp_path: Path) -> None:
    save_packed(MODEL, tmp_path / "a")
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[:-9])
    refused(tmp_path / "a", "no whole safetensors file")
    (tmp_path / "a").write_bytes(content[:40])
    refused(tmp_path / "a", "none of the formats known here")


def test_a_file_too_large_for_any_format(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as handle:
        handle.write(b"words")
        handle.truncate(2**31)
    refused(tmp_path / "a", "none of the formats known here")


def test_only_state_dicts_load_pytorch(tmp_path: Path) -> None:
    SAVERS["npz"](tmp_path / "a")
    SAVERS["safetensors"](tmp_path / "b")
    (tmp_path / "c").write_bytes(to_qonnx(MODEL).SerializeToString())
    work = "from bnnedge.importers import load_weights\nfor name in 'abc': load_weights(name)"
    check = f"import sys\n{work}\nsys.exit('torch' in sys.modules or 'qonnx' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=tmp_path)
