"""What stages hand to one another cannot be changed afterwards: every dataclass is frozen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bnnedge

# What grows while it is built or used, and stays inside its room.
BUILDERS = {"Circuit", "Segment", "Weaver", "_Worker"}


def dataclasses() -> Iterator[tuple[str, bool]]:
    """Every dataclass of the package, and whether it is frozen; read off the source, which takes no time."""
    for path in sorted(Path(bnnedge.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for text in map(ast.unparse, node.decorator_list):
                    if text.split("(")[0] == "dataclass":
                        yield node.name, "frozen=True" in text


def test_dataclasses_are_frozen_but_for_builders() -> None:
    found = list(dataclasses())
    assert len(found) > 100
    assert {name for name, frozen in found if not frozen} == BUILDERS
