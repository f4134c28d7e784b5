"""Where fetched sets are kept."""

from __future__ import annotations

import os
from pathlib import Path

from bnnedge.errors import ConfigError

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The folder that fetched sets lie in, one folder a set.

    Raises:
        ConfigError: nothing says where the user's home is.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():  # unset, empty, or relative, which the XDG specification says to ignore
        try:
            caches = Path.home() / ".cache"
        except RuntimeError as error:
            raise ConfigError("cannot tell where the home folder is", "set HOME or XDG_CACHE_HOME") from error
    return caches / "bnnedge" / "datasets"
