"""NumPy's and gzip's files, from strangers: plain arrays alone, and no more memory than a file may ask for.

What a header claims is compared with the bytes that are there before anything is allocated; what a file
decompresses to is bounded (:func:`most_expanded`), since DEFLATE makes a gigabyte of a megabyte.
"""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from bnnedge.errors import FileError

__all__ = ["GzipMember", "PlainArrays", "most_expanded", "open_npz", "read_npy"]

Array = NDArray[Any]

_LEAST = 128 << 20  # bytes that a file of any size may decompress to
_TIMES = 8  # or so many times its own
_PIECE = 1 << 18

# What NumPy and zipfile were seen to raise of files that are damaged, encrypted or of Python objects.
_DAMAGE = (
    AttributeError, EOFError, LookupError, MemoryError, OSError, OverflowError, RecursionError, RuntimeError,
    SyntaxError, TypeError, ValueError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_HINT = "the file is damaged, or holds Python objects, which are never loaded; save plain arrays"


def most_expanded(size: int) -> int:
    """Bytes that a compressed file of ``size`` bytes may decompress to: 8 times as many, or 128 MiB."""
    return max(_LEAST, _TIMES * size)


class PlainArrays:
    """The arrays of an archive by name, each read when it is asked for.

    Attributes:
        names: of the arrays, in the archive's order, without ``.npy``.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        self.names = tuple(self._members)

    def __getitem__(self, name: str) -> Array:
        """One array.

        Raises:
            FileError: it is damaged, or of Python objects.
            KeyError: there is none of that name.
        """
        info = self._members[name]
        try:
            with self._archive.open(info) as stream:
                return _array(stream, info.file_size)
        except _DAMAGE as error:
            raise _damaged(self._path, ".npz", error) from error


@contextmanager
def open_npz(path: Path) -> Iterator[PlainArrays]:
    """The arrays of a ``.npz``.

    Raises:
        FileError: missing, unreadable, no such archive, or one that decompresses to more than it may.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except _DAMAGE as error:
        if _starts_as_npy(path):
            raise FileError(f"{path} holds one array", "expected a .npz of several: numpy.savez") from error
        raise _damaged(path, ".npz", error) from error
    with archive:
        members = archive.infolist()
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in members):
            raise FileError(f"{path} is compressed in a way that NumPy does not", _HINT)
        expanded, most = sum(info.file_size for info in members), most_expanded(path.stat().st_size)
        if expanded > most:
            raise FileError(
                f"{path} decompresses to {expanded:,} bytes, more than the {most:,} that it may have",
                "save the arrays uncompressed: numpy.savez",
            )
        yield PlainArrays(path, archive)


def read_npy(path: Path) -> Array:
    """The array of a ``.npy``.

    Raises:
        FileError: missing, unreadable, damaged, or of Python objects.
    """
    try:
        with path.open("rb") as stream:
            return _array(stream, path.stat().st_size)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except _DAMAGE as error:
        raise _damaged(path, ".npy", error) from error


class GzipMember:
    """What a gzipped stream holds, read on demand and with no more memory than is asked for.

    Other than Python's own reader it takes one member alone: a file of empty members, or of zeros behind the
    last, keeps that one busy byte by byte.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._machine = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def read(self, size: int) -> bytes:
        """The next bytes: ``size`` of them, fewer at the end.

        Raises:
            EOFError: the stream ends too early.
            zlib.error: it is damaged, or goes on behind the member's end.
        """
        content = bytearray()
        while len(content) < size and not self._machine.eof:
            pending = self._machine.unconsumed_tail or self._stream.read(_PIECE)
            piece = self._machine.decompress(pending, size - len(content))
            if not (pending or piece or self._machine.eof):
                raise EOFError("it ends within its compressed data")
            content += piece
        if self._machine.eof and (self._machine.unused_data or self._stream.read(1)):
            raise zlib.error("it goes on behind its end")
        return bytes(content)


def _array(stream: IO[bytes], size: int) -> Array:
    """The array of a stream of ``size`` bytes, once its header has been found to be honest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about headers of Python 2
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, fortran, dtype = header[npy.read_magic(stream)](stream)
        promised = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or promised > size or dtype.names is not None:
            raise ValueError(f"{dtype} of shape {shape} is no plain array of {size} bytes")
    content = bytearray(promised)
    filled, view = 0, memoryview(content)
    while count := stream.readinto(view[filled : filled + _PIECE]):  # type: ignore[attr-defined]
        filled += count
    if filled != promised or stream.read(1):
        raise EOFError(f"{filled} bytes of {promised}, or more")
    array: Array = np.frombuffer(content, dtype=dtype)
    if dtype.kind == "b":
        array = array.view(np.uint8) != 0  # a byte of 2 is True, but not to be found among False and True
    return array.reshape(shape, order="F" if fortran else "C")


def _starts_as_npy(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
    except OSError:
        return False


def _damaged(path: Path, form: str, error: Exception) -> FileError:
    what = f"{type(error).__name__}: {str(error)[:200]}"
    return FileError(f"{path} is no whole {form} of plain arrays: {what}", _HINT)
