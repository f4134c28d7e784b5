"""What a file is, by its first bytes: suffixes lie, and a hostile file must not choose its own reader."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from bnnedge.errors import FileError

__all__ = ["Format", "recognise"]

Format = Literal["safetensors", "npz", "state dict", "onnx"]

_HEAD = 512  # bytes: one block of a tar archive
_PICKLE = b"\x80"  # protocol 2 and later; everything PyTorch wrote before it wrote zip archives
_LARGEST_PROTOBUF = 2**31  # bytes


def recognise(path: Path) -> Format:
    """The format of a file of weights; nothing of its content is interpreted.

    ONNX has no mark of its own, so it is what remains; its reader says whether it is one.

    Raises:
        FileError: missing, empty, not a plain file, or an archive of something else.
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _recognise_archive(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "safetensors"
    if head.startswith(_PICKLE) or head[257:262] == b"ustar":
        return "state dict"
    if path.stat().st_size >= _LARGEST_PROTOBUF:
        raise FileError(
            f"{path} is none of the formats known here",
            "expected safetensors, .npz, a PyTorch state dict, or ONNX below 2 GiB",
        )
    return "onnx"


def _head(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise FileError(f"{path} is not a plain file", "name a checkpoint, a run directory or a preset")
        with path.open("rb") as handle:
            head = handle.read(_HEAD)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}", "name a checkpoint, a run directory or a preset") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if not head:
        raise FileError(f"{path} is empty", "copy it again")
    return head


def _recognise_archive(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileError(
            f"{path} is no whole archive: {error}", "the file is truncated or corrupt; copy it again"
        ) from error
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "state dict"
    if any(name.endswith(".npy") for name in names):
        return "npz"
    raise FileError(
        f"{path} is an archive, but neither of PyTorch nor of NumPy",
        "expected what torch.save or numpy.savez writes",
    )
