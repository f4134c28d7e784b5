"""Scripts for Vivado, run in a stand-in for it: tests/vivado_stand_in.tcl. Vivado itself was never run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bnnedge.exporters.rtl import write_rtl
from bnnedge.hardware.bench import Style
from bnnedge.hardware.boards import board, boards
from bnnedge.packed.model import PackedModel
from tests.networks import random_inputs, random_model

STAND_IN = Path(__file__).with_name("vivado_stand_in.tcl")
MODEL = random_model(1, (20, 9, 3))

styles = pytest.mark.parametrize("style", ["folded", "unrolled"])


def written(folder: Path, style: Style, name: str = "Pynq-Z1", model: PackedModel = MODEL) -> Path:
    write_rtl(folder, model, random_inputs(model, 2), style=style, board=board(name))
    return folder


def run(folder: Path, script: str, slack_ns: float = 0.5) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"WNS_NS": str(slack_ns)}
    return subprocess.run(
        ["tclsh", str(STAND_IN), script],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )


@styles
@pytest.mark.parametrize("name", [known.name for known in boards()])
def test_the_overlay_of_every_board_is_connected_whole(style: Style, name: str, tmp_path: Path) -> None:
    folder = written(tmp_path, style, name)
    done = run(folder, "overlay.tcl")
    assert done.returncode == 0, done.stderr
    assert {"network.bit", "network.hwh"} <= {path.name for path in folder.iterdir()}
    buses = set(re.findall(r"^bus (\S+) (\S+)$", done.stdout, re.MULTILINE))
    assert {("dma/M_AXIS_MM2S", "network/s_axis"), ("network/m_axis", "dma/S_AXIS_S2MM")} <= buses
    # Twenty features make whole beats of four bytes.
    assert "CONFIG.c_m_axis_mm2s_tdata_width 32" in done.stdout
    clock = "PCW_FPGA0_PERIPHERAL_FREQMHZ" if board(name).zynq_7000 else "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"
    assert f"CONFIG.{clock} {board(name).clock_mhz}" in done.stdout
    assert f"-part {board(name).part}" in (folder / "overlay.tcl").read_text().replace(
        "$part", board(name).part
    )


@styles
def test_the_network_alone_is_mapped_in_its_wrapper(style: Style, tmp_path: Path) -> None:
    folder = written(tmp_path, style)
    done = run(folder, "vivado.tcl")
    assert done.returncode == 0, done.stderr
    assert "synth_design -top network_axis -part xc7z020clg400-1 -mode out_of_context" in done.stdout
    assert "create_clock -name clock -period 10.000 aclk" in done.stdout
    script = (folder / "vivado.tcl").read_text()
    assert all(path.name in script for path in folder.glob("*.mem"))


def test_a_build_that_is_too_slow_leaves_no_bitfile(tmp_path: Path) -> None:
    folder = written(tmp_path, "folded")
    done = run(folder, "overlay.tcl", slack_ns=-0.25)
    assert done.returncode != 0
    assert "too slow for 100.0 MHz" in done.stderr
    assert not (folder / "network.bit").exists()


def test_the_stand_in_sees_what_is_wrong(tmp_path: Path) -> None:
    """So that scripts which pass it were looked at."""
    folder = written(tmp_path, "folded")
    script = (folder / "overlay.tcl").read_text()
    for old, new, complaint in (
        ("join_buses network/m_axis dma/S_AXIS_S2MM\n", "", "is left open"),
        ("network/s_axis", "network/s_axi", "no pin network/s_axi"),
        ("dma/axi_resetn ", "", "dma/axi_resetn is left open"),
        ("assign_bd_address", "assign_addresses", 'invalid command name "assign_addresses"'),
        ("network.sv", "networks.sv", "no file networks.sv"),
    ):
        assert old in script
        (folder / "broken.tcl").write_text(script.replace(old, new, 1))
        done = run(folder, "broken.tcl")
        assert done.returncode != 0
        assert complaint in done.stderr, done.stderr
        shutil.rmtree(folder / "overlay", ignore_errors=True)


@styles
def test_the_wrapper_is_verilog_that_a_block_design_takes(style: Style, tmp_path: Path) -> None:
    folder = written(tmp_path, style)
    plain = folder / "network_axis.v"
    shutil.copyfile(folder / "network_axis.sv", plain)
    command = ["iverilog", "-g2001", "-i", "-t", "null", "-s", "network_axis", str(plain)]
    subprocess.run(command, check=True, capture_output=True)


@styles
def test_the_wrapper_is_clean_to_verilator(style: Style, tmp_path: Path) -> None:
    """But for what counters do not need of one another, and bits of bytes that numbers do not have."""
    folder = written(tmp_path, style)
    allowed = ["-Wno-PINCONNECTEMPTY", "-Wno-UNUSEDSIGNAL"]
    sources = sorted(path.name for path in folder.glob("*.sv") if not path.name.endswith("_tb.sv"))
    hardware = [name for name in sources if not name.startswith("stream_")]
    command = ["verilator", "--lint-only", "-Wall", *allowed, "--top-module", "network_axis", *hardware]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
