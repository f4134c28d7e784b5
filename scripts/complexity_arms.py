"""What reproduce_complexity_to_hardware trains: settings by family, the same for every dataset.

Every arm is a preset with some settings changed. What the weight of a term means is the same for networks of
any size: see ``[complexity]`` in bnnedge/runs/complexity.py.
"""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bnnedge.runs.complexity import ComplexityConfig
from bnnedge.runs.toml import change, load_config, to_toml
from bnnedge.studies.study import SEED, Job, Study

__all__ = ["BASELINES", "DEFAULT", "DERIVED", "FAMILIES", "PRESETS", "Arm", "arms_of", "study_of"]

PRESETS = {
    "digits": "digits-tfc",
    "mnist": "mnist-tfc",
    "mnist-sfc": "mnist-sfc",
    "fashion": "fashion-tfc",
}

STRENGTHS = (0.03, 0.06, 0.13, 0.26, 0.5, 1.0, 2.0)
QUICK_STRENGTHS = (0.13, 0.5)
# Late enough for the task to have shaped the weights, early enough to have most of the learning rate left.
START, FULL = 0.2, 0.6
# Steps from one working out of the term to the next: a step then takes less than twice its time, on average.
EVERY = 2
BANKS: Mapping[str, Mapping[int, Sequence[tuple[int, int, bool]]]] = {
    "banks": {16: [(8, 16, True)], 8: [(4, 16, True)], 4: [(4, 16, False)]},
    "narrow banks": {16: [(8, 14, True)]},
    "deep banks": {
        64: [(8, 14, True), (32, 16, True)],
        32: [(8, 16, True), (16, 16, True)],
        16: [(8, 16, True)] * 3,
        12: [(4, 16, True), (8, 16, True), (8, 16, True)],
        8: [(4, 16, True)] * 3,
        4: [(4, 28, True), (8, 16, True), (8, 16, True)],
    },
}
"""By family and strength, of the first layers: patterns, inputs of a group, whether up to complement."""

_STRENGTHS: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "none": ((0.0,), (0.0,)),
    "narrower": ((0.25, 0.375, 0.5, 0.625, 0.75, 0.875), (0.5, 0.75)),  # of the preset's widths
    "dropout": ((0.05, 0.1, 0.2), (0.2,)),
    "bop": ((1e-7, 1e-6, 1e-5), (1e-6,)),
    "free inputs": ((0.0,), (0.0,)),
    "projected": ((16, 32, 64, 128), (32,)),  # different blocks of a layer
    "subset": ((16, 32, 64, 128), (32,)),
    **{family: (tuple(banks), (16,)) for family, banks in BANKS.items()},
}
"""By baseline, usual strengths and a few of them."""

TERMS: tuple[str, ...] = typing.get_args(typing.get_type_hints(ComplexityConfig)["term"])
DERIVED = ("free inputs", "projected", "subset")
"""Made of trained, unregularised networks: see complexity_baselines."""

BASELINES = ("none", "narrower", "dropout", "bop", *DERIVED)
FAMILIES = (*BASELINES, *BANKS, *TERMS)
DEFAULT = (*BASELINES, "variation", "tree", "hardware", "distinct", "rom", "bdm", "entropy")

Settings = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Arm:
    """One setting, trained from several seeds.

    Attributes:
        family: the term of the loss, or the baseline.
        strength: its weight, or what stands for it in a baseline; 0 where there is nothing to be set.
        settings: what is changed in the preset, by dotted key.
    """

    family: str
    strength: float
    settings: Settings

    def __str__(self) -> str:
        return f"{self.family} {self.strength:g}" if self.strength else self.family


def arms_of(preset: str, families: Mapping[str, Sequence[float]], *, quick: bool) -> Iterator[Arm]:
    """The arms of some families, of the strengths given, or, where none is, of those of the study.

    - ``none``: the preset.
    - a term of the loss, by its name: its weight rises from 20 % of the epochs to 60 %.
    - ``narrower``: hidden layers of a share of the preset's widths.
    - ``dropout``: noise, as a regulariser that knows nothing of complexity.
    - ``bop``: no latent weights; a bit flips where a running mean of its gradient is above a threshold.
    - ``banks``: the first layer's weights out of a few patterns for each 16 inputs, where 16 divides them;
      the strength is the number of a neuron's choices.
    - ``narrow banks``: out of a few for each 14, half a row of MNIST's pixels.
    - ``deep banks``: further layers' weights, too; the strength stands for all of their choices.
    - ``free inputs``, ``projected``, ``subset``: what complexity_baselines makes of networks of ``none``.
    """
    hidden = load_config(preset).net.hidden
    for family, given in families.items():
        for strength in given or _strengths(family, quick=quick):
            yield Arm(family, strength, _settings(family, strength, hidden))


def _strengths(family: str, *, quick: bool) -> Sequence[float]:
    usual, fewer = _STRENGTHS.get(family, (STRENGTHS, QUICK_STRENGTHS))
    return fewer if quick else usual


def _settings(family: str, strength: float, hidden: Sequence[int]) -> Settings:
    if family == "none" or family in DERIVED:
        return {}
    if family == "narrower":
        return {"net.hidden": [round(strength * width) for width in hidden]}
    if family == "dropout":
        return {"net.dropout": strength}
    if family == "bop":
        return {"training.optimiser": "bop", "training.bop_threshold": strength}
    if family in BANKS:
        names = ("patterns", "width", "complement")
        return {"net.banks": [dict(zip(names, bank, strict=True)) for bank in BANKS[family][round(strength)]]}
    return _charged(family, strength)


def _charged(term: str, weight: float) -> Settings:
    table = {"term": term, "weight": weight, "start": START, "full": FULL, "every": EVERY}
    return {f"complexity.{key}": value for key, value in table.items()}


def study_of(name: str, arms: Sequence[Arm], seeds: int, epochs: int | None) -> Study:
    """The trainings of arms on a dataset, seeds innermost, named by their configurations.

    Arms that are derived from others' networks have none.

    Args:
        name: in :data:`PRESETS`.
        arms: all of the dataset's preset.
        seeds: of each arm, from 0 on.
        epochs: of each training; None: the preset's.
    """
    base = load_config(PRESETS[name])
    if epochs is not None:
        base = change(base, {"training.epochs": epochs})
    jobs: list[Job] = []
    for arm in arms:
        for seed in range(seeds) if arm.family not in DERIVED else ():
            config = change(base, {SEED: seed, **arm.settings})
            key = hashlib.sha256(to_toml(config).encode()).hexdigest()[:16]
            jobs.append(Job(len(jobs), {"arm": str(arm)}, seed, config, key))
    return Study(name, ("arm",), tuple(jobs))
