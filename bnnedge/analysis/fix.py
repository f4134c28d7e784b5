"""A smaller network that is the same function: every class score, logit and label unchanged.

Neurons and filters go as :mod:`bnnedge.analysis.finders.removal` plans. Constants move into the thresholds of
the layer they feed; copies of one signal are drawn together, which gives their weights anew. Scores stay as
they are to the last unit, so that float32 logits do too, and the head is not touched: moving a constant into
its offset would round. What a reader of scores sees, in software or hardware, does not change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bnnedge.analysis.finders.finding import Finding
from bnnedge.analysis.finders.removal import Removal, plan_removal
from bnnedge.analysis.finders.rows import repeated
from bnnedge.analysis.finders.signals import LayerFacts, analyse
from bnnedge.analysis.findings import find
from bnnedge.errors import VerificationError
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.file import digest
from bnnedge.packed.fold import Thresholds
from bnnedge.packed.infer import check_inputs
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel

__all__ = ["RANDOM_SAMPLES", "FixResult", "fix", "prove_equivalent"]

RANDOM_SAMPLES = 1024  # of each of the two kinds that prove_equivalent draws


@dataclass(frozen=True, eq=False)
class FixResult:
    """A fixed model.

    Attributes:
        model: the smaller network, or the one given where nothing could go.
        applied: the findings acted on; neurons as the given model counts them.
        before_bits: weight bits of the model given.
        after_bits: weight bits now.
    """

    model: PackedModel
    applied: tuple[Finding, ...]
    before_bits: int
    after_bits: int


def fix(model: PackedModel) -> FixResult:
    """Remove every neuron and filter that can go with all scores unchanged.

    The provenance of a smaller model gets an entry ``fixed_from``, the digest of the one given. One pass
    reaches the fixed point: a plan made backward over facts worked forward already counts what its own
    removals allow, so fixing a fixed model returns it as it is.
    """
    facts = analyse(model)
    plans = plan_removal(facts)
    before = _weight_bits(model)
    if all(plan.kept.all() for plan in plans):
        return FixResult(model, (), before, before)
    sources = [np.ones(facts[0].channels.classes.size, dtype=bool), *(plan.kept for plan in plans[:-1])]
    layers = tuple(_shrink(*parts) for parts in zip(facts, sources, plans, strict=True))
    provenance = model.provenance | {"fixed_from": digest(model)}
    smaller = replace(model, layers=layers, provenance=provenance)
    applied = tuple(finding for finding in find(model) if finding.keeps_function)
    return FixResult(smaller, applied, before, _weight_bits(smaller))


def prove_equivalent(
    before: PackedModel, after: PackedModel, inputs: NDArray[np.uint8], *, seed: int = 0
) -> int:
    """Compare scores, logits and labels of two models by the golden model; returns the number of samples.

    Args:
        before: one model.
        after: another of the same input encoding.
        inputs: (samples, features) whole numbers, real ones; seeded random ones are added: half of them
            uniform, half of them 0 and the maximum in a share that differs from sample to sample.
        seed: of the random ones.

    Raises:
        VerificationError: something differs; names the first sample and class.
        DataError: the inputs do not fit the models.
    """
    if before.encoding != after.encoding or before.classes != after.classes:
        raise VerificationError(
            f"a model of {before.encoding} and {before.classes} classes cannot equal one of "
            f"{after.encoding} and {after.classes} classes"
        )
    real = check_inputs(before.encoding, inputs)
    samples = np.concatenate([real, _random_samples(before.encoding, seed)])
    ours, theirs = before.predict(samples), after.predict(samples)
    for name in ("scores", "logits"):
        one, other = getattr(ours, name), getattr(theirs, name)
        if not np.array_equal(one, other):
            sample, label = (int(index) for index in np.argwhere(one != other)[0])
            origin = f"sample {sample}" if sample < len(real) else f"random sample {sample - len(real)}"
            raise VerificationError(
                f"{name} differ: class {label} of {origin} has {one[sample, label]} before and "
                f"{other[sample, label]} after",
                "the two networks are not the same function; keep the first",
            )
    return len(samples)


def _shrink(facts: LayerFacts, channels: NDArray[np.bool_], plan: Removal) -> PackedLayer:
    """The layer's kept neurons over its kept channels."""
    weights, thresholds, convolution = facts.layer.weights, facts.layer.thresholds, facts.layer.convolution
    inputs = channels.repeat(facts.pixels)
    if not channels.all():
        weights = _merge_copies(facts, inputs)
        if thresholds is not None:
            thresholds = _moved(thresholds, facts, plan.live, int(np.count_nonzero(inputs)))
        if convolution is not None:
            shape = (int(np.count_nonzero(channels)), *convolution.input_shape[1:])
            convolution = replace(convolution, input_shape=shape)
    if thresholds is not None:
        thresholds = Thresholds(thresholds.values[plan.kept], thresholds.directions[plan.kept])
    bits = weights.to_bits()[np.ix_(plan.kept, inputs)]
    return PackedLayer(facts.layer.name, PackedMatrix.from_bits(bits), thresholds, convolution)


def _merge_copies(facts: LayerFacts, kept: NDArray[np.bool_]) -> PackedMatrix:
    """The layer's weights, those of fewer copies of a signal set to add up to what all of them did."""
    signs = facts.layer.weights.to_signs()
    for copies in repeated(facts.inputs.classes):
        staying = copies[kept[copies]]
        if staying.size < copies.size:
            sums = signs[:, copies] @ facts.inputs.signs[copies].astype(np.int64)
            positive = (staying.size + sums) // 2
            turned = np.where(np.arange(staying.size) < positive[:, None], 1, -1)
            signs[:, staying] = turned * facts.inputs.signs[staying]
    return PackedMatrix.from_signs(signs)


def _moved(thresholds: Thresholds, facts: LayerFacts, live: NDArray[np.bool_], inputs: int) -> Thresholds:
    """Thresholds over the inputs that are left, on their lattice.

    Neurons that no score depends on may have lost what they computed: they are tied to their sign, so that
    two which cancelled still do.
    """
    directions = thresholds.directions.astype(np.int64)
    values = thresholds.values - directions * facts.constants
    values = np.clip(values + (values + inputs) % 2, -inputs, inputs + 2)
    tied = np.where(facts.outputs.signs > 0, -inputs, inputs + 2)
    return Thresholds(np.where(live, values, tied).astype(np.int32), thresholds.directions)


def _random_samples(encoding: InputEncoding, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    shape = (RANDOM_SAMPLES, encoding.features)
    uniform = rng.integers(0, encoding.maximum + 1, shape)
    extreme = np.where(rng.random(shape) < rng.random((RANDOM_SAMPLES, 1)), encoding.maximum, 0)
    return np.concatenate([uniform, extreme]).astype(np.uint8)


def _weight_bits(model: PackedModel) -> int:
    return sum(layer.weights.bits for layer in model.layers)
