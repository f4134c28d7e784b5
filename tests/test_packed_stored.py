"""Tensors found in safetensors files: where they lie, in any type, and files that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from bnnedge.errors import FileError
from bnnedge.packed.stored import StoredTensor, read_header


def test_views_are_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    rng = np.random.default_rng(0)
    saved: dict[str, NDArray[Any]] = {
        "bytes": rng.integers(0, 256, (3, 5)).astype(np.uint8),
        "numbers": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "nothing": np.zeros((0, 4), dtype=np.int64),
        "one": np.array(7, dtype=np.int16),
    }
    safetensors.numpy.save_file(saved, path, metadata={"who": "me"})
    metadata, stored = read_header(path)
    assert metadata == {"who": "me"}
    assert stored.keys() == saved.keys()
    for name, tensor in stored.items():
        view = tensor.view()
        assert np.array_equal(view, saved[name])
        assert (view.dtype, view.shape, tensor.bytes) == (saved[name].dtype, saved[name].shape, view.nbytes)


def test_what_is_no_such_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no file"):
        read_header(tmp_path / "absent")
    with pytest.raises(FileError, match="cannot read"):
        read_header(tmp_path)
    (tmp_path / "text").write_text("not tensors")
    with pytest.raises(FileError, match="no whole safetensors file"):
        read_header(tmp_path / "text")
    with pytest.raises(FileError, match="values of type F8_E4M3"):
        StoredTensor(tmp_path / "text", "F8_E4M3", (1,), 0, 1).view()
