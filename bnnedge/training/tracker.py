"""Complexity of the weight bits while they train, in the form that metrics.jsonl keeps."""

from __future__ import annotations

import math

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.packed.model import PackedModel

__all__ = ["complexity"]


def complexity(model: PackedModel) -> dict[str, dict[str, float | None]]:
    """BDM in bits and block entropy in bits a block (4x4), by layer and, as ``all``, of one pooled histogram.

    A layer too small for a single block has None: no value, not 0.
    """
    histograms = {layer.name: block_histogram(layer.weights) for layer in model.layers}
    histograms["all"] = sum(list(histograms.values())[1:], start=next(iter(histograms.values())))
    return {
        "bdm": {name: _number(bdm_of(histogram)) for name, histogram in histograms.items()},
        "block_entropy": {
            name: _number(block_entropy_of(histogram)) for name, histogram in histograms.items()
        },
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
