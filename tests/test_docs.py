"""The documentation: every command still prints what stands under it, and every verb has its page.

The pages are run in this process, with smaller networks than they show. Where a page says that numbers vary,
since a network was trained on the way, words alone are compared.
"""

from __future__ import annotations

import importlib
import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType

import pytest

import bnnedge
from bnnedge.cli import main
from bnnedge.errors import BnnedgeError
from bnnedge.hardware import simulators

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "bnnedge" / "docs"
INDEX = DOCS / "index.md"
PAGES = sorted(str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md") if path != INDEX)
SMALLER = (
    (r"(?m)^hidden = \[32, 32\]", "hidden = [4, 4]"),
    (r"(?m)^epochs = \d+", "epochs = 5"),
    (r"--epochs \d+ --data", "--epochs 5 --data"),
    (r"--samples 100 --out", "--samples 5 --out"),
    (r"--samples 100 --burn-in 20 --scans 40", "--samples 20 --burn-in 20 --scans 20"),
)
BLOCK = re.compile(r"(% numbers vary\n)?```console\n(.*?)```", re.DOTALL)
FINDINGS = re.compile(r"Findings: .*?(?=\n\$ |\Z)", re.DOTALL)
SECONDS = re.compile(r"\d+\.\d+ s\b")
NUMBER = re.compile(r"\b[0-9a-f]{12,}\b|[-−+]?\d[\d,.]*%?|[─ ]{2,}|\(best\)|Yosys \S+")


@pytest.fixture(scope="module")
def console() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        return importlib.import_module("docs_console")


@pytest.fixture(scope="module")
def pages(console: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Each page as it stands, but for a smaller network, and as it would be with its commands run."""
    folder, shown = tmp_path_factory.mktemp("pages"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Verilator compiles for longer than these networks are simulated.
        patch.setattr(
            simulators, "SIMULATORS", sorted(simulators.SIMULATORS, key=lambda tool: tool != "iverilog")
        )
        runner = console.Pages(folder, run=run_here(console))
        for name in console.contents(INDEX.read_text(encoding="utf-8")):
            text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
            for pattern, smaller in SMALLER:
                text = re.sub(pattern, smaller, text)
            shown[name] = text, runner.renewed(text)
    return shown


def run_here(console: ModuleType) -> object:
    """A runner that runs ``bnnedge`` in this process, which loads PyTorch once, and all else as ever."""

    def run(words: list[str], extra: dict[str, str], folder: Path) -> object:
        if words[0] != "bnnedge":
            return console.run_program(words, extra, folder)
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        code = 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", words)
            for name, value in extra.items():
                patch.setenv(name, value)
            try:
                main()
            except SystemExit as done:
                code = int(done.code or 0)
        for stream in (out, err):
            stream.seek(0)
        return console.Printed(code, out.read(), err.read())

    return run


def sessions(page: str) -> list[str]:
    """What of a page's sessions is the same on every machine."""
    found = []
    for here, session in BLOCK.findall(page):
        words = SECONDS.sub("#", session)
        if here:
            words = " ".join(NUMBER.sub(" # ", FINDINGS.sub("", words)).split())
        found.append(words)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_commands_print_what_the_page_shows(name: str, pages: dict[str, tuple[str, str]]) -> None:
    before, now = pages[name]
    assert sessions(now) == sessions(before)


def test_every_page_is_in_the_table_of_contents_and_every_verb_has_one(console: ModuleType) -> None:
    assert sorted(console.contents(INDEX.read_text(encoding="utf-8"))) == PAGES
    modules = {path.stem for path in Path(bnnedge.__file__).parent.glob("cli/*.py")}
    verbs = {name.removeprefix("verbs/") for name in PAGES if name.startswith("verbs/")}
    assert verbs == modules - {"__init__", "options", "sampling"}


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("verbs/")])
def test_a_page_of_a_verb_has_an_example_exit_codes_files_and_the_options(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^## (.+)", page)
    assert [each for each in headings if each in ("Example", "Files", "Exit codes", "Options")] == [
        "Example",
        "Files",
        "Exit codes",
        "Options",
    ]
    assert f"$ bnnedge {name.removeprefix('verbs/')} " in page
    codes = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", page)}
    known = {0, 2, 130} | {kind.exit_code for kind in BnnedgeError.__subclasses__()}
    assert {0, 2} < codes <= known
    shown = {int(code) for code in re.findall(r"\$ echo \$\?\n(\d+)", page)}
    assert shown <= codes


def test_a_page_that_differs_is_told(console: ModuleType, tmp_path: Path) -> None:
    page = "```{code-block} text\n:caption: a.txt\none\n```\n\n"
    page += "```console\n$ cat a.txt\ntwo\n$ cat b.txt\n$ echo $?\n0\n```\n"
    now = console.Pages(tmp_path).renewed(page)
    assert "$ cat a.txt\none\n" in now
    assert now.endswith("$ echo $?\n1\n```\n")
    assert sessions(now) != sessions(page)
    with pytest.raises(SystemExit, match=r"b\.txt exited with 1"):
        console.Pages(tmp_path).renewed("```console\n$ cat b.txt\n```\n")


def test_only_what_is_asked_for_is_renewed(console: ModuleType, tmp_path: Path) -> None:
    page = "```console\n$ echo one\n```\n```console\n$ echo two\n```\n"
    assert console.Pages(tmp_path, only="two").renewed(page) == page.replace(
        "$ echo two\n", "$ echo two\ntwo\n"
    )


def test_long_trainings_are_cut_in_the_middle(console: ModuleType) -> None:
    epochs = [f"epoch {n}/9  loss 1\n" for n in range(1, 10)]
    assert console.shortened("".join(["a\n", *epochs, "b\n"])).splitlines() == [
        "a",
        *("epoch 1/9  loss 1", "epoch 2/9  loss 1", "...", "epoch 8/9  loss 1", "epoch 9/9  loss 1"),
        "b",
    ]
    assert console.shortened("".join(epochs[:4])) == "".join(epochs[:4])
