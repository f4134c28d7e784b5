"""The manifest of an export folder: what it was made from, what lies in it, and how it was verified."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import bnnedge
from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.files import sha256_of, write_atomically

__all__ = ["MANIFEST", "TARGETS", "Manifest", "check_files", "hash_files", "read_manifest", "write_manifest"]

MANIFEST = "manifest.json"
FORMAT = "bnnedge.export"
SCHEMA = 1
TARGETS = ("onnx", "qonnx", "finn", "pynq", "c", "rtl")


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says of the folder that it lies in.

    Attributes:
        target: ``onnx``, ``qonnx``, ``finn``, ``pynq``, ``c`` or ``rtl``.
        digest: SHA-256 of what the model computes.
        files: SHA-256 of every other file, by name.
        board: the board, for ``pynq``.
        finn: which FINN is to build it, for ``pynq``.
        fps: the frames a second that were asked for.
        lut_budget: the look-up tables that it may take, where that was asked for.
        provenance: where the model came from.
        verification: samples and layers compared with the golden model; None while it is being verified.
    """

    target: str
    digest: str
    files: dict[str, str]
    board: str | None = None
    finn: str | None = None
    fps: int | None = None
    lut_budget: int | None = None
    provenance: dict[str, object] = field(default_factory=dict)
    verification: dict[str, object] | None = None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``; the same manifest always gives the same bytes."""
    content = {"format": FORMAT, "schema": SCHEMA, "bnnedge": bnnedge.__version__} | asdict(manifest)
    write_atomically(folder / MANIFEST, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json``.

    Raises:
        FileError: missing, damaged, or of another format or a newer schema.
    """
    path = folder / MANIFEST
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileError(f"{folder} has no {MANIFEST}", "name a folder that bnnedge export wrote") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"{path} is no JSON: {error}", "export the folder again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FileError(f"{path} is not the manifest of an export", "name a folder that bnnedge export wrote")
    if content.pop("schema", None) != SCHEMA:
        raise FileError(f"{path} is of another schema", f"this bnnedge reads schema {SCHEMA}")
    try:
        manifest = Manifest(
            **{name: value for name, value in content.items() if name not in ("format", "bnnedge")}
        )
    except TypeError as error:
        raise FileError(f"{path} is damaged: {error}", "export the folder again") from error
    names = manifest.files if isinstance(manifest.files, dict) else None
    if (
        manifest.target not in TARGETS
        or not names
        or any(Path(name).name != name or len(name) > 200 for name in names)
    ):
        raise FileError(f"{path} is damaged: bad target or file names", "export the folder again")
    return manifest


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder but the manifest, by name."""
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare the folder's files with the manifest; files that it does not name are nobody's business.

    Raises:
        FileError: a file is missing or was changed.
    """
    for name, expected in manifest.files.items():
        path = folder / name
        if path.is_symlink():
            raise FileError(f"{path} is a link to another place", "export the folder again")
        if not path.is_file():
            raise FileError(f"{folder} lacks {name}, which its {MANIFEST} names", "export the folder again")
        try:
            actual = sha256_of(path)
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror or error}") from error
        if actual != expected:
            raise FileError(
                f"{path} was changed since it was exported: SHA-256 {actual[:12]}…, "
                f"{MANIFEST} says {str(expected)[:12]}…",
                "export the folder again, or verify the one that was exported",
            )
