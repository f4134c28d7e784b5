"""Mutations of archives and of what lies in them: zip, tar, NumPy's headers, pickles that would run code."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import re
import tarfile
import tempfile
import zipfile
from pathlib import Path

from fuzz_bytes import INTEGERS, Mutation, bytewise

__all__ = ["MARKER", "numpy_array", "pickled", "tarred", "zipped"]

MARKER = Path(tempfile.gettempdir()) / "bnnedge-fuzz-ran-code"
"""A file that only code out of a mutated file would write."""

_NAMES = (
    "../secret.npy",
    "/etc/secret.npy",
    "a/../../b.npy",
    "\x00.npy",
    "x" * 300 + ".npy",
    "archive/data.pkl",
)
_BOMB = 48 << 20  # bytes of zeros, which DEFLATE makes a thousandth of
_SHAPE = re.compile(rb"'shape': \([0-9, ]*\)")
_TYPE = re.compile(rb"'descr': '[^']*'")


def zipped(inner: Mutation) -> Mutation:
    """A mutation of one member, or of the archive: names that climb, members twice, encrypted, or bombs."""

    def mutate(content: bytes, dice: random.Random) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
            return bytewise(content, dice)
        if not members or dice.random() < 0.1:
            return bytewise(content, dice)
        place = dice.randrange(len(members))
        name, body = members[place]
        compression = dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        match dice.randrange(200):
            case 0:
                members[place] = (name, body + bytes(_BOMB))
                compression = zipfile.ZIP_DEFLATED
            case kind if kind < 6:
                members[place] = (dice.choice(_NAMES), body)
            case kind if kind < 12:
                members.append((name, members[dice.randrange(len(members))][1]))
            case kind if kind < 18:
                del members[place]
            case _:
                members[place] = (name, inner(body, dice))
        return _zip(members, compression)

    return mutate


def tarred(content: bytes, dice: random.Random) -> bytes:
    """A gzipped tar whose members are links, devices, elsewhere, sparse, twice or damaged."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = [
                (info, (stream := tar.extractfile(info)) and stream.read()) for info in tar.getmembers()
            ]
    except (tarfile.TarError, OSError, EOFError, ValueError):
        return bytewise(content, dice)
    buffer = io.BytesIO()
    chosen = dice.randrange(len(members) or 1)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for place, (info, body) in enumerate(members):
            data = body or b""
            if place == chosen:
                data = bytewise(data, dice) if dice.random() < 0.5 else data
                info.name = dice.choice((info.name, info.name, "../" + info.name, "/tmp/" + info.name))  # noqa: S108
                info.type = dice.choice(
                    (info.type, info.type, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)
                )
                info.linkname = dice.choice(("", "/etc/passwd", "../../secret", info.name))
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    plain = buffer.getvalue()
    return gzip.compress(plain if dice.random() < 0.7 else bytewise(plain, dice), compresslevel=1, mtime=0)


def numpy_array(content: bytes, dice: random.Random) -> bytes:
    """A ``.npy`` of another shape or type than its bytes, or of Python objects."""
    match dice.randrange(4):
        case 0:
            sizes = [abs(dice.choice(INTEGERS)) for _ in range(dice.choice((0, 1, 2, 2, 3, 4, 40)))]
            shape = "".join(f"{size}, " for size in sizes)
            return _SHAPE.sub(f"'shape': ({shape})".encode(), content, count=1)
        case 1:
            kinds = (
                "|O",
                "<U9",
                "|S0",
                "<f2",
                "<f8",
                "|b1",
                "<c16",
                "<M8[s]",
                "|V7",
                "<i8",
                "|u1",
                "f99",
                ">u2",
            )
            return _TYPE.sub(f"'descr': '{dice.choice(kinds)}'".encode(), content, count=1)
        case 2:
            return content[:10] + bytewise(content[10:128], dice) + content[128:]
        case _:
            return bytewise(content, dice)


def pickled(content: bytes, dice: random.Random) -> bytes:
    """A pickle with other instructions, one that would run a program, or one that claims too much."""
    match dice.randrange(8):
        case 0:
            return pickle.dumps(_Payload(), protocol=dice.choice((0, 2, 4)))
        case 1:  # the call before the rest, its result thrown away
            call = pickle.dumps(_Payload(), protocol=2)[2:-1]
            return b"\x80\x02" + call + b"0" + content[2:]
        case 2:
            claim = dice.choice((b"\x8e", b"\x8d", b"\x96")) + dice.choice(INTEGERS[-9:-3]).to_bytes(
                8, "little"
            )
            return content[:2] + claim + content[2:]
        case 3:
            place = dice.randrange(2, max(3, len(content)))
            return content[:place] + dice.choice((b"]", b"}", b")", b"N", b"(")) * 3000 + content[place:]
        case 4:
            names = (b"cos\nsystem\n", b"cbuiltins\neval\n", b"cbuiltins\nbytearray\n", b"ctorch\nTensor\n")
            return content[:2] + dice.choice(names) + content[2:]
        case _:
            return bytewise(content, dice)


class _Payload:
    """What an attacker pickles."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (f"touch {MARKER}",)


def _zip(members: list[tuple[str, bytes]], compression: int) -> bytes:
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # a name twice is meant
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body, compress_type=compression)
    return buffer.getvalue()
