"""What the readers of files share: bytes that are all there, and a digest that is the right one."""

from __future__ import annotations

from pathlib import Path

from bnnedge.errors import FileError

__all__ = ["check_digest", "read_whole"]


def read_whole(path: Path, limit: int) -> bytes:
    """The bytes of a file that has at most ``limit`` of them.

    Raises:
        FileError: missing, unreadable or larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > limit:
        raise FileError(f"{path} has more than the {limit:,} bytes that are expected")
    return content


def check_digest(path: Path, found: str, expected: str) -> None:
    """Refuse a file that bears the name of a known one and is another.

    Raises:
        FileError: the SHA-256 found is not the expected one.
    """
    if found != expected:
        raise FileError(
            f"{path} is not the real file: its SHA-256 is {found}, expected {expected}",
            "fetch the set again (bnnedge data fetch), or load files of your own as 'idx', 'npz' or 'csv'",
        )
