"""Where fetched sets are kept."""

from __future__ import annotations

from pathlib import Path

from bnnedge.share import cache

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The folder that fetched sets lie in, one folder a set.

    Raises:
        ConfigError: nothing says where the user's home is.
    """
    return cache("datasets")
