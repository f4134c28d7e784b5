"""IDX files, the format of MNIST and its kin: found, read with care, and recognised by their SHA-256.

::

    bytes 0-1    zero
    byte 2       type of the values; 08, unsigned bytes, is the one read here
    byte 3       number of axes
    4 an axis    its size, big-endian
    the rest     the values, last axis fastest

A file may be gzipped, whatever its name says. It may also be broken or hostile: nothing is allocated on the
word of a header, and nothing is decompressed beyond what the header promised.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import ImageSet
from bnnedge.errors import FileError

__all__ = ["AXES", "SHA256", "IdxFile", "file_name", "find_files", "read_idx", "read_set"]

AXES: Mapping[str, int] = {"train-images": 3, "train-labels": 1, "t10k-images": 3, "t10k-labels": 1}
"""The four parts of a set, and how many axes each has."""

SHA256: dict[str, Mapping[str, str]] = {
    "mnist": {
        "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
"""Of the decompressed files of the real sets."""

_LARGEST = 1 << 30  # values a file may have; the largest EMNIST has 547 million
_PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class IdxFile:
    """The values of one file, uint8, and the SHA-256 of its decompressed bytes, header and all."""

    path: Path
    values: NDArray[np.uint8]
    sha256: str


def file_name(part: str) -> str:
    """What the file of a part is called.

    >>> file_name("t10k-labels")
    't10k-labels-idx1-ubyte'
    """
    return f"{part}-idx{AXES[part]}-ubyte"


def find_files(root: Path, subfolders: tuple[str, ...]) -> dict[str, Path]:
    """The files of a set by part: those of the first subfolder that has all four, else the most of them.

    Both customs of naming count, ``train-images-idx3-ubyte`` and ``train-images.idx3-ubyte``, each with
    or without ``.gz``; where one folder has several of a part, the first of these.

    Raises:
        FileError: a folder that may not be looked into.
    """
    try:
        found = [_files_in(root / subfolder) for subfolder in subfolders]
    except OSError as error:
        raise FileError(f"cannot look into {root}: {error.strerror or error}") from error
    return max(found, key=len)


def read_set(files: Mapping[str, Path], digests: Mapping[str, str] | None) -> ImageSet:
    """Read the four files of a set.

    Args:
        files: path of each part.
        digests: expected SHA-256 of each part's decompressed bytes; None when nobody knows it.

    Raises:
        FileError: a file that is unreadable, broken, unexpected, or that does not fit the others.
    """
    idx = {part: read_idx(files[part], axes) for part, axes in AXES.items()}
    if digests is not None:
        for part, file in idx.items():
            _check_digest(file, digests[part])
    for images, labels in (("train-images", "train-labels"), ("t10k-images", "t10k-labels")):
        _check_pair(idx[images], idx[labels])
    train, test = idx["train-images"], idx["t10k-images"]
    if train.values.shape[1:] != test.values.shape[1:]:
        raise FileError(
            f"{train.path} has images of {_size(train)}, but {test.path} of {_size(test)}",
            "the files are of different sets; put those of one set together",
        )
    return ImageSet(
        train_images=train.values,
        train_labels=idx["train-labels"].values.astype(np.int64),
        test_images=test.values,
        test_labels=idx["t10k-labels"].values.astype(np.int64),
        maximum=255,
        source=f"IDX files in {train.path.parent}",
        verified=digests is not None,
    )


def read_idx(path: Path, axes: int) -> IdxFile:
    """Read a file of unsigned bytes, plain or gzipped.

    Args:
        path: of the file.
        axes: how many the file must have; sets the shape of ``values``.

    Raises:
        FileError: missing, truncated, too long, damaged, too large or of another format.
    """
    try:
        with path.open("rb") as file:
            zipped = file.peek(2)[:2] == b"\x1f\x8b"
            return _parse(gzip.GzipFile(fileobj=file) if zipped else file, path, axes)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path} is a damaged gzip file: {error}", "copy or fetch it again") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _parse(stream: io.BufferedIOBase, path: Path, axes: int) -> IdxFile:
    header = stream.read(4 + 4 * axes)
    magic = bytes([0, 0, 8, axes])
    if header[:4] != magic[: len(header)]:
        raise FileError(
            f"{path} starts with {header[:4].hex(' ')}, expected {magic.hex(' ')}",
            f"expected an IDX file of unsigned bytes with {axes} {'axis' if axes == 1 else 'axes'}",
        )
    if len(header) < 4 + 4 * axes:
        raise FileError(f"{path} ends after {len(header)} bytes, within its header", "copy or fetch it again")
    shape = struct.unpack(f">{axes}I", header[4:])
    sizes, promised = " x ".join(map(str, shape)), math.prod(shape)
    if not 0 < promised <= _LARGEST:
        raise FileError(
            f"{path} says that it holds {sizes} values, expected 1 to {_LARGEST} in all",
            "the file is empty, its header is damaged, or the set is too large to be held in memory",
        )
    content = _read_at_most(stream, promised + 1)
    if len(content) != promised:
        raise FileError(
            f"{path} should hold {sizes} values, "
            f"but has {'more' if len(content) > promised else len(content)}",
            "the file is truncated or damaged; copy or fetch it again",
        )
    digest = hashlib.sha256(header)
    digest.update(content)
    return IdxFile(path, np.frombuffer(content, dtype=np.uint8).reshape(shape), digest.hexdigest())


def _read_at_most(stream: io.BufferedIOBase, limit: int) -> bytearray:
    """Up to ``limit`` bytes, in memory that grows with what really comes."""
    content = bytearray()
    while piece := stream.read(min(_PIECE, limit - len(content))):
        content += piece
    return content


def _check_digest(file: IdxFile, expected: str) -> None:
    if file.sha256 != expected:
        raise FileError(
            f"{file.path} is not the real file: its SHA-256 is {file.sha256}, expected {expected}",
            "fetch the set again (scripts/fetch_datasets), or load files of your own under the name 'idx'",
        )


def _check_pair(images: IdxFile, labels: IdxFile) -> None:
    if len(images.values) != len(labels.values):
        raise FileError(
            f"{images.path} has {len(images.values)} images, but {labels.path} {len(labels.values)} labels",
            "the files are of different sets; put those of one set together",
        )


def _size(images: IdxFile) -> str:
    return "{} x {}".format(*images.values.shape[1:])


def _files_in(folder: Path) -> dict[str, Path]:
    return {
        part: paths[0]
        for part, axes in AXES.items()
        if (
            paths := [
                path
                for suffix in ("", ".gz")
                for separator in "-."
                if (path := folder / f"{part}{separator}idx{axes}-ubyte{suffix}").is_file()
            ]
        )
    }
