"""What a page is: as it is written, and in a real browser, headless and offline, once its script has run."""

from __future__ import annotations

import html
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

__all__ = ["Page", "probe"]

CHROMIUM = "chromium"
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

# Runs before the page's own policy takes hold, so that the page is tested with its policy as it is.
_HARNESS = """
const seen = [];
addEventListener("error", (event) => seen.push(String(event.message || event.target.outerHTML)), true);
addEventListener("securitypolicyviolation", (event) => seen.push(event.violatedDirective + event.blockedURI));
addEventListener("load", () => {
  let answer = null;
  try { answer = (() => { %s })(); } catch (error) { seen.push(String(error)); }
  document.documentElement.setAttribute("data-probe", JSON.stringify({ seen, answer }));
});
"""


class Page(HTMLParser):
    """Every element's attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.elements if attribute in attributes]


def probe(page: str, folder: Path, script: str) -> Any:
    """Open a page, run a function body in it, and give back what it returns.

    Args:
        page: HTML.
        folder: an empty one, for the page and the browser's profile.
        script: JavaScript with a ``return``; its value goes through JSON.

    Raises:
        AssertionError: the page, or the console, reports an error.
    """
    place = folder / "page.html"
    start = '<meta charset="utf-8">'
    assert page.count(start) == 1
    place.write_text(page.replace(start, f"{start}<script>{_HARNESS % script}</script>"), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", place.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ":CONSOLE" not in done.stderr, done.stderr
    match = re.search(r'<html[^>]* data-probe="([^"]*)"', done.stdout)
    assert match is not None, done.stdout[:2000]
    result = json.loads(html.unescape(match[1]))
    assert result["seen"] == []
    return result["answer"]
