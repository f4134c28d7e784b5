"""Other people's programs: run, and where they fail, quoted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bnnedge.errors import FileError, VerificationError

__all__ = ["call", "find_program", "where"]


def find_program(names: Sequence[str], how: str) -> str:
    """The first of these programs that is on the path, or installed beside this Python.

    Args:
        names: in order of preference.
        how: to install one.

    Raises:
        VerificationError: none is there.
    """
    for found in [*map(shutil.which, names), *map(where, names)]:
        if found:
            return found
    raise VerificationError(f"none of {', '.join(names)} is on the path", how)


def where(name: str) -> str | None:
    """A program on the path, or installed beside this Python."""
    return shutil.which(name) or shutil.which(Path(sys.executable).parent / name)


def call(command: Sequence[str], folder: Path, *, errors: bool = False) -> str:
    """What a program prints, run in a folder; with ``errors`` what it prints on stderr comes with it.

    Raises:
        FileError: it failed; its first complaint is in the message.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        complaint = next((line for line in lines if "error" in line.lower()), " ".join(lines[-1:]))
        raise FileError(f"{Path(command[0]).name} exited with {done.returncode}: {complaint}")
    return done.stdout + done.stderr if errors else done.stdout
