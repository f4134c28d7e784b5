"""``[complexity]``: how much a training pays for complex weight bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bnnedge.runs.valid import require

__all__ = ["ComplexityConfig"]


@dataclass(frozen=True)
class ComplexityConfig:
    """``[complexity]``: a second term of the loss; without the table there is none.

    What is added to the cross-entropy is weight · term(P(weight bit = +1)) / term(the first weight bits). The
    first bits are fair random ones, so a weight means the same for networks of any size and for any term: the
    nats that it costs to stay as complex as at first.

    Attributes:
        term: ``bdm``, ``entropy`` or ``ctm`` of 4x4 blocks; ``bdm_layers``, added up by layer instead of
            pooled; ``rom``, the dictionary of blocks that a folded engine stores; ``distinct``, patterns over
            aligned inputs; ``tree``, the spanning tree between neurons; ``variation``, the same as a total
            variation, which saves more LUTs at equal accuracy
            (``scripts/reproduce_complexity_to_hardware``); ``hardware``, the LUTs expected of
            unrolled layers, by their variation. Those with
            ``_drawn`` draw weights instead of taking the mean over all, which costs a thirtieth of the time.
            See :mod:`bnnedge.soft.terms`.
        weight: of the term; with a target, the weight to begin with.
        target: share of the first bits' complexity to come down to; the weight is adapted for it at every
            100th step and at the end of each epoch, to 100 at most, and the best checkpoint is one that has
            reached it, if one has (:mod:`bnnedge.training.complexity_loss`). Absent: the weight stays.
        schedule: ``ramp``: from ``start`` to ``full``, the weight rises in a line from 0 to its value, or,
            with a target, the share wanted falls from 1, by equal factors, to the target; ``constant``:
            neither.
        start: share of all epochs after which the ramp begins.
        full: share of all epochs after which it ends. Whatever the schedule, epochs before that do not count
            for patience, nor, without a target, for the best checkpoint, unless there are no others.
        every: the term is worked out at one step in so many, and counts so many times as much there.
        sample: share of each layer that terms which can be sampled look at, in one step.
    """

    term: Literal[
        "bdm", "bdm_drawn", "bdm_layers", "entropy", "entropy_drawn", "ctm", "rom", "rom_drawn",
        "distinct", "tree", "variation", "hardware",
    ]  # fmt: skip
    weight: float = 0.3
    target: float | None = None
    schedule: Literal["ramp", "constant"] = "ramp"
    start: float = 0.0
    full: float = 0.5
    every: int = 1
    sample: float = 1.0

    def __post_init__(self) -> None:
        adaptive = self.target is not None
        self._require("weight", 0 <= self.weight <= 1e6, "0 to 1,000,000")
        self._require("weight", self.weight > 0 or not adaptive, "above 0, for there is a target")
        self._require("target", self.target is None or 0 < self.target < 1, "a share above 0 and below 1")
        self._require("start", 0 <= self.start <= self.full, "a share of the epochs, and not after full")
        self._require("full", 0 <= self.full <= 1, "a share of the epochs")
        self._require("every", 1 <= self.every <= 10_000, "1 to 10,000 steps")
        self._require("sample", 0 < self.sample <= 1, "a share above 0")

    def _require(self, name: str, condition: bool, wanted: str) -> None:
        require(condition, f"complexity.{name}", getattr(self, name), wanted)
