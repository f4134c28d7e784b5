"""What reproduce_complexity_to_hardware reads off a network, once: accuracy, complexity and costs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from complexity_arms import Arm
from complexity_baselines import derived

from bnnedge.analysis.audit import audit
from bnnedge.complexity.nulls import NullScore
from bnnedge.data.dataset import Dataset
from bnnedge.files import write_atomically
from bnnedge.hardware import unrolled
from bnnedge.packed.file import digest, load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.studies.costs import rom_bits, synth_luts, unrolled_luts
from bnnedge.studies.place import JobPlace

__all__ = ["AUDITED", "Reading", "read_job"]

SCHEMA = 2
NULLS = 20
# Keys of the audit, summed over layers.
AUDITED = (
    "seriated_bdm_bits",
    "aligned_patterns_6",
    "distinct_patterns",
    "spanning_tree_neurons_bits",
    "hardware_luts",
)

Numbers = dict[str, float]


@dataclass(frozen=True)
class Reading:
    """One network.

    Attributes:
        dataset: a name in ``complexity_arms.PRESETS``.
        arm: how it was made.
        seed: of its training.
        numbers: what was read, by name.
    """

    dataset: str
    arm: Arm
    seed: int
    numbers: Mapping[str, float]


def read_job(
    dataset: str,
    arm: Arm,
    seed: int,
    place: JobPlace,
    data: Dataset,
    baselines: Sequence[Arm] = (),
    *,
    yosys: bool = False,
    anew: bool = False,
) -> Iterator[Reading]:
    """The network that a job has trained, and, of an unregularised one, what baselines make of it.

    Numbers are kept beside the run under the network's digest.

    Args:
        dataset: a name in ``complexity_arms.PRESETS``.
        arm: the job's.
        seed: the job's.
        place: where it was trained.
        data: to test on, and for baselines to learn from.
        baselines: arms whose families are in ``complexity_arms.DERIVED``.
        yosys: synthesise the network too, but not the baselines'.
        anew: whatever was read before, since the generator or a measure may have changed since.
    """
    model = load_packed(place.run.best_checkpoint())
    yield Reading(dataset, arm, seed, _kept(place.run.path, str(arm), model, data, yosys=yosys, anew=anew))
    if arm.family != "none":
        return
    for other in baselines:
        made = derived(model, other.family, int(other.strength), data.train.inputs)
        yield Reading(dataset, other, seed, _kept(place.run.path, str(other), made, data, anew=anew))


def _kept(
    run: Path, name: str, model: PackedModel, data: Dataset, *, anew: bool, yosys: bool = False
) -> Numbers:
    """Numbers out of the run's file, or read now and put there."""
    path = run / "complexity.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    networks: dict[str, dict[str, float | None]] = kept["networks"] if kept.get("schema") == SCHEMA else {}
    key = f"{name}, {digest(model)}"

    def keep(numbers: Mapping[str, float | None]) -> None:
        networks[key] = networks.get(key, {}) | dict(numbers)
        write_atomically(path, json.dumps({"schema": SCHEMA, "networks": networks}, indent=1) + "\n")

    if anew or key not in networks:
        keep(_read(model, data))
    if yosys and (anew or "synth_luts" not in networks[key]):
        keep({"synth_luts": synth_luts(model)})
    return {name: math.nan if value is None else value for name, value in networks[key].items()}


def _read(model: PackedModel, data: Dataset) -> dict[str, float | None]:
    found = audit(model, nulls=NULLS)
    total = found.total
    numbers: Numbers = {
        "accuracy": float((model.predict(data.test.inputs).labels == data.test.labels).mean()),
        "validation_accuracy": float(
            (model.predict(data.validation.inputs).labels == data.validation.labels).mean()
        ),
        "bdm_bits": total.bdm,
        "block_entropy_bits": total.block_entropy,
        # Of the layer that has the most weights: scores of several layers do not add up.
        "bdm_z": _score(max(found.layers, key=lambda layer: layer.measures.bits).nulls),
        **{key: sum(layer.values[key].value for layer in found.layers) for key in AUDITED},
        "luts": unrolled_luts(model),
        "plain_luts": sum(layer.luts for layer in unrolled.generate(model, plain=True).layers),
        "rom_bits": rom_bits(model),
        "plain_rom_bits": sum(layer.weights.bits for layer in model.layers),
    }
    return {key: value if math.isfinite(value) else None for key, value in numbers.items()}


def _score(nulls: Sequence[NullScore]) -> float:
    return next((one.z for one in nulls if (one.null, one.measure) == ("shuffle", "bdm_bits")), math.nan)
