"""JSON of bounded size: a list in it takes twenty times the memory that it takes in the file."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_json"]

MOST_CHARACTERS = 1 << 24  # of any file or text that bnnedge writes there are far fewer


def parse_json(text: str | bytes, *, strict: bool = False) -> Any:
    """What a text in JSON says.

    Args:
        text: the JSON.
        strict: whether NaN and infinities, which Python writes and reads but JSON does not have, are refused.

    Raises:
        ValueError: it is no JSON; it is too long, or nested too deeply.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read")
    try:
        return json.loads(text, parse_constant=_refuse if strict else None)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
