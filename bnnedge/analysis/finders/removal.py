"""Which neurons and filters can go from a 1-bit network with every class score unchanged, and which cannot.

What a weight of one bit can say limits what can be removed. A consumer sees m copies of one signal as a
single weight E, the sum of their m bits (signs of opposite copies turned); ``need`` copies can say the same
exactly when no |E| exceeds ``need``, since the parity agrees by itself. So

* a signal goes down to the largest |E| among its consumers, and goes altogether where its copies cancel;
* constants before a layer with thresholds all go: their sum moves into the thresholds;
* constants before the last layer, which has none, go down to the largest |E| like any other signal. A
  float32 head cannot take them in without rounding, and the hardware, which has no head, not at all;
* neurons that no neuron listens to whose output can change go;
* input features stay, being the interface, and a layer keeps at least one neuron.

A filter goes as a channel: its consumers have a weight for each pixel that they look at, so as many copies
stay as the largest |E| at any of these needs; constants, which add up over all pixels, need fewer. Signals
are taken as they enter the consumer: after max-pooling and with padding, under which fewer of them are alike.

Worked from the last layer back, so that neurons which go no longer count as consumers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.signals import CONSTANT, LayerFacts

__all__ = ["Removal", "plan_removal"]

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Removal:
    """What becomes of one layer's neurons.

    Attributes:
        kept: (outputs,) neurons that stay.
        live: (outputs,) those of them that change and that some score may depend on.
    """

    kept: Booleans
    live: Booleans


def plan_removal(facts: Sequence[LayerFacts]) -> tuple[Removal, ...]:
    """The fate of every layer's neurons, in model order; the last layer's all stay."""
    everything = np.ones(facts[-1].layer.outputs, dtype=bool)
    plans = [Removal(everything, everything)]
    for layer, consumer in zip(facts[-2::-1], facts[:0:-1], strict=True):
        plans.append(_plan(layer.outputs.constant, consumer, plans[-1].live))
    return tuple(reversed(plans))


def _plan(constant: Booleans, consumer: LayerFacts, listening: Booleans) -> Removal:
    signals = consumer.channels
    kept = _ranks(signals.classes) < _needs(consumer, listening)[signals.classes]
    if kept.any():
        return Removal(kept, kept & ~constant)
    # Nothing is needed. Scores that are always 0 are an even number of inputs that cancel: two channels keep
    # them so, or one that is constant over an even number of pixels.
    alone = consumer.layer.thresholds is not None or (signals.constant[0] and consumer.pixels % 2 == 0)
    kept[np.flatnonzero(signals.classes == signals.classes[0])[: 1 if alone else 2]] = True
    return Removal(kept, np.zeros_like(kept))


def _needs(consumer: LayerFacts, listening: Booleans) -> NDArray[np.int64]:
    """Copies that must stay of each class; that of the constants, class −1, comes last."""
    signals, pixels = consumer.channels, consumer.pixels
    needs = np.zeros(signals.classes.size + 1, dtype=np.int64)
    if listening.any():
        needs[signals.classes] = 1
        largest = np.abs(consumer.rows.sums[listening]).max(axis=0, initial=0)
        needs[signals.shared] = largest.reshape(signals.shared.size, pixels).max(axis=1, initial=0)
        needs[CONSTANT] = 0 if consumer.layer.thresholds is not None else _constants_needed(consumer)
    return needs


def _constants_needed(consumer: LayerFacts) -> int:
    """Constant channels whose pixels can add up to every score's constant: enough, and of its parity."""
    needed = -(-int(np.abs(consumer.constants).max()) // consumer.pixels)
    given = int(np.count_nonzero(consumer.channels.constant))
    return needed + (consumer.pixels * (given - needed)) % 2


def _ranks(classes: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many values of the same class come before each."""
    order = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[order], classes[order])
    ranks = np.empty(classes.size, dtype=np.int64)
    ranks[order] = np.arange(classes.size) - starts
    return ranks
