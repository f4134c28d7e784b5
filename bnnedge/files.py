"""Files that are whole or not there: written beside their place, synced, then moved into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnnedge.errors import OutputError

__all__ = ["atomic_directory", "sha256_of", "write_atomically", "writing"]


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old content or the new, whole.

    Raises:
        OutputError: the place cannot be written (missing, read-only, full).
    """
    content = data.encode() if isinstance(data, str) else data
    with writing(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A fresh folder to fill, which takes the place of ``path`` once the block ends without an error.

    Raises:
        OutputError: the place cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield draft
        with writing(path):
            draft.chmod(0o777 & ~_umask())
            if path.exists():
                shutil.rmtree(path)
            draft.replace(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing ``path`` into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}",
            "check that the folder exists, that it is yours to write, and that the disk has room",
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
