"""Other people's programs: run, and where they fail, quoted."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bnnedge.errors import FileError

__all__ = ["call"]


def call(command: Sequence[str], folder: Path) -> str:
    """What a program prints, run in a folder.

    Raises:
        FileError: it failed; its first complaint is in the message.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        complaint = next((line for line in lines if "error" in line.lower()), " ".join(lines[-1:]))
        raise FileError(f"{Path(command[0]).name} exited with {done.returncode}: {complaint}")
    return done.stdout
