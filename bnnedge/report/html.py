"""Templates to self-contained pages.

Everything in a page that comes from a file (names, notes, provenance) is escaped by the template, and the
page's own policy lets no other script than its one run, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from bnnedge.report.table import Column

__all__ = ["render"]


def render(template: str, **values: object) -> str:
    """A page of a template in this folder, the same for the same values."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value, form: Column("", "", form).show(value)
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(script=script, script_hash=script_hash, **values)
