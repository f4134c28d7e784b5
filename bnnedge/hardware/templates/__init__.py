"""Templates of SystemVerilog and of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bnnedge import template

__all__ = ["render"]


def render(name: str, values: Mapping[str, object]) -> str:
    """A file of this folder with its values."""
    return template.render(Path(__file__).with_name(name), values)
