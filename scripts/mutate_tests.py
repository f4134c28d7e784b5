"""Whether tests notice that a file of the package is another: for scripts/mutate."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

__all__ = ["Tests"]

# No search for the smallest input that fails: one that fails will do.
PYTEST = "-m pytest -x -q -p no:xdist -p no:randomly --hypothesis-profile=mutation"
AGAIN = ("--lf", "--lfnf=none")  # what failed last
NOTHING_RUN = 5  # pytest's exit code
MOST_FILES, MOST_SECONDS = 16, 180.0  # of tests, for one change
PATIENCE = 90.0  # seconds, for one file of tests


class Tests:
    """The tests of a tree.

    Attributes:
        tree: a copy of the repository.
    """

    def __init__(self, tree: Path, python: str, reference: Path) -> None:
        """Find the tests of a tree, to be run by a Python, with data that others published in a folder."""
        self.tree = tree
        self._command = [python, *PYTEST.split(), f"--reference-dir={reference}"]
        self._imports = {path: imports(path) for path in sorted(tree.glob("tests/test_*.py"))}
        self._package = {module_name(tree, path): imports(path) for path in tree.glob("bnnedge/**/*.py")}
        self._unfit = set[Path]()

    def fate(self, file: Path, changed: str) -> str:
        """What becomes of a change: ``killed``, ``hung`` or ``survived``.

        The nearest tests are run first, and more while they pass and there is time. Tests that fail, or take
        too long, without the change are left out from then on.
        """
        end = time.monotonic() + MOST_SECONDS
        for path in [path for path in self._near(file) if path not in self._unfit][:MOST_FILES]:
            source = file.read_text(encoding="utf-8")
            file.write_text(changed, encoding="utf-8")
            try:
                code = self._run(path)
            finally:
                file.write_text(source, encoding="utf-8")
            if code != 0:
                if self._run(path, *(AGAIN if code else ())) in (0, NOTHING_RUN):
                    return "hung" if code is None else "killed"
                print(f"{path.name} fails or hangs without any change, and is left out", file=sys.stderr)
                self._unfit.add(path)
            if time.monotonic() > end:
                break
        return "survived"

    def _run(self, path: Path, *options: str) -> int | None:
        """The exit code of a file of tests; None if it takes too long."""
        command = [*self._command, *options, str(path)]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return None
        return done.returncode

    def _near(self, file: Path) -> list[Path]:
        """Tests that import a file, then those that import what imports it, and so on.

        Of equals, those called after the file come first, then small ones: they are the quickest to fail.
        """
        frontier, seen = {module_name(self.tree, file)}, set[str]()
        near = [path for path in self._imports if path.stem == "test_dataclasses"]  # it is quick, and on all
        while frontier:
            level = [path for path, names in self._imports.items() if names & frontier and path not in near]
            near += sorted(level, key=lambda path: (file.stem not in path.stem, path.stat().st_size))
            seen |= frontier
            frontier = {module for module, names in self._package.items() if names & frontier} - seen
        return near


def module_name(tree: Path, file: Path) -> str:
    return ".".join(file.relative_to(tree).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> frozenset[str]:
    """Names of modules, and of what is in them, that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)
