"""Networks of others through every path, by the script: the model zoo's, and one exported by Brevitas."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.test_importers_state_dict import bnn_pynq

SCRIPT = Path(__file__).parents[1] / "scripts" / "reproduce_third_party"
PATHS = ["the file", "imported", "onnx", "qonnx", "finn", "pynq", "c", "finn, xnor"]


def reproduced(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)


def result(path: Path) -> dict[str, Any]:
    """What the script says of a file, once every path gave the same labels."""
    done = reproduced(path, "--json")
    assert done.returncode == 0, done.stderr
    table: dict[str, Any] = json.loads(done.stdout)
    assert [each["path"] for each in table["paths"]] == PATHS
    assert [each["verified"] for each in table["paths"]] == [None, None, *[10_000] * 6]
    assert {each["other_labels"] for each in table["paths"]} == {0}
    assert len({each["accuracy"] for each in table["paths"]}) == 1
    return table


def test_the_model_zoos_tfc(reference_dir: Path) -> None:
    table = result(reference_dir / "qonnx" / "TFC_1W1A.onnx")
    assert table["paths"][0]["accuracy"] == 0.9296
    assert table["published"] == 0.9317


def test_a_network_that_brevitas_exports(brevitas_export: Callable[..., Path]) -> None:
    path = brevitas_export(bnn_pynq("tfc_1w1a", seed=3), 1, 28, 28)
    assert result(path)["published"] is None
    table = reproduced(path).stdout
    assert "10,000 test images of MNIST." in table
    assert all(f" {name} " in table for name in PATHS)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    done = reproduced(tmp_path / "a.onnx")
    assert done.returncode == 4
    assert done.stdout == ""
    assert [line.split(":")[0] for line in done.stderr.splitlines()[-2:]] == ["Error", "Hint"]
