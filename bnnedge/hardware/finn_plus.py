"""FINN+'s front end, run on a build folder in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnedge.errors import FileError, UnsupportedError, VerificationError
from bnnedge.share import cache, share

__all__ = ["FinnNode", "FrontEnd", "check", "find_finn", "parse_front_end", "run_front_end"]

VARIABLE = "BNNEDGE_FINN_PYTHON"

# Nodes that may stay outside the accelerator: the image's channels go last, which the driver does; and the
# arg-max after a head with a scale for each class.
MAY_STAY_OUTSIDE = {"Transpose", "TopK"}


@dataclass(frozen=True)
class FinnNode:
    """A node of the accelerator, with FINN+'s own figures.

    Attributes:
        name: FINN+'s, ``MVAU_hls_0``.
        hardware: whether it became HLS or RTL.
        folding: its ``PE``, ``SIMD`` and ``parallel_window``, those that it has.
        cycles: clock cycles a sample.
        luts: look-up tables.
        bram18: 18 Kbit block RAMs.
    """

    name: str
    hardware: bool
    folding: Mapping[str, int]
    cycles: int
    luts: int
    bram18: int


@dataclass(frozen=True)
class FrontEnd:
    """What FINN+ made of a folder.

    Attributes:
        versions: of FINN+ and the packages that it rests on.
        clock_mhz: what it estimated for.
        wrong: step to labels that differed, for each step whose graph was executed.
        samples: that each was executed on.
        seconds: that all steps took.
        outside: operators that stayed outside the accelerator.
        ends: datatypes and shapes of what enters and leaves the accelerator, as FINN's driver calls them.
        nodes: of the accelerator, in order.
    """

    versions: Mapping[str, str]
    clock_mhz: float
    wrong: Mapping[str, int]
    samples: int
    seconds: float
    outside: tuple[str, ...]
    ends: Mapping[str, Any]
    nodes: tuple[FinnNode, ...]


def find_finn(named: Path | None = None) -> Path:
    """The Python of an environment that has FINN+.

    Args:
        named: by the user; None: what ``BNNEDGE_FINN_PYTHON`` names, or what ``scripts/with_finn`` made.

    Raises:
        FileError: it is not there.
    """
    variable = os.environ.get(VARIABLE)
    python = named or (Path(variable) if variable else cache("finn-plus") / "bin" / "python")
    if not os.access(python, os.X_OK):
        pins = share("hw") / "finn" / "requirements.txt"
        raise FileError(
            f"no FINN+ at {python}",
            f"scripts/with_finn --install makes it (560 MB); or install {pins} without dependencies into an "
            f"environment of its own, and name its Python in {VARIABLE}",
        )
    return python


def run_front_end(
    python: Path,
    folder: Path,
    work: Path,
    *,
    fps: int | None = None,
    folding: Path | None = None,
    called: Path | None = None,
) -> FrontEnd:
    """Take a build folder through FINN+ up to its estimate reports.

    Args:
        python: of an environment with ``hw/finn/requirements.txt`` (see :func:`find_finn`).
        folder: what ``bnnedge export --target pynq`` wrote.
        work: gets every intermediate model, the reports and ``front_end.log``.
        fps: let FINN+ fold for it, in place of what the folder says.
        folding: a folding configuration, in place of what the folder says.
        called: how errors call the folder, where that is not its name.

    Raises:
        FileError: no build folder.
        UnsupportedError: FINN+ stopped on the way.
    """
    if not (folder / "dataflow_build_config.json").is_file():
        raise FileError(f"{folder} is no build folder", "make one: bnnedge export --target pynq")
    work.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [python, share("hw") / "finn" / "front_end.py", folder, work]
    command += [] if fps is None else ["--fps", str(fps)]
    command += [] if folding is None else ["--folding", folding]
    log = work / "front_end.log"
    environment = os.environ | {"HOME": str(work)}  # where FINN+ makes a folder for its settings
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8").strip().splitlines() or ["it printed nothing"]
        raise UnsupportedError(
            f"FINN+ stopped on {called or folder}: {lines[-1]}", f"all that it said is in {log}"
        )
    return parse_front_end(json.loads((work / "front_end.json").read_text(encoding="utf-8")))


def parse_front_end(table: Mapping[str, Any]) -> FrontEnd:
    """What ``hw/finn/front_end.py`` wrote down."""
    executed = [step for step in table["steps"] if "wrong" in step]
    return FrontEnd(
        versions=table["versions"],
        clock_mhz=1000 / table["clock_period_ns"],
        wrong={step["name"]: step["wrong"] for step in executed},
        samples=max(step["samples"] for step in executed),
        seconds=sum(step["seconds"] for step in table["steps"]),
        outside=tuple(table["outside"]),
        ends=table["ends"],
        nodes=tuple(FinnNode(**node) for node in table["nodes"]),
    )


def check(folder: Path, result: FrontEnd, work: Path) -> None:
    """Insist that FINN+ computes the golden model's labels, with every layer in hardware.

    Raises:
        VerificationError: it does not; the hint says that the model after each step is in ``work``.
    """
    hint = f"the model after each step is in {work}"
    if not result.samples:
        raise VerificationError(f"{folder}: FINN+'s graphs were executed on no sample", "input.npy is empty")
    for step, wrong in result.wrong.items():
        if wrong:
            raise VerificationError(
                f"{folder}: after {step}, {wrong} of {result.samples} labels differ", hint
            )
    software = [node.name for node in result.nodes if not node.hardware]
    software += [operator for operator in result.outside if operator not in MAY_STAY_OUTSIDE]
    if software:
        raise VerificationError(f"{folder}: FINN+ left {', '.join(software)} in software", hint)
