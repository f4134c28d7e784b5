"""FINN+'s estimates beside ours, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bnnedge.errors import VerificationError
from bnnedge.hardware.dataflow import units_of
from bnnedge.hardware.finn_plus import FinnNode, FrontEnd
from bnnedge.hardware.folding import Design
from bnnedge.hardware.units import Node, Unit
from bnnedge.packed.geometry import Geometry

__all__ = ["FIGURES", "Estimate", "estimates_of"]

FIGURES = ("cycles", "luts", "bram18")
SCHEMA = 1
HINT = "the estimates follow the FINN+ of hw/finn/requirements.txt: scripts/with_finn --install"


@dataclass(frozen=True)
class Estimate:
    """What FINN+ made of a network, and what it and we say that each node costs.

    Attributes:
        result: FINN+'s answer.
        pairs: (layer, FINN+'s node, our estimate of it), as of :func:`estimates_of`.
    """

    result: FrontEnd
    pairs: Sequence[tuple[str, FinnNode, Node | None]]

    @classmethod
    def of(cls, geometry: Geometry, result: FrontEnd) -> Estimate:
        """Those of a network beside FINN+'s, folded as FINN+ folded.

        Raises:
            VerificationError: FINN+ made other nodes of the network than we expected.
        """
        return cls(result, estimates_of(units_of(geometry, "plus"), result.nodes))

    @classmethod
    def of_design(cls, design: Design, result: FrontEnd) -> Estimate:
        """Those of a design beside FINN+'s, which was to fold so.

        Raises:
            VerificationError: FINN+ made other nodes, or folded them otherwise.
        """
        asked, made = design.named_nodes(), result.nodes
        if [name for name, _, _ in asked] != [node.name for node in made]:
            names = ", ".join(name for name, _, _ in asked)
            raise VerificationError(f"FINN+ made {', '.join(node.name for node in made)}, not {names}", HINT)
        for (name, _, ours), theirs in zip(asked, made, strict=True):
            if not _folded_alike(ours, theirs):
                raise VerificationError(
                    f"FINN+ folded {name} as {dict(theirs.folding)}, not as {dict(ours.attributes)}", HINT
                )
        pairs = zip(asked, made, strict=True)
        return cls(result, [(choice.unit.layer, theirs, ours) for (_, choice, ours), theirs in pairs])

    @property
    def fps(self) -> float:
        """Frames a second, by FINN+'s cycles of the slowest node."""
        return self.result.clock_mhz * 1e6 / max(node.cycles for node in self.result.nodes)

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema; the same folder always gives the same."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.finn_plus",
            "versions": dict(self.result.versions),
            "clock_mhz": self.result.clock_mhz,
            "fps": self.fps,
            "samples": self.result.samples,
            "wrong_labels": dict(self.result.wrong),
            "outside": list(self.result.outside),
            "nodes": [
                {"layer": layer, "node": theirs.name, "hardware": theirs.hardware}
                | {"folding": dict(theirs.folding)}
                | {
                    key: {"finn": getattr(theirs, key), "ours": None if ours is None else getattr(ours, key)}
                    for key in FIGURES
                }
                for layer, theirs, ours in self.pairs
            ],
        }

    def notes(self) -> list[str]:
        """The whole in three sentences: costs, labels, what is in hardware."""
        result = self.result
        luts, bram18 = (sum(getattr(node, key) for node in result.nodes) for key in ("luts", "bram18"))
        software = [node.name for node in result.nodes if not node.hardware]
        labels = (f"{wrong} wrong after {step}" for step, wrong in result.wrong.items())
        return [
            f"FINN+ {result.versions['finn-plus']} estimates {self.fps:,.0f} frames/s at "
            f"{result.clock_mhz:g} MHz, {luts:,} LUT, {bram18:,} BRAM18.",
            f"Labels of {result.samples} samples: {', '.join(labels)}.",
            f"{len(result.nodes) - len(software)} of {len(result.nodes)} nodes in hardware; "
            f"outside the accelerator: {', '.join((*software, *result.outside)) or 'none'}.",
        ]


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
                HINT,
            )
        same = next((ours for ours in ways if all(map(_folded_alike, ours, theirs))), None)
        estimates = [None] * len(theirs) if same is None else same
        pairs += [(unit.layer, node, ours) for node, ours in zip(theirs, estimates, strict=True)]
    if len(pairs) < len(finn):
        raise VerificationError(f"FINN+ made {finn[len(pairs)].name} besides what we expected", HINT)
    return pairs


def _folded_alike(ours: Node, theirs: FinnNode) -> bool:
    return all(ours.attributes.get(name, value) == value for name, value in theirs.folding.items())
