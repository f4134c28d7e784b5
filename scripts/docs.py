"""Build the documentation: the pages of bnnedge/docs, options from click, a reference from docstrings."""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from docs_console import ROOT, contents, renew
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from bnnedge import __version__

PACKAGE = ROOT / "bnnedge"
DOCS = PACKAGE / "docs"
BARS = re.compile(r"\|([^|`\s][^|`]*)\|")
PRIVATE = {"docs", "cli"}  # folders of the package that are no library

SETTINGS: dict[str, Any] = {
    "project": "bnnedge",
    "version": __version__,
    "release": __version__,
    "copyright": "The bnnedge maintainers",
    "extensions": ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"],
    "myst_enable_extensions": ["colon_fence", "deflist"],
    "myst_heading_anchors": 2,
    "default_role": "code",
    "html_theme": "furo",
    "html_title": f"bnnedge {__version__}",
    "html_show_sphinx": False,
    "autodoc_typehints": "none",  # the signature has them already
    "autodoc_typehints_format": "short",
    "autodoc_member_order": "bysource",
    # What Brevitas injects dependencies into is a class, but none to look into.
    "autodoc_default_options": {"members": True, "exclude-members": "BinaryWeight"},
    "napoleon_use_ivar": True,
    "python_maximum_signature_line_length": 80,
    "exclude_patterns": ["readme.md"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--refresh", action="store_true", help="run the pages' commands, renew their output")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "docs", help="default: dist/docs")
    arguments = parser.parse_args()
    if arguments.refresh:
        index = (DOCS / "index.md").read_text(encoding="utf-8")
        renew([DOCS / f"{page}.md" for page in contents(index)])
    sys.exit(build(arguments.out))


def build(out: Path) -> int:
    """Write HTML; the exit status."""
    sources = out.parent / f"{out.name}-sources"
    write_sources(sources)
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            sources, None, out, out.parent / f"{out.name}-trees", "html", SETTINGS, warningiserror=True
        )
        app.connect("autodoc-process-docstring", escape_bars)
        app.build()
    return app.statuscode


def escape_bars(*event: Any) -> None:
    """Let ``|x|`` be an absolute value, as it is read, and not docutils' mark of a substitution."""
    lines: list[str] = event[-1]
    lines[:] = [line if line.lstrip().startswith(">>>") else BARS.sub(r"\|\1\|", line) for line in lines]


def write_sources(folder: Path) -> None:
    """The pages, README.md to include parts of, and a page of reference for every room of the package."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder)
    shutil.copy(ROOT / "README.md", folder / "readme.md")
    (folder / "api").mkdir()
    rooms = sorted(path.parent for path in PACKAGE.glob("*/__init__.py") if path.parent.name not in PRIVATE)
    for room in rooms:
        (folder / "api" / f"{room.name}.md").write_text(reference(room), encoding="utf-8")


def reference(room: Path) -> str:
    """Every public module of a room, by directives that read its docstrings."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(room.rglob("*.py"))
        if path.name != "__init__.py"
    ]
    summary = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    parts = [f"# bnnedge.{room.name}", f"```{{eval-rst}}\n{summary}\n```"]
    for module in modules:
        parts.append(f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
