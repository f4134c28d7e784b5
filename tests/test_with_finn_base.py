"""finn-base, FINN's library of old, reads and runs what we export."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bnnedge.exporters import export
from bnnedge.importers.load import load
from tests.finn_cases import CASES, write_folder
from tests.networks import random_inputs

SCRIPT = Path(__file__).parents[1] / "scripts" / "with_finn_base"


def with_finn_base(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def installed() -> None:
    """finn-base's environment, which is made if it is not there: 60 MB from the package index."""
    done = with_finn_base("--install")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tfc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of the preset that comes trained."""
    model = load("digits-tfc")
    folder = tmp_path_factory.mktemp("finn-base") / "digits-tfc"
    return export(model, "pynq", folder, inputs=random_inputs(model, 20)).out


def test_labels_are_right_as_read_and_in_xnor_form(installed: None, tfc: Path, tmp_path: Path) -> None:
    """Dense; convolutions with pooling; padding, of which the products are in XNOR form as they come."""
    folders = [tfc, *(write_folder(CASES[name], tmp_path / name) for name in ("small-cnv", "padded"))]
    done = with_finn_base(*folders)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for line, folder, samples, products in zip(lines, folders, (10, 4, 4), (4, 2, 3), strict=True):
        assert line.startswith(
            f"{folder}: finn-base 0.0.3, {samples} samples: 0 labels wrong as read, "
            f"0 wrong with {products} products in XNOR and popcount"
        )


def test_a_wrong_label_is_counted(installed: None, tfc: Path) -> None:
    labels = np.load(tfc / "expected_output.npy")
    changed = labels.copy()
    changed[3] = (changed[3] + 1) % 10
    np.save(tfc / "expected_output.npy", changed)
    done = with_finn_base(tfc)
    np.save(tfc / "expected_output.npy", labels)
    assert done.returncode == 1
    assert re.search("1 labels wrong as read, 1 wrong with 4 products", done.stdout)


def test_without_a_folder_it_says_what_it_does(installed: None, tmp_path: Path) -> None:
    assert "python execute.py FOLDER..." in with_finn_base().stderr
    done = with_finn_base(tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path} is no build folder" in done.stderr
