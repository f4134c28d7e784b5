"""nextpnr places and routes a netlist on a real device, and says what clock its wires allow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bnnedge.errors import ConfigError, FileError
from bnnedge.hardware.programs import call, find_program

__all__ = ["DEVICES", "Device", "Placement", "place"]

_HOW = "install one: pip install 'bnnedge[hardware]', or nextpnr of your system"
# What placement works towards. Its result is what is reached, so that it may lie below or above.
TARGET_MHZ = 100


@dataclass(frozen=True)
class Device:
    """The largest of a family that nextpnr knows with a usual package.

    Attributes:
        name: of the part, with its package.
        program: that places on it.
        flags: that choose it.
    """

    name: str
    program: str
    flags: tuple[str, ...]


DEVICES = {
    "ice40": Device("iCE40HX8K-CT256", "nextpnr-ice40", ("--hx8k", "--package", "ct256")),
    "ecp5": Device("LFE5U-85F-6BG756", "nextpnr-ecp5", ("--85k", "--package", "CABGA756", "--speed", "6")),
}


@dataclass(frozen=True)
class Placement:
    """What came of placing a design.

    Attributes:
        device: the part.
        tool: name and version of nextpnr.
        fmax_mhz: clock that the slowest path allows; None where it cannot be placed.
        complaint: of nextpnr where it cannot be placed, for want of pins or cells; otherwise empty.
    """

    device: str
    tool: str
    fmax_mhz: float | None
    complaint: str

    def __str__(self) -> str:
        if self.fmax_mhz is None:
            return f"Cannot be placed on {self.device}, the largest device: {self.complaint}"
        return f"On {self.device}, placed by {self.tool}: at most {self.fmax_mhz:.1f} MHz"


def place(netlist: Path, family: str) -> Placement:
    """Place and route a flat netlist of Yosys, pins wherever they fall; the same for the same netlist.

    Args:
        netlist: JSON with the top module; files of nextpnr are written beside it.
        family: ``ice40`` or ``ecp5``.

    Raises:
        ConfigError: a family that no open tool places.
        FileError: the report of nextpnr is not one.
        VerificationError: there is no nextpnr.
    """
    if family not in DEVICES:
        raise ConfigError(f"no open tool places on {family}", f"an Fmax is for {', '.join(DEVICES)}")
    device = DEVICES[family]
    program = find_program((device.program, f"yowasp-{device.program}"), _HOW)
    version = call([program, "--version"], netlist.parent, errors=True).rpartition("nextpnr-")[2]
    tool = f"nextpnr {version.strip(' )' + chr(10))}"
    clock = ("--freq", str(TARGET_MHZ), "--timing-allow-fail", "--seed", "1")
    files = ("--json", netlist.name, "--report", "placed.json")
    try:
        call([program, "-q", *device.flags, *clock, *files], netlist.parent)
    except FileError as error:
        return Placement(device.name, tool, None, error.message)
    try:
        report = json.loads((netlist.parent / "placed.json").read_text(encoding="utf-8"))
        fmax = min(float(clock["achieved"]) for clock in report["fmax"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{tool} left no report of its clocks: {error!r}") from error
    return Placement(device.name, tool, round(fmax, 2), "")
