"""The audit of one file's weight bits: measures by layer, scores against nulls, flags and findings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from bnnedge.analysis.cost import Costs
from bnnedge.analysis.findings import Finding, find, find_in_weights
from bnnedge.analysis.measures import BLOCKS, Counted, Measures, count, without_nan
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.layout import lay_out, reordering_of
from bnnedge.complexity.nulls import NullScore, score_nulls
from bnnedge.complexity.sampling import Value, take
from bnnedge.errors import ConfigError
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import BitTensor, WeightSet, weights_of

__all__ = ["Audit", "LayerAudit", "audit"]

SCHEMA = 2

# Permutations are drawn of whole layers, bit by bit, so they end earlier than the other nulls.
PERMUTED_BITS = 2**24
PATTERNS = 2**16


@dataclass(frozen=True)
class LayerAudit:
    """One layer.

    Attributes:
        name: of the layer.
        shape: (outputs, inputs) or (outputs, inputs, height, width).
        layout: how a kernel's weights were laid out as a matrix.
        reading: how the file's values became bits.
        measures: counts, entropies and BDM over whole 4x4 blocks.
        values: every further measure, by its key.
        nulls: scores against null models.
        flags: what makes a number misleading; empty when nothing does.
    """

    name: str
    shape: tuple[int, ...]
    layout: str
    reading: str
    measures: Measures
    values: Mapping[str, Value]
    nulls: tuple[NullScore, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What the weight bits of a file look like.

    Attributes:
        name: of the file, as the user gave it.
        digest: SHA-256 that names the content.
        provenance: where it says it came from.
        notes: how the file was read.
        blocks: which blocks BDM and block entropy are taken over.
        layers: in model order.
        total: over all bits; blocks of all layers pooled in one histogram.
        findings: what an engineer can act on.
        costs: of the layers in hardware, where they were asked for.
    """

    name: str
    digest: str
    provenance: Mapping[str, object]
    notes: tuple[str, ...]
    blocks: str
    layers: tuple[LayerAudit, ...]
    total: Measures
    findings: tuple[Finding, ...]
    costs: Costs | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is NaN here is null there, with its reason beside it."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.audit",
            "name": self.name,
            "digest": self.digest,
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
            "blocks": self.blocks,
            "layers": [_plain_layer(layer) for layer in self.layers],
            "total": self.total.to_dict(),
            "findings": [asdict(finding) for finding in self.findings],
        } | ({} if self.costs is None else {"costs": asdict(self.costs)})

    def to_json(self) -> str:
        """The audit as ``bnnedge audit --json`` prints it, one line."""
        return json.dumps(self.to_dict(), allow_nan=False)


def audit(
    weights: WeightSet | PackedModel,
    *,
    layout: str = "flat",
    boundary: str = "ignore",
    nulls: int = 100,
    seed: int = 0,
    whole: bool = False,
    threads: int = 1,
) -> Audit:
    """Measure every layer of a file.

    Args:
        weights: what a file holds; a packed model will do.
        layout: how convolutions become matrices, see ``complexity.layout``.
        boundary: ``ignore``, or ``recursive``, which drops (next to) no bit at the edges.
        nulls: draws of each null model; 0 for none.
        seed: of nulls and tiles.
        whole: take every measure of whole layers, however long that lasts.
        threads: layers worked on at once; the result does not depend on it.

    Raises:
        ConfigError: an unknown layout or boundary rule.
    """
    if boundary not in BLOCKS:
        known = " and ".join(BLOCKS)
        raise ConfigError(f"no audit with the boundary rule {boundary!r}", f"there are {known}")
    if isinstance(weights, PackedModel):
        weights = weights_of(weights)
    seeds = np.random.SeedSequence(seed).spawn(len(weights.tensors))

    def one(position: int) -> tuple[LayerAudit, Counted]:
        stream = int(seeds[position].generate_state(1)[0])
        return _audit_layer(weights, position, layout, boundary, nulls=nulls, seed=stream, whole=whole)

    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(one, range(len(weights.tensors))))
    found = find(weights.model) if weights.model is not None else find_in_weights(weights)
    return Audit(
        name=weights.name,
        digest=weights.digest,
        provenance=weights.provenance,
        notes=weights.notes,
        layers=tuple(layer for layer, _ in done),
        blocks=BLOCKS[boundary],
        total=reduce(add, (counted for _, counted in done)).measures(),
        findings=found,
    )


def _audit_layer(
    weights: WeightSet, position: int, layout: str, boundary: str, *, nulls: int, seed: int, whole: bool
) -> tuple[LayerAudit, Counted]:
    """One layer, and the blocks counted in it."""
    tensor = weights.tensors[position]
    matrix = lay_out(tensor, layout)
    counted = count(matrix, boundary)
    basic = counted.measures()
    scores: tuple[NullScore, ...] = ()
    drawn = nulls > 0 and (whole or matrix.bits <= PERMUTED_BITS)
    if drawn:
        reordering = reordering_of(weights, position, layout)
        scores = score_nulls(matrix, first_layer=position == 0, draws=nulls, seed=seed, reordering=reordering)
    blocks = counted.histogram if boundary == "ignore" else None
    layer = LayerAudit(
        name=tensor.name,
        shape=tensor.shape,
        layout=layout if tensor.is_convolution else "flat",
        reading=tensor.reading,
        measures=basic,
        values=take(MEASURES, matrix, seed, whole=whole, blocks=blocks),
        nulls=scores,
        flags=_flags(tensor, basic, not drawn and nulls > 0),
    )
    return layer, counted


def _flags(tensor: BitTensor, basic: Measures, no_nulls: bool) -> tuple[str, ...]:
    flags = []
    if basic.blocks > PATTERNS:
        flags.append(
            f"saturated: {basic.blocks:,} blocks of only {PATTERNS:,} patterns; "
            "go by bdm_tile_per_bit instead of BDM"
        )
    if no_nulls:
        flags.append(
            f"null models are not drawn of more than {PERMUTED_BITS:,} bits unless all measures are asked for"
        )
    if basic.reason:
        flags.append(basic.reason)
    if tensor.reading == "signs of real values":
        flags.append("bits are the signs of real values")
    return tuple(flags)


def _plain_layer(layer: LayerAudit) -> dict[str, Any]:
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "layout": layer.layout,
        "reading": layer.reading,
        **layer.measures.to_dict(),
        "measures": {key: value.to_dict() for key, value in layer.values.items()},
        "nulls": [without_nan(asdict(score)) for score in layer.nulls],
        "flags": list(layer.flags),
    }
