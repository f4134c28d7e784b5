"""Templates of plain text: C, SystemVerilog and scripts. Pages of HTML have their own, which escape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["render"]


def render(
    template: Path, values: Mapping[str, object], filters: Mapping[str, Callable[..., str]] | None = None
) -> str:
    """A template file with its values; a name that has none is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=False,  # noqa: S701 (no HTML; every name is an identifier)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(template.name).render(values)
