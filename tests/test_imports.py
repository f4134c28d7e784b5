"""The import rule: data flows left to right, and right of the waist nothing knows PyTorch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bnnedge

PACKAGE = Path(bnnedge.__file__).parent

# A room may import the rooms named beside it, itself, and the files at the package's root.
MAY_IMPORT = {
    "packed": set(),
    "complexity": {"packed"},
    "soft": {"packed", "complexity"},
    "llc": {"packed"},
    "analysis": {"packed", "complexity", "llc"},  # comparisons hold estimates of flipped bits beside BDM
    "report": {"packed", "complexity", "analysis", "llc"},
    "hardware": {"packed"},
    "exporters": {"packed", "hardware"},
    "runs": set(),
    "data": set(),
    "nets": {"packed", "runs"},
    "importers": {"packed", "complexity", "runs", "nets"},
    "training": {"packed", "complexity", "runs", "data", "nets", "importers", "soft"},
    "studies": {"packed", "complexity", "llc", "report", "hardware", "runs", "data", "nets", "training"},
}
# The command line parses, calls and prints: it may use every room.
MAY_IMPORT["cli"] = {*MAY_IMPORT}
KNOW_TORCH = {"soft", "nets", "training", "importers/brevitas.py", "importers/state_dict.py"}
KNOW_TORCH |= {f"llc/{name}.py" for name in ("estimator", "linear_model", "metric", "objective")}
KNOW_TORCH |= {f"llc/{name}.py" for name in ("pilot", "sampler", "signs")}
KNOW_TORCH |= {f"studies/{name}.py" for name in ("batched", "recorder", "stack")}
FRAMEWORKS = {"torch", "brevitas"}

# In an installed wheel, hw/ lies in the package: programs for other places, which import nothing of ours.
MODULES = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE and "_share" not in path.parts
)


def imported(path: Path) -> set[str]:
    """Every module named by an import statement in a file, wherever it stands."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_rooms_import_only_what_lies_before_them(path: Path) -> None:
    room = path.parts[0]
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("bnnedge.")} & MAY_IMPORT.keys()
    assert rooms <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_training_knows_pytorch(path: Path) -> None:
    if not ({path.parts[0], path.as_posix()} & KNOW_TORCH):
        assert not {name.split(".")[0] for name in imported(path)} & FRAMEWORKS


def test_every_room_is_in_the_rule() -> None:
    assert {path.parts[0] for path in MODULES} == MAY_IMPORT.keys()


@pytest.mark.parametrize(
    "work",
    [
        "from bnnedge.cli import main",
        "from bnnedge import PackedMatrix, PackedModel, load, bdm, block_entropy, audit, compare",
        "import bnnedge; bnnedge.audit(bnnedge.load('digits-tfc'))",
        "from bnnedge.cli.budget import command; command(['mnist-lfc', '--fps', '1'], standalone_mode=False)",
        "import bnnedge.cli.verify; bnnedge.load('digits-tfc')",
    ],
)
def test_nothing_but_training_loads_pytorch(work: str) -> None:
    check = f"import sys\n{work}\nsys.exit(any(name in sys.modules for name in {FRAMEWORKS}))"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_public_face() -> None:
    for name in bnnedge.__all__:
        assert getattr(bnnedge, name).__name__ == name
    assert set(bnnedge.__all__) <= set(dir(bnnedge))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bnnedge.nothing  # noqa: B018
