"""Files that are whole or not there: written beside their place, synced, then moved into it.

What is being written is a draft: ``.NAME.*.part`` beside its place, locked by the process that fills it. One
that nobody has locked was left by a process that was killed; the next that writes the same name removes it.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnnedge.errors import OutputError
from bnnedge.locks import is_at, locked

__all__ = [
    "atomic_directory",
    "clear_drafts",
    "draft_directory",
    "is_draft",
    "scratch_directory",
    "sha256_of",
    "write_atomically",
    "writing",
]


def write_atomically(path: Path, data: bytes | str, *, keep: Path | None = None) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old content or the new, whole.

    Args:
        path: of the file.
        data: its new content.
        keep: where the old content goes, in the same folder; absent: it is replaced. A kill may come between
            the two moves: then the old content is there, and nothing is at ``path``.

    Raises:
        OutputError: the place cannot be written (missing, read-only, full).
    """
    content = data.encode() if isinstance(data, str) else data
    with writing(path):
        descriptor, draft = _begin(path, folder=False)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as handle:
                handle.write(content)
                handle.flush()
                os.fsync(descriptor)
            draft.chmod(0o666 & ~_umask())
            if keep is not None and path.exists():
                path.replace(keep)
            draft.replace(path)
        finally:
            _end(descriptor, draft)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A fresh folder to fill, which takes the place of ``path`` once the block ends without an error.

    A folder that is replaced is moved out of the way at once, never emptied where it is: a kill between the
    two moves leaves nothing at ``path``, and never half of something.

    Raises:
        OutputError: the place cannot be written.
    """
    with draft_directory(path) as draft:
        yield draft
        with writing(path):
            draft.chmod(0o777 & ~_umask())
            if path.exists():
                _replace_directory(path, draft)
            else:
                draft.replace(path)


@contextmanager
def draft_directory(path: Path) -> Iterator[Path]:
    """A fresh folder beside ``path``, which is removed in the end unless it has been moved.

    Raises:
        OutputError: the place cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = _begin(path, folder=True)
    try:
        yield draft
    finally:
        _end(descriptor, draft)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A fresh folder among the system's temporary ones; those that killed processes left of theirs go.

    Raises:
        OutputError: it cannot be written.
    """
    with draft_directory(Path(tempfile.gettempdir()) / "bnnedge") as folder:
        yield folder


def clear_drafts(folder: Path, name: str = "*") -> None:
    """Remove the drafts of one name, or of all, that processes left which are no more.

    Raises:
        OSError: the folder cannot be looked into.
    """
    for draft in folder.glob(f".{name}.*.part"):
        try:
            descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone, or somebody else's
            continue
        try:
            if _is_free(descriptor):
                _remove(draft)
        finally:
            os.close(descriptor)


def is_draft(path: Path) -> bool:
    """Whether a name is that of a draft."""
    return path.name.startswith(".") and path.name.endswith(".part")


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


def _begin(path: Path, *, folder: bool) -> tuple[int, Path]:
    """A new draft of ``path``, open and locked; what killed processes left of theirs goes."""
    clear_drafts(path.parent, glob.escape(path.name))
    while True:
        if folder:
            draft = _empty_folder(path)
            descriptor = os.open(draft, os.O_RDONLY)
        else:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            draft = Path(name)
        _is_free(descriptor)
        if is_at(descriptor, draft):  # or else another process took it for one that was left
            return descriptor, draft
        os.close(descriptor)


def _end(descriptor: int, draft: Path) -> None:
    """Remove a draft, unless it has been moved into its place."""
    try:
        _remove(draft)
    finally:
        os.close(descriptor)


def _empty_folder(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))


def _is_free(descriptor: int) -> bool:
    """Lock a draft; without locks in the file system nobody knows, and it stays."""
    try:
        return locked(descriptor)
    except OSError:
        return False


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        draft.unlink(missing_ok=True)


def _replace_directory(path: Path, draft: Path) -> None:
    """Two moves: the old folder becomes a draft, the new one takes its place."""
    old = _empty_folder(path)
    path.replace(old)
    try:
        draft.replace(path)
    except OSError:
        old.replace(path)
        raise
    _remove(old)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
