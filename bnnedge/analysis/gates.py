"""Gates: conditions on an audit that make a build fail, as ``--fail-on`` takes them.

A name stands for a number of one layer, and any layer for which the condition holds makes the gate fail; with
the prefix ``total.`` it stands for a number over all layers. There are

* the basic figures, named as in CSV: ``bits``, ``density``, ``bdm_bits``, ``block_entropy_bits`` …
* every further measure by its key: ``bdm_1d_bits`` … (layers only);
* z-scores (layers only): ``bdm_z`` and ``block_entropy_z`` against density-matched shuffles,
  ``bdm_z_neurons`` … against reordered neurons, ``bdm_z_inputs`` … against reordered inputs. A gate that
  names the last looks at the first layer alone, the only one whose inputs can be reordered by themselves;
* ``findings``, their number, and by kind the number of neurons (or inputs) concerned: ``constant_neurons`` …

A number that is not there passes no gate: it is an error, unless the condition is settled without it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bnnedge.analysis.audit import Audit, LayerAudit
from bnnedge.analysis.expressions import Condition, parse_condition
from bnnedge.analysis.findings import Finding
from bnnedge.analysis.measures import Measures
from bnnedge.complexity.catalogue import MEASURES
from bnnedge.complexity.sampling import Value
from bnnedge.errors import ConfigError

__all__ = ["Failure", "Gate", "check", "gate_names", "parse_gate"]

TOTAL = "total."

_BASIC: Mapping[str, Callable[[Measures], float]] = {
    "bits": lambda measures: measures.bits,
    "bits_kept": lambda measures: measures.bits_kept,
    "bits_dropped": lambda measures: measures.bits_dropped,
    "density": lambda measures: measures.density,
    "bit_entropy_bits": lambda measures: measures.bit_entropy,
    "blocks": lambda measures: measures.blocks,
    "distinct_blocks": lambda measures: measures.distinct_blocks,
    "block_entropy_bits": lambda measures: measures.block_entropy,
    "bdm_bits": lambda measures: measures.bdm,
    "bdm_per_bit": lambda measures: measures.bdm_per_bit,
}
_SCORES = {
    f"{measure}_z{suffix}": (f"{measure}_bits", null)
    for measure in ("bdm", "block_entropy")
    for null, suffix in (("shuffle", ""), ("neurons", "_neurons"), ("inputs", "_inputs"))
}
_KINDS = {
    "constant_neurons": "constant-neuron",
    "duplicate_neurons": "duplicate-neurons",
    "complementary_neurons": "complementary-neurons",
    "same_weights": "same-weights",
    "dead_inputs": "dead-inputs",
    "shared_patterns": "shared-patterns",
    "rows_outside_blocks": "rows-outside-blocks",
}
_COUNTS = ("findings", *_KINDS)


@dataclass(frozen=True)
class Gate:
    """A condition that no layer, or not the total, may meet."""

    condition: Condition

    @property
    def text(self) -> str:
        """The expression as it was written."""
        return self.condition.text

    @property
    def is_of_total(self) -> bool:
        """Whether every name in it is of the total, so that no layer is looked at."""
        return all(name.text.startswith(TOTAL) for name in self.condition.names)


@dataclass(frozen=True)
class Failure:
    """A gate that an audit did not pass.

    Attributes:
        gate: the gate.
        audit: name of the audited file.
        layer: the layer that met the condition, or ``all``.
        values: the numbers that its names stood for.
    """

    gate: Gate
    audit: str
    layer: str
    values: Mapping[str, float]

    def __str__(self) -> str:
        """One line: where, what, and the numbers."""
        numbers = ", ".join(f"{name} is {value:.6g}" for name, value in self.values.items())
        return f"{self.audit}, {self.layer}: {self.gate.text} ({numbers})"


def gate_names() -> tuple[str, ...]:
    """Every name that a gate may use, those of the total included."""
    of_layers = (*_BASIC, *(measure.key for measure in MEASURES), *_SCORES, *_COUNTS)
    return (*of_layers, *(TOTAL + name for name in (*_BASIC, *_COUNTS)))


def parse_gate(text: str) -> Gate:
    """Parse an expression such as ``bdm_z > -2 and bits >= 4096``.

    Raises:
        ConfigError: it is no condition over known names; the message marks the position.

    >>> parse_gate("duplicate_neurons > 0").text
    'duplicate_neurons > 0'
    """
    gate, known = Gate(parse_condition(text)), gate_names()
    if not gate.condition.names:
        raise ConfigError(f"{text!r} names nothing of the audit", "as in 'duplicate_neurons > 0'")
    for name in gate.condition.names:
        if name.text not in known:
            raise ConfigError(
                f"{text!r}, position {name.position + 1}: no number is called {name.text!r}",
                _suggestion(name.text, known),
            )
    return gate


def check(gates: Sequence[Gate], audit: Audit) -> list[Failure]:
    """The gates that an audit does not pass, each with the layer that is to blame.

    Raises:
        ConfigError: no layer fails a gate, but one of them lacks a number without which it cannot be said to
            pass; the message says which, and why.
    """
    return [failure for gate in gates for failure in _check(gate, audit)]


def _check(gate: Gate, audit: Audit) -> list[Failure]:
    failures, unknown = [], []
    for layer in _places(gate, audit):
        values = {name.text: _look_up(name.text, audit, layer) for name in gate.condition.names}
        numbers = {name: value.value for name, value in values.items()}
        holds = gate.condition.holds(numbers.__getitem__)
        where = "all" if layer is None else layer.name
        if holds:
            failures.append(Failure(gate, audit.name, where, numbers))
        elif holds is None:
            missing = [f"{name}: {value.note}" for name, value in values.items() if math.isnan(value.value)]
            unknown.append(f"{where}: {'; '.join(missing) or 'its arithmetic gives no number'}")
    if unknown and not failures:
        raise ConfigError(
            f"{audit.name}: the gate {gate.text!r} can be neither passed nor failed; {unknown[0]}",
            "guard the name, as in 'blocks > 0 and …', or gate something that every layer has",
        )
    return failures


def _places(gate: Gate, audit: Audit) -> Sequence[LayerAudit | None]:
    if gate.is_of_total:
        return [None]
    of_inputs = any(_SCORES.get(name.text, ("", ""))[1] == "inputs" for name in gate.condition.names)
    return audit.layers[:1] if of_inputs else audit.layers


def _look_up(name: str, audit: Audit, layer: LayerAudit | None) -> Value:
    """The number, or NaN and the reason."""
    if layer is None or name.startswith(TOTAL):
        return _figure(name.removeprefix(TOTAL), audit.total, audit.findings)
    if name in _BASIC or name in _COUNTS:
        found = [finding for finding in audit.findings if finding.layer == layer.name]
        return _figure(name, layer.measures, found)
    if name in _SCORES:
        return _score(name, layer)
    return layer.values.get(name, Value(math.nan, "it was not measured"))


def _figure(name: str, measures: Measures, findings: Sequence[Finding]) -> Value:
    if name in _BASIC:
        return Value(_BASIC[name](measures), measures.reason)
    if name == "findings":
        return Value(len(findings))
    concerned = [finding for finding in findings if finding.kind == _KINDS[name]]
    return Value(len({(finding.layer, neuron) for finding in concerned for neuron in finding.neurons}))


def _score(name: str, layer: LayerAudit) -> Value:
    measure, null = _SCORES[name]
    for score in layer.nulls:
        if (score.measure, score.null) == (measure, null):
            return Value(
                score.z, "" if score.sd > 0 else f"every draw of the null model {null!r} is the same"
            )
    why = layer.measures.reason or "--nulls 0, or the layer is too large"
    return Value(math.nan, f"the null model {null!r} was not drawn ({why})")


def _suggestion(name: str, known: Sequence[str]) -> str:
    if name.startswith(TOTAL) and name.removeprefix(TOTAL) in known:
        return f"{name.removeprefix(TOTAL)!r} is a number of layers; the total has none"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "see 'Gates' in the README for the names"
