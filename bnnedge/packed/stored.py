"""Tensors in safetensors files, ours and others', found by their headers and viewed where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError

__all__ = ["DTYPES", "StoredTensor", "read_header"]

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip
"""NumPy's name of each type; bfloat16, which NumPy lacks, is the upper half of a float32."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file.

    Attributes:
        path: of the file.
        dtype: as the format calls it.
        shape: of the tensor.
        start: where its bytes begin, counted from the file's first.
        bytes: how many there are.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    bytes: int

    def view(self) -> NDArray[Any]:
        """The values in the file itself, read when used and never all in memory at once.

        Raises:
            FileError: a type that is not in :data:`DTYPES`.
        """
        if self.dtype not in DTYPES:
            raise FileError(f"{self.path} holds values of type {self.dtype}", f"expected {', '.join(DTYPES)}")
        if not self.bytes:
            return np.zeros(self.shape, DTYPES[self.dtype])
        return np.memmap(self.path, DTYPES[self.dtype], "r", self.start, self.shape)


def read_header(path: Path) -> tuple[dict[str, str], dict[str, StoredTensor]]:
    """The metadata of a safetensors file, and its tensors by name.

    Raises:
        FileError: missing, unreadable, truncated or corrupt.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:  # checks header, offsets and sizes
            metadata: dict[str, str] = file.metadata() or {}
        with path.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = parse_json(handle.read(length))
    except FileNotFoundError as error:
        raise FileError(f"no file {path}", "name a checkpoint, a run directory or a preset") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, ValueError) as error:
        raise FileError(
            f"{path} is no whole safetensors file: {error}",
            "the file is truncated, corrupt or of another format; copy it again",
        ) from error
    header.pop("__metadata__", None)
    return metadata, {
        name: StoredTensor(
            path,
            entry["dtype"],
            tuple(entry["shape"]),
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }
