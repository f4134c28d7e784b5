"""What a release has to have: a wheel that works without the repository, completion, a citation, model cards.

The wheel is unpacked and put in front of the path, in a process of its own and outside the repository;
``scripts/release_check`` installs it into a clean environment, which takes minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import bnnedge
from bnnedge.runs.toml import presets

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(wheel: Path, folder: Path, *words: str) -> str:
    """What a program prints that finds bnnedge in the wheel alone."""
    environment = os.environ | {
        "PYTHONPATH": str(wheel),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_works_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    where = "import bnnedge, bnnedge.share as s; print(bnnedge.__file__, s.share('models'), s.share('hw'))"
    assert all(Path(place).is_relative_to(wheel) for place in run(wheel, tmp_path, "-c", where).split())
    assert "Audit of digits-tfc" in run(
        wheel, tmp_path, "-m", "bnnedge", "audit", "digits-tfc", "--nulls", "5"
    )
    for target in ("c", "pynq"):
        printed = run(wheel, tmp_path, "-m", "bnnedge", "export", "digits-tfc", "--target", target)
        assert "bit for bit" in printed
    assert "bit for bit" in run(wheel, tmp_path, "-m", "bnnedge", "verify", "digits-tfc-pynq", "digits-tfc")


def test_the_wheel_has_every_file_that_the_package_reads(wheel: Path) -> None:
    for path in (path for room in ("bnnedge", "hw", "models") for path in (ROOT / room).rglob("*")):
        name = path.relative_to(ROOT)
        if path.is_dir() or "__pycache__" in name.parts or name.parts[:2] == ("bnnedge", "docs"):
            continue
        packed = name if name.parts[0] == "bnnedge" else Path("bnnedge", "_share", name)
        assert (wheel / packed).read_bytes() == path.read_bytes(), name
    assert not (wheel / "bnnedge" / "docs").exists()
    (notices,) = wheel.glob("*.dist-info/licenses")
    assert {path.name for path in notices.rglob("*") if path.is_file()} >= {
        "LICENSE",
        "NOTICE.digits",
        "NOTICE.ctm",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    bnnedge_program = Path(sys.executable).parent / "bnnedge"
    done = subprocess.run(
        [bnnedge_program],
        env=os.environ | {"_BNNEDGE_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"_BNNEDGE_COMPLETE={shell}_complete" in done.stdout


def test_completion_completes_verbs_options_and_values() -> None:
    def completed(words: str) -> set[str]:
        extra = {
            "_BNNEDGE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done = subprocess.run(
            [Path(sys.executable).parent / "bnnedge"],
            env=os.environ | extra,
            capture_output=True,
            text=True,
            check=True,
        )
        return {line.split(",", 1)[1] for line in done.stdout.splitlines()}

    assert completed("bnnedge s") == {"sweep", "simulate", "synth"}
    assert completed("bnnedge export --tar") == {"--target"}
    assert completed("bnnedge export --target q") == {"qonnx"}


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == bnnedge.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_the_classifiers_begin_where_python_is_required() -> None:
    lowest = tuple(map(int, re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"]).groups()))  # type: ignore[union-attr]
    named = [
        tuple(map(int, found.groups()))
        for classifier in PROJECT["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (\d+)\.(\d+)", classifier))
    ]
    assert named == [(3, minor) for minor in range(lowest[1], named[-1][1] + 1)]


def test_every_trained_preset_has_a_card_with_the_command_that_made_its_figures() -> None:
    for name, config in presets().items():
        if not (config.parent / "model.safetensors").is_file():
            continue
        card = (config.parent / "README.md").read_text(encoding="utf-8")
        commands = re.findall(rf"(?m)^    scripts/train_models --seeds \d+ {name}\b", card)
        assert len(commands) == 1, name
