"""Unrolled hardware from the command line: its options, what files and folder say of them, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bnnedge import load
from bnnedge.cli.export import command
from bnnedge.data.registry import load_dataset
from bnnedge.errors import ConfigError, FileError
from bnnedge.exporters import export
from bnnedge.exporters.rtl import DESIGN, read_rtl, write_rtl
from bnnedge.hardware.boards import board
from bnnedge.hardware.generated import generate
from tests.networks import random_inputs, random_model

MODEL = random_model(5, (16, 8, 4))
INPUTS = load_dataset("digits").test.inputs
BOARD = board("Pynq-Z1")


@pytest.mark.parametrize("options", [{"plain": True}, {"max_depth": 9}])
def test_every_file_of_the_design_names_its_checkpoint_and_command(
    tmp_path: Path, options: dict[str, int]
) -> None:
    write_rtl(tmp_path, load("digits-tfc"), INPUTS[:2], style="unrolled", board=BOARD, **options)  # type: ignore[arg-type]
    design = read_rtl(tmp_path)[0]
    own = ["network", "labels", "count_bits", "add_numbers", "accumulate_bits", *design.modules.values()]
    option = "--plain" if design.plain else "--max-depth 9"
    for module in own:
        first, second, *_ = design.files[f"{module}.sv"].splitlines()
        assert first.startswith("// Network digits-tfc, sha256 ")
        assert second == f"// Made by: bnnedge export digits-tfc --target rtl --style unrolled {option}"
    assert {"plain": design.plain, "max_depth": design.max_depth} == {
        "plain": False,
        "max_depth": None,
    } | options


def test_the_command_line_has_both_options(tmp_path: Path) -> None:
    given = ["digits-tfc", "--target", "rtl", "--style", "unrolled", "--plain", "--max-depth", "7"]
    with pytest.raises(ConfigError, match="a depth of 7 cannot be asked for of the baseline"):
        CliRunner().invoke(
            command, [*given, "--out", str(tmp_path / "out")], catch_exceptions=False, standalone_mode=False
        )


def test_a_folder_is_read_back_as_it_was_generated(tmp_path: Path) -> None:
    inputs = random_inputs(MODEL, 2)
    write_rtl(tmp_path, MODEL, inputs, style="unrolled", board=board("AUP-ZU3"), max_depth=6)
    name = MODEL.provenance.get("name", "CHECKPOINT")
    made_by = f"bnnedge export {name} --target rtl --style unrolled --board AUP-ZU3 --max-depth 6"
    assert read_rtl(tmp_path)[0] == generate(MODEL, "unrolled", max_depth=6, command=made_by)


@pytest.mark.parametrize("change", [{"max_depth": 0}, {"max_depth": "9"}, {"plain": 1}, {"plain": None}])
def test_a_damaged_description_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write_rtl(tmp_path, MODEL, random_inputs(MODEL, 2), style="unrolled", board=BOARD)
    path = tmp_path / DESIGN
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match="damaged"):
        read_rtl(tmp_path)


@pytest.mark.parametrize(
    ("target", "options", "complaint"),
    [
        ("c", {"plain": True}, "target c has no baseline"),
        ("onnx", {"max_depth": 9}, "target onnx has no depth to bound"),
        ("rtl", {"plain": True}, "folded hardware has no baseline"),
        ("rtl", {"style": "folded", "max_depth": 9}, "folded hardware has no depth to bound"),
        ("rtl", {"style": "unrolled", "max_depth": 9, "plain": True}, "a depth of 9 cannot be asked for"),
        ("rtl", {"style": "unrolled", "plain": True, "fps": 10}, "takes a sample every clock cycle"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, target: str, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        export(MODEL, target, tmp_path / "out", inputs=random_inputs(MODEL, 2), **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
