"""The audit of one packed model: a row of measures for each layer, and one for all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnnedge.analysis.measures import LAYOUT, Measures, measure
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel

__all__ = ["Audit", "LayerAudit", "audit"]

SCHEMA = 1


@dataclass(frozen=True)
class LayerAudit:
    """One layer's shape and measures."""

    name: str
    outputs: int
    inputs: int
    measures: Measures


@dataclass(frozen=True)
class Audit:
    """What the weight bits of a model look like.

    Attributes:
        name: of the model, as the user gave it.
        digest: SHA-256 of what the model computes.
        provenance: where the model says it came from.
        layers: in model order.
        total: over all bits; blocks of all layers pooled in one histogram.
    """

    name: str
    digest: str
    provenance: Mapping[str, object]
    layers: tuple[LayerAudit, ...]
    total: Measures

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is NaN here is null there, with its reason beside it."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.audit",
            "name": self.name,
            "digest": self.digest,
            "provenance": dict(self.provenance),
            "layout": LAYOUT,
            "layers": [
                {"name": layer.name, "outputs": layer.outputs, "inputs": layer.inputs}
                | layer.measures.to_dict()
                for layer in self.layers
            ],
            "total": self.total.to_dict(),
        }

    def to_json(self) -> str:
        """The audit as ``bnnedge audit --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


def audit(model: PackedModel, name: str = "model") -> Audit:
    """Measure every layer of a model; ``name`` is what reports call it."""
    return Audit(
        name=name,
        digest=digest(model),
        provenance=model.provenance,
        layers=tuple(
            LayerAudit(layer.name, layer.outputs, layer.inputs, measure([layer.weights]))
            for layer in model.layers
        ),
        total=measure([layer.weights for layer in model.layers]),
    )
