"""The table of boards, against the parts' published resources."""

from __future__ import annotations

import pytest

from bnnedge.errors import ConfigError
from bnnedge.hardware.boards import board, boards
from bnnedge.hardware.finns import FINNS

# (LUTs, flip-flops, BRAM36) of the three parts, from AMD's product tables.
RESOURCES = {
    "xc7z020": (53_200, 106_400, 140),
    "xczu3eg": (70_560, 141_120, 216),
    "xck26": (117_120, 234_240, 144),
}
# As FINN's part map has them.
FINN_PARTS = {
    "Pynq-Z1": "xc7z020clg400-1",
    "Pynq-Z2": "xc7z020clg400-1",
    "AUP-ZU3_8GB": "xczu3eg-sfvc784-2-e",
    "Ultra96-V2": "xczu3eg-sbva484-1-i",
    "KV260_SOM": "xck26-sfvc784-2LV-c",
}


def test_the_five_boards() -> None:
    assert [entry.name for entry in boards()] == ["Pynq-Z1", "Pynq-Z2", "AUP-ZU3", "Ultra96-V2", "KV260"]
    assert {entry.finn_board: entry.part for entry in boards()} == FINN_PARTS


@pytest.mark.parametrize("entry", boards(), ids=lambda entry: entry.name)
def test_resources_are_those_of_the_part(entry: object) -> None:
    name = getattr(entry, "name", "")
    found = board(name)
    family = next(prefix for prefix in RESOURCES if found.part.startswith(prefix))
    assert (found.lut, found.ff, found.bram36) == RESOURCES[family]
    assert found.lut * 2 == found.ff  # two flip-flops a LUT in all three families
    assert found.clock_period_ns * found.clock_mhz == pytest.approx(1000)
    assert found.shell_flow_type == "vivado_zynq"
    assert found.note
    assert found.status in ("current", "retired")
    assert found.finn
    assert set(found.finn_opt_in) <= set(found.finn) <= set(FINNS)


def test_what_upstream_gave_up() -> None:
    """The two Zynq-7000 boards: PYNQ 4.0 dropped them, and FINN 1.0 builds for them only if one insists."""
    retired = {entry.name: entry.finn_opt_in for entry in boards() if entry.status == "retired"}
    assert retired == {"Pynq-Z1": ("1.0",), "Pynq-Z2": ("1.0",)}
    assert {entry.name for entry in boards() if entry.finn_opt_in} == retired.keys()


@pytest.mark.parametrize("name", ["Pynq-Z1", "pynq-z1", "PYNQ-Z1"])
def test_names_in_any_case(name: str) -> None:
    assert board(name).name == "Pynq-Z1"


@pytest.mark.parametrize(
    ("name", "meant"), [("pynqz2", "Pynq-Z2"), ("kv-260", "KV260"), ("ultra96", "Ultra96-V2")]
)
def test_an_unknown_board_names_the_closest(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown board '{name}'") as caught:
        board(name)
    assert f"did you mean {meant}?" in caught.value.hint


def test_a_board_unlike_any_names_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        board("")
    assert "did you mean" not in caught.value.hint
    assert all(entry.name in caught.value.hint for entry in boards())
