"""Fail on functions of more than 60 lines, their docstrings aside: scripts/check.

A reason is a comment ``# Long: ...`` right above the function or its first decorator.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 60


def main() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{place}: {name} has {lines} lines, over {MOST_LINES}: split it, or say why"
        for folder in ("bnnedge", "scripts", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for place, name, lines in long_functions(path.read_text(encoding="utf-8"))
    ]
    if found:
        sys.exit("\n".join(found))


def long_functions(source: str) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of each function that is too long and gives no reason."""
    above = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if ast.get_docstring(node) is not None:
            lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
        if lines > MOST_LINES and not above[max(0, first - 2)].strip().startswith("# Long: "):
            yield node.lineno, node.name, lines


if __name__ == "__main__":
    main()
