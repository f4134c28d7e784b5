"""Locks that the operating system takes back from a process which ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from bnnedge.errors import OutputError

__all__ = ["held", "is_at", "locked"]

_HOLDER = re.compile(r"(\d{1,10}) (\S{1,255})\n")


@contextmanager
def held(path: Path, doing: str, hint: str, *, alone: bool = True, patience: float = 0.0) -> Iterator[None]:
    """Keep others off what a file stands for, until the block ends or the process is killed.

    Who is alone writes process and host into the file, and removes it in the end; one that a killed process
    left is taken over.

    Args:
        path: of the file, in a folder that is there.
        doing: what goes on where somebody has it, as in "runs/0001-digits-tfc is being trained".
        hint: of the error then.
        alone: nobody else may have it; else others may who do not want to be alone either.
        patience: seconds to wait for it.

    Raises:
        OutputError: somebody has it, or the file cannot be written or locked.
    """
    deadline = time.monotonic() + patience
    while (handle := _taken(path, alone=alone)) is None:
        if time.monotonic() >= deadline:
            raise OutputError(f"{doing} by {_holder(path)}", hint)
        time.sleep(0.05)
    with handle:
        try:
            yield
        finally:
            if alone and is_at(handle.fileno(), path):
                path.unlink()


def locked(descriptor: int, *, alone: bool = True) -> bool:
    """Lock an open file or folder; whether nobody else has it.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether what is open still has this name: another process may have removed it before it was locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _taken(path: Path, *, alone: bool) -> BinaryIO | None:
    """The file, open and locked; None where somebody else has it."""
    try:
        while True:
            with ExitStack() as unless_ours:
                handle = unless_ours.enter_context(path.open("a+b"))
                if not locked(handle.fileno(), alone=alone):
                    return None
                if is_at(handle.fileno(), path):
                    if alone:
                        handle.truncate(0)
                        handle.write(f"{os.getpid()} {platform.node()}\n".encode())
                        handle.flush()
                    unless_ours.pop_all()
                    return handle
    except OSError as error:
        raise OutputError(
            f"cannot lock {path}: {error.strerror or error}",
            "check that the folder is yours to write, the disk has room, and its file system has locks",
        ) from error


def _holder(path: Path) -> str:
    """Who has a lock; one that is shared, or was taken this moment, does not say."""
    try:
        with path.open("rb") as handle:
            found = _HOLDER.fullmatch(handle.read(300).decode(errors="replace"))
    except OSError:
        found = None
    return f"process {found[1]} on {found[2]}" if found else "another process"
