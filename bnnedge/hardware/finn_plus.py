"""FINN+'s front end, run on a build folder in an environment of its own, beside our model of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnedge.errors import FileError, UnsupportedError, VerificationError
from bnnedge.hardware.units import Node, Unit
from bnnedge.share import share

__all__ = ["FinnNode", "FrontEnd", "check", "estimates_of", "parse_front_end", "run_front_end"]

# Nodes that may stay outside the accelerator: the image's channels go last, which the driver does; and the
# arg-max after a head with a scale for each class.
MAY_STAY_OUTSIDE = {"Transpose", "TopK"}

_KEEP_MODELS = "scripts/with_finn --work DIR keeps the model after each step"


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
        nodes: of the accelerator, in order.
    """

    versions: Mapping[str, str]
    clock_mhz: float
    wrong: Mapping[str, int]
    samples: int
    seconds: float
    outside: tuple[str, ...]
    nodes: tuple[FinnNode, ...]


def run_front_end(
    python: Path, folder: Path, work: Path, *, fps: int | None = None, folding: Path | None = None
) -> FrontEnd:
    """Take a build folder through FINN+ up to its estimate reports.

    Args:
        python: of an environment with ``hw/finn/requirements.txt``.
        folder: what ``bnnedge export --target pynq`` wrote.
        work: gets every intermediate model, the reports and ``front_end.log``.
        fps: let FINN+ fold for it, in place of what the folder says.
        folding: a folding configuration, in place of what the folder says.

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
        raise UnsupportedError(f"FINN+ stopped on {folder}: {lines[-1]}", f"all that it said is in {log}")
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
        nodes=tuple(FinnNode(**node) for node in table["nodes"]),
    )


def check(folder: Path, result: FrontEnd) -> None:
    """Insist that FINN+ computes the golden model's labels, with every layer in hardware.

    Raises:
        VerificationError: it does not.
    """
    if not result.samples:
        raise VerificationError(f"{folder}: FINN+'s graphs were executed on no sample", "input.npy is empty")
    for step, wrong in result.wrong.items():
        if wrong:
            raise VerificationError(
                f"{folder}: after {step}, {wrong} of {result.samples} labels differ", _KEEP_MODELS
            )
    software = [node.name for node in result.nodes if not node.hardware]
    software += [operator for operator in result.outside if operator not in MAY_STAY_OUTSIDE]
    if software:
        raise VerificationError(f"{folder}: FINN+ left {', '.join(software)} in software", _KEEP_MODELS)


def estimates_of(units: Sequence[Unit], finn: Sequence[FinnNode]) -> list[tuple[str, FinnNode, Node | None]]:
    """(layer, FINN+'s node, our estimate of it) with our units folded as FINN+'s nodes are.

    The estimate is None where FINN+ folded as we never would: further than HLS goes.

    Raises:
        VerificationError: FINN+ made other nodes of the network than we expected.
    """
    pairs: list[tuple[str, FinnNode, Node | None]] = []
    for unit in units:
        ways = [unit.nodes(folding) for folding in unit.foldings()]
        theirs = finn[len(pairs) : len(pairs) + len(ways[0])]
        operators = [node.operator for node in ways[0]]
        if [node.name.rpartition("_")[0] for node in theirs] != operators:
            raise VerificationError(
                f"FINN+ made {', '.join(node.name for node in theirs) or 'nothing'} of {unit.layer}, "
                f"not {', '.join(operators)}",
                _KEEP_MODELS,
            )
        same = next((ours for ours in ways if all(map(_folded_alike, ours, theirs))), None)
        estimates = [None] * len(theirs) if same is None else same
        pairs += [(unit.layer, node, ours) for node, ours in zip(theirs, estimates, strict=True)]
    if len(pairs) < len(finn):
        raise VerificationError(f"FINN+ made {finn[len(pairs)].name} besides what we expected", _KEEP_MODELS)
    return pairs


def _folded_alike(ours: Node, theirs: FinnNode) -> bool:
    return all(ours.attributes.get(name, value) == value for name, value in theirs.folding.items())
