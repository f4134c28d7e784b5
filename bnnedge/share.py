"""Where things lie: presets (models/) and hardware sources (hw/), and what is kept in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

from bnnedge.errors import ConfigError

__all__ = ["cache", "share"]


def share(room: str) -> Path:
    """The folder ``models`` or ``hw``: inside an installed wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    installed = package / "_share" / room
    return installed if installed.is_dir() else package.parent / room


def cache(room: str) -> Path:
    """A folder of ours in the user's cache: ``datasets``, ``finn-plus``.

    Raises:
        ConfigError: nothing says where the user's home is.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # unset, empty, or relative, which the XDG specification says to ignore
        try:
            caches = Path.home() / ".cache"
        except RuntimeError as error:
            raise ConfigError("cannot tell where the home folder is", "set HOME or XDG_CACHE_HOME") from error
    return caches / "bnnedge" / room
