"""Names that a stranger's file brings, through the verbs that write them out: pages, Verilog, C and cards."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from bnnedge import load
from bnnedge.data.digits import load_digits
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.exporters.rtl import read_rtl, write_rtl
from bnnedge.hardware.bench import Style
from bnnedge.hardware.boards import board
from bnnedge.packed.file import save_packed
from bnnedge.packed.model import PackedModel
from tests.commands import Bnnedge, runner

SCRIPT = "</script></style></title><script>alert(1)</script>"
NAMES = {
    "HTML": SCRIPT,
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "Verilog": '*/ endmodule\ninitial $system("touch owned"); module x(); /*',
    "directive": "verilator public_flat_rw",
    "include": '`include "/etc/passwd"',
    "Tcl": '"]; exec touch owned; [set x "',
    "Markdown": "` <img src=x onerror=alert(1)> `\n\n# x",
    "template": "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    "terminal": "\x1b[2J\x07[/bold][link=file:///etc/passwd]",
}
ALL = "".join(NAMES.values())
SOURCES = (".sv", ".tcl", ".ys", ".xdc", ".mem")
COMMENT = re.compile(r"//[^\n]*|^#[^\n]*", re.MULTILINE)


class Tags(HTMLParser):
    """Counts the tags of a page, and keeps what would run when something happens to an element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


@pytest.fixture
def bnnedge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bnnedge:
    return runner(monkeypatch, capsys)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    digits = load_digits()
    np.savez(tmp_path / "own.npz", X=digits.test_inputs[:60].reshape(-1, 64), y=digits.test_labels[:60] % 2)
    return tmp_path / "own.npz"


def named(name: str, samples: Path) -> PackedModel:
    """A network of digits whose maker called everything so that may be called."""
    model = load("digits-tfc")
    data = {"name": "npz", "path": str(samples)}
    says: dict[str, object] = {"name": name, "class_names": [name] * 10, name: name, "data": data}
    return replace(model, provenance=says)


def plain_page(bnnedge: Bnnedge, path: Path, arguments: tuple[str | Path, ...]) -> Tags:
    outcome = bnnedge(*arguments, "--html", path)
    assert outcome.code == 0, outcome.err
    return Tags(path.read_text(encoding="utf-8"))


def test_pages_escape_what_a_checkpoint_says(tmp_path: Path, samples: Path, bnnedge: Bnnedge) -> None:
    """The same elements and handlers as in the page of a network with names as usual."""
    pages = []
    for place, names in enumerate((list(NAMES), list(NAMES.values()))):
        model = named("".join(names), samples)
        says = model.provenance | {name: name for name in names}
        save_packed(replace(model, provenance=says), tmp_path / f"{place}")
        command = ("audit", tmp_path / f"{place}", "--nulls", "2")
        pages.append(plain_page(bnnedge, tmp_path / f"{place}.html", command))
    harmless, hostile = pages
    assert sorted(hostile.tags) == sorted(harmless.tags)
    assert hostile.handlers == harmless.handlers


@pytest.mark.parametrize("name", ["HTML", "attribute", "template", "terminal"])
def test_pages_escape_names_of_layers(tmp_path: Path, bnnedge: Bnnedge, name: str) -> None:
    """Of arrays, of which some are layers and some are only spoken of; and of a file."""
    rng = np.random.default_rng(0)
    weights: dict[str, NDArray[np.float32]] = {
        f"{prefix}{NAMES[name]}": rng.choice([-1, 1], shape).astype(np.float32)
        for prefix, shape in (("a", (12, 20)), ("b", (5, 12)), ("c", (2, 2, 2)))
    }
    plain = dict(zip("abc", weights.values(), strict=True))
    path = tmp_path / "<img src=x onerror=alert(1)>.npz"
    np.savez(path, **weights)  # type: ignore[arg-type]
    np.savez(tmp_path / "plain.npz", **plain)  # type: ignore[arg-type]
    hostile, harmless = (
        plain_page(bnnedge, tmp_path / f"{place}.html", ("audit", file, "--nulls", "2"))
        for place, file in enumerate((path, tmp_path / "plain.npz"))
    )
    assert hostile.tags == harmless.tags
    assert hostile.handlers == harmless.handlers


def test_pages_escape_names_of_a_graph(tmp_path: Path, bnnedge: Bnnedge) -> None:
    proto = to_qonnx(load("digits-tfc"))
    proto.producer_name = SCRIPT
    for node in proto.graph.node:
        node.name = SCRIPT
    odd = numpy_helper.from_array(np.full((2, 3), 0.5, dtype=np.float32), SCRIPT)
    proto.graph.initializer.append(odd)
    proto.graph.node.append(onnx.helper.make_node("MatMul", ["nothing", SCRIPT], ["y"], SCRIPT))
    (tmp_path / "a.onnx").write_bytes(proto.SerializeToString())
    page = plain_page(bnnedge, tmp_path / "a.html", ("audit", tmp_path / "a.onnx", "--nulls", "2"))
    assert page.tags.count("script") == 1
    assert not page.handlers


def test_comparisons_escape_names(tmp_path: Path, samples: Path, bnnedge: Bnnedge) -> None:
    paths = [tmp_path / f"{place}<script>" for place in range(3)]
    for path, name in zip(paths, (NAMES["HTML"], NAMES["attribute"], NAMES["Markdown"]), strict=True):
        save_packed(named(name, samples), path)
    page = plain_page(bnnedge, tmp_path / "c.html", ("compare", *paths))
    assert page.tags.count("script") == 1
    assert not page.handlers


@pytest.mark.parametrize("style", ["folded", "unrolled"])
def test_hardware_is_the_same_whatever_the_network_is_called(
    tmp_path: Path, samples: Path, style: Style
) -> None:
    """But for comments, which have letters, digits, ``_``, ``-`` and ``.`` of the name alone."""
    inputs = load_digits().test_inputs[:2].reshape(2, 64)
    sources = []
    for place, name in enumerate(("harmless", ALL)):
        out = tmp_path / f"{place}"
        out.mkdir()
        write_rtl(out, named(name, samples), inputs, style=style, board=board("Pynq-Z1"))
        texts = {
            path.name: path.read_text(encoding="utf-8") for path in out.iterdir() if path.suffix in SOURCES
        }
        sources.append({file: COMMENT.sub("", text) for file, text in texts.items()})
        assert "<" not in (out / "README.md").read_text(encoding="utf-8")
        read_rtl(out)  # which refuses orders to tools, in comments, too
        assert not re.search(r"\$system|/etc/passwd|verilator public|alert\(", "".join(texts.values()))
    assert sources[0] == sources[1]


@pytest.mark.parametrize("target", ["c", "pynq", "rtl"])
def test_exports_keep_names_in_their_place(
    tmp_path: Path, samples: Path, bnnedge: Bnnedge, target: str
) -> None:
    save_packed(named(ALL, samples), tmp_path / "model")
    out = tmp_path / "out"
    outcome = bnnedge("export", tmp_path / "model", "--target", target, "--out", out)
    assert outcome.code == 0, outcome.err
    for path in out.iterdir():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", path.name)
        if path.suffix in (".c", ".h", ".py", ".sv", ".tcl"):
            assert "alert(1)" not in path.read_text(encoding="utf-8")
        if path.name == "README.md":
            card = path.read_text(encoding="utf-8")
            outside = re.sub(r"`[^`]*`", "", re.sub(r"^    .*$", "", card, flags=re.MULTILINE))
            assert not Tags(outside).tags
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["provenance"]["name"] == ALL
