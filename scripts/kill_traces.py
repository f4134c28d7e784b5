"""What a killed command may leave, and what it must: files by the name they have in bnnedge's folders."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from bnnedge.errors import BnnedgeError
from bnnedge.files import is_draft
from bnnedge.runs.metrics import read_records
from bnnedge.training.state import read_state

__all__ = ["compare", "drafts", "see_that_all_is_whole"]

# What changes as a training or a sweep goes on, and how it is read. All else is written once, in one form.
CHANGING: dict[str, Callable[[Path], object]] = {
    "state.safetensors": read_state,
    "state-before.safetensors": read_state,
    "metrics.jsonl": read_records,
    "run.json": lambda path: json.loads(path.read_bytes()),
    "attempts.json": lambda path: json.loads(path.read_bytes()),
}


def see_that_all_is_whole(alone: Path, killed: Path, *, entire: bool) -> None:
    """End with an error at a file under its final name that is not whole.

    Args:
        alone: what an undisturbed command left.
        killed: what one left that was killed.
        entire: the folder has all its files, or is not there.
    """
    wanted, found = contents(alone), contents(killed)
    if entire and found and found != wanted:
        sys.exit(f"half a folder is at {killed}: it differs in {_different(wanted, found)}")
    for name in found:
        path = killed / name
        if path.name not in CHANGING:
            if found[name] != wanted.get(name):
                sys.exit(f"{path} is not what an undisturbed command writes")
            continue
        try:
            CHANGING[path.name](path)
        except (BnnedgeError, ValueError) as error:
            sys.exit(f"{path} is not whole: {error}")


def compare(alone: Path, killed: Path) -> None:
    """End with an error unless both left the same; who was at work may differ, and for how many seconds."""
    one, other = (
        {name: digest for name, digest in contents(out).items() if not name.endswith("attempts.json")}
        for out in (alone, killed)
    )
    if one != other:
        sys.exit(f"killed and gone on with, {killed} differs in {_different(one, other)}")


def drafts(folder: Path) -> list[Path]:
    """Drafts in a folder, those within a draft not counted."""
    return [path for path in folder.rglob("*") if is_draft(path) and not any(map(is_draft, path.parents))]


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, seconds aside; drafts and locks are none."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            re.sub(rb'"seconds": [0-9.e+-]+', b"", path.read_bytes())
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock" and not any(map(is_draft, (path, *path.parents)))
    }


def _different(one: dict[str, str], other: dict[str, str]) -> str:
    return ", ".join(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))
