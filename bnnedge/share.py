"""Where the presets (models/) and hardware sources (hw/) lie: beside the package, or in it once installed."""

from __future__ import annotations

from pathlib import Path

__all__ = ["share"]


def share(room: str) -> Path:
    """The folder ``models`` or ``hw``: inside an installed wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    installed = package / "_share" / room
    return installed if installed.is_dir() else package.parent / room
