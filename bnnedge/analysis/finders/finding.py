"""What a finder hands on, and how it names neurons in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from bnnedge.packed.layer import PackedLayer

__all__ = ["Finding", "listed", "noun_of", "places_of"]

LISTED = 8  # indices that a sentence spells out; the tuple beside it has them all


@dataclass(frozen=True)
class Finding:
    """One thing about a layer that an engineer can act on.

    Attributes:
        kind: ``constant-neuron``, ``duplicate-neurons``, ``complementary-neurons``, ``same-weights``,
            ``dead-inputs``, ``shared-patterns`` or ``rows-outside-blocks``.
        layer: name of the layer.
        neurons: ascending; of a convolution, filters. Inputs of the layer where the kind is ``dead-inputs``;
            of a convolution, channels.
        message: one sentence.
        saves: what it saves in hardware, one phrase.
        weight_bits: weight bits that go when this finding alone is fixed; 0 where it cannot be.
        keeps_function: whether :func:`bnnedge.analysis.fix.fix` acts on it, every score unchanged.
    """

    kind: str
    layer: str
    neurons: tuple[int, ...]
    message: str
    saves: str
    weight_bits: int
    keeps_function: bool


def noun_of(layer: PackedLayer) -> str:
    """What one output of a layer comes from: a neuron, or of a convolution a filter."""
    return "neuron" if layer.convolution is None else "filter"


def places_of(layer: PackedLayer) -> str:
    """How often an image needs what is saved of a layer; nothing to say of a dense one."""
    places = 1 if layer.convolution is None else prod(layer.convolution.positions)
    return f" at each of {places:,} places" if places > 1 else ""


def listed(indices: Sequence[int]) -> str:
    """Indices as a sentence has them, runs drawn together, the tail counted.

    >>> listed([4]), listed([4, 7]), listed([0, 1, 2, 3, 9])
    ('4', '4 and 7', '0–3 and 9')
    >>> listed(range(0, 40, 2))
    '0, 2, 4, 6, 8, 10, 12, 14 and 12 more'
    """
    starts = [place for place, index in enumerate(indices) if not place or indices[place - 1] != index - 1]
    parts: list[tuple[str, int]] = []
    for start, end in zip(starts, [*starts[1:], len(indices)], strict=True):
        if end - start > 2:
            parts.append((f"{indices[start]}–{indices[end - 1]}", end - start))
        else:
            parts += [(str(index), 1) for index in indices[start:end]]
    texts = [text for text, _ in parts[:LISTED]]
    if rest := sum(size for _, size in parts[LISTED:]):
        texts.append(f"{rest:,} more")
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
