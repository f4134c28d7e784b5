"""The few sentences of an audit that a reader should not miss."""

from __future__ import annotations

import math

from bnnedge.analysis.audit import Audit, LayerAudit
from bnnedge.complexity.nulls import NullScore

__all__ = ["headlines"]


def headlines(audit: Audit) -> list[str]:
    """Plain sentences, the most important first: findings, structure, what was left out, what misleads."""
    return [*_findings(audit), *_structure(audit), *_left_out(audit), *_flagged(audit)]


def _findings(audit: Audit) -> list[str]:
    if not audit.findings:
        return ["Nothing to act on was found: no constant, duplicate or complementary neurons."]
    layers = len({finding.layer for finding in audit.findings})
    sentence = f"{_count(len(audit.findings), 'finding')} in {_count(layers, 'layer')}"
    fixable = [finding for finding in audit.findings if finding.keeps_function]
    if fixable:
        sentence += f"; {len(fixable):,} can be fixed without changing what the network computes"
    return [f"{sentence}."]


def _structure(audit: Audit) -> list[str]:
    scored = [(layer, score) for layer in audit.layers if (score := _score(layer, "shuffle")) is not None]
    if not scored:
        return []
    outside = [(layer, score) for layer, score in scored if not score.low <= score.observed <= score.high]
    if not outside:
        return ["By BDM, no layer differs from random bits of the same density."]
    layer, score = max(outside, key=lambda pair: abs(pair[1].z))
    side = "simpler" if score.z < 0 else "more complex"
    z = f"{score.z:+.1f}".replace("-", "−")
    sentences = [
        f"{layer.name} is {side} than random bits of the same density: its BDM of {score.observed:,.0f} bits "
        f"lies outside their 95 % interval, {score.low:,.0f} to {score.high:,.0f} (z = {z})."
    ]
    inputs = _score(layer, "inputs")
    if inputs is not None and score.z < 0 and inputs.observed < inputs.low:
        sentences.append(
            f"The structure of {layer.name} follows the order of its inputs: with them in another order, the "
            f"same function has a BDM of {inputs.low:,.0f} to {inputs.high:,.0f} bits."
        )
    others = len(scored) - len(outside)
    if others:
        sentences.append(
            f"In {others} of {_count(len(scored), 'layer')}, BDM does not tell the bits from random ones."
        )
    return sentences


def _left_out(audit: Audit) -> list[str]:
    dropped = audit.total.bits_dropped
    if not dropped:
        return []
    share = dropped / audit.total.bits
    return [f"{dropped:,} weights ({share:.1%}) lie at edges, outside every block, and do not count in BDM."]


def _flagged(audit: Audit) -> list[str]:
    return [f"{layer.name} – {flag}." for layer in audit.layers for flag in layer.flags]


def _score(layer: LayerAudit, null: str) -> NullScore | None:
    for score in layer.nulls:
        if (score.null, score.measure) == (null, "bdm_bits") and math.isfinite(score.z):
            return score
    return None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
