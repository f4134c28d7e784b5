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

from bnnedge.archives import GzipMember, most_expanded
from bnnedge.data.dataset import SourceSet
from bnnedge.data.files import check_digest
from bnnedge.data.labels import number_labels
from bnnedge.errors import FileError

__all__ = ["AXES", "IdxFile", "find_files", "read_idx", "read_set"]

AXES: Mapping[str, int] = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}
"""The four files of a set, and how many axes each has."""

_LARGEST = 1 << 30  # values a file may have; the largest EMNIST has 547 million
_PIECE = 1 << 20


@dataclass(frozen=True, eq=False)
class IdxFile:
    """The values of one file, uint8, and the SHA-256 of its decompressed bytes, header and all."""

    path: Path
    values: NDArray[np.uint8]
    sha256: str


def find_files(folder: Path) -> dict[str, Path]:
    """The files of a set that are in a folder, by their names in :data:`AXES`.

    Both customs of naming count, ``train-images-idx3-ubyte`` and ``train-images.idx3-ubyte``, each with
    or without ``.gz``; where there are several of one, the first of these.
    """
    spellings = {
        name: [
            f"{spelling}{suffix}"
            for suffix in ("", ".gz")
            for spelling in (name, name.replace("-idx", ".idx"))
        ]
        for name in AXES
    }
    return {
        name: paths[0]
        for name, candidates in spellings.items()
        if (paths := [path for spelling in candidates if (path := folder / spelling).is_file()])
    }


def read_set(files: Mapping[str, Path], digests: Mapping[str, str] | None) -> SourceSet:
    """Read the four files of a set.

    Args:
        files: path of each, by the names of :data:`AXES`.
        digests: expected SHA-256 of each one's decompressed bytes; None when nobody knows it.

    Raises:
        FileError: a file that is unreadable, broken, unexpected, or that does not fit the others.
        DataError: labels that only the test part has.
    """
    idx = {name: read_idx(files[name], axes) for name, axes in AXES.items()}
    if digests is not None:
        for name, file in idx.items():
            check_digest(file.path, file.sha256, digests[name])
    train, train_labels, test, test_labels = idx.values()
    _check_pair(train, train_labels)
    _check_pair(test, test_labels)
    if train.values.shape[1:] != test.values.shape[1:]:
        raise FileError(
            f"{train.path} has images of {_size(train)}, but {test.path} of {_size(test)}",
            "the files are of different sets; put those of one set together",
        )
    numbered, test_numbered, names = number_labels(train_labels.values, test_labels.values)
    return SourceSet(
        train_inputs=train.values[:, None],
        train_labels=numbered,
        test_inputs=test.values[:, None],
        test_labels=test_numbered,
        class_names=names,
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
            if zipped:
                return _parse(GzipMember(file), path, axes, most_expanded(path.stat().st_size))
            return _parse(file, path, axes, _LARGEST)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except (EOFError, zlib.error) as error:
        raise FileError(f"{path} is a damaged gzip file: {error}", "copy or fetch it again") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _parse(stream: io.BufferedReader | GzipMember, path: Path, axes: int, most: int) -> IdxFile:
    """The file in a stream, of ``most`` values and never more than :data:`_LARGEST`."""
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
    if not 0 < promised <= min(most, _LARGEST):
        raise FileError(
            f"{path} says that it holds {sizes} values, expected 1 to {min(most, _LARGEST)} in all",
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


def _read_at_most(stream: io.BufferedReader | GzipMember, limit: int) -> bytearray:
    """Up to ``limit`` bytes, in memory that grows with what really comes."""
    content = bytearray()
    while piece := stream.read(min(_PIECE, limit - len(content))):
        content += piece
    return content


def _check_pair(images: IdxFile, labels: IdxFile) -> None:
    if len(images.values) != len(labels.values):
        raise FileError(
            f"{images.path} has {len(images.values)} images, but {labels.path} {len(labels.values)} labels",
            "the files are of different sets; put those of one set together",
        )


def _size(images: IdxFile) -> str:
    return "{} x {}".format(*images.values.shape[1:])
