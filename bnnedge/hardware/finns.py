"""The compilers that a build folder can be made for: FINN's releases, and FINN+."""

from __future__ import annotations

from typing import Literal, get_args

from bnnedge.errors import ConfigError

__all__ = ["DEFAULT_FINN", "FINNS", "Finn", "finn_called", "title"]

Finn = Literal["0.10", "1.0", "plus"]
"""Which FINN: its release, or ``plus`` for FINN+."""

FINNS: tuple[Finn, ...] = get_args(Finn)
DEFAULT_FINN: Finn = "plus"


def finn_called(name: str) -> Finn:
    """The FINN of a name.

    Raises:
        ConfigError: none is called that.

    >>> finn_called("1.0")
    '1.0'
    """
    for finn in FINNS:
        if finn == name:
            return finn
    raise ConfigError(f"unknown FINN {name!r}", f"known: {', '.join(FINNS)}")


def title(finn: Finn) -> str:
    """As people write it.

    >>> title("0.10"), title("plus")
    ('FINN 0.10', 'FINN+')
    """
    return "FINN+" if finn == "plus" else f"FINN {finn}"
