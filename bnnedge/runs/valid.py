"""The form of every complaint about a setting."""

from __future__ import annotations

from bnnedge.errors import ConfigError

__all__ = ["require", "wrong"]


def wrong(path: str, value: object, wanted: str) -> ConfigError:
    """The error for a setting, by its path such as ``training.epochs``, whose value cannot be."""
    return ConfigError(f"{path} = {value!r} is not valid", f"expected {wanted}")


def require(condition: bool, path: str, value: object, wanted: str) -> None:
    """Raise that error unless a condition holds.

    Raises:
        ConfigError: it does not.
    """
    if not condition:
        raise wrong(path, value, wanted)
