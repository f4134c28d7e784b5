"""``[training]``: how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bnnedge.runs.valid import require

__all__ = ["TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig:
    """``[training]``: cross-entropy, best epoch by validation accuracy.

    Attributes:
        epochs: passes over the training split, at most.
        batch_size: samples a step; a smaller last batch is left out of its epoch.
        optimiser: ``adam`` on latent weights (Liu et al. 2021), or ``bop``, which has none: it flips weights
            where a running mean of their gradients says so (Helwegen et al. 2019), with Adam for the rest.
        learning_rate: of Adam, at the peak of the schedule.
        bop_rate: share of a new gradient in Bop's running mean, at the peak of the schedule.
        bop_threshold: Bop flips a weight where the mean, in its direction, is above this.
        schedule: what both rates follow: ``constant``; ``cosine`` down to 0 over all epochs; ``step``, a
            tenth of what they were after each of ``milestones``.
        milestones: for ``step``: numbers of epochs, rising.
        warmup_epochs: epochs in which rates rise, step by step, from almost 0 to their peak.
        weight_limit: latent weights are clipped to ± this after each step; 0: never.
        label_smoothing: share of the target that is spread evenly over all classes.
        teacher: a checkpoint, run directory or preset to learn from as well: its logits on the training
            samples as they are stored, computed once, by the golden model. A file's path is as seen from
            where bnnedge is run. Absent: none.
        distillation: with a teacher, α in (1 − α) cross-entropy + α T² KL (Hinton et al. 2015).
        temperature: T, which divides the logits of both in KL.
        flip: images are mirrored, left to right, at random, one in two.
        shift: images are moved at random by up to this many pixels, up or down and left or right.
        shift_fill: what then comes in: the ``edge`` pixels again, or ``zero``.
        patience: stop after this many epochs without a smaller validation loss; 0: never.
        seed: of the initial weights, the order of samples and everything random.
        device: ``cpu``, ``cuda``, or ``auto``: cuda where there is one.
        precision: of products in training; they are ``float32`` in all evaluation. ``tf32``, on a GPU, rounds
            factors to 11 bits and adds in float32: sums of 1-bit products stay exact, and so do those with
            whole numbers below 2048; only gradients are rounded. ``bfloat16`` rounds gradients to 8 bits, and
            those sums of bits that are above 256 (even ones: 512), which few are; with dropout, all. The
            first layer, where inputs may be whole numbers, stays exact.
        threads: CPU threads of PyTorch; nets of this size run fastest on one.
        checkpoint_every: epochs between checkpoints; the first, the best and the last are always kept.
        track: when complexity is measured: after each ``epoch``, or also between ``steps``, for
            trajectory.jsonl.
        track_every: for ``steps``: optimiser steps from one to the next.
    """

    epochs: int = 100
    batch_size: int = 100
    optimiser: Literal["adam", "bop"] = "adam"
    learning_rate: float = 0.02
    bop_rate: float = 1e-3
    bop_threshold: float = 1e-6
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    milestones: tuple[int, ...] = ()
    warmup_epochs: int = 0
    weight_limit: float = 1.0
    label_smoothing: float = 0.0
    teacher: str | None = None
    distillation: float = 0.5
    temperature: float = 4.0
    flip: bool = False
    shift: int = 0
    shift_fill: Literal["edge", "zero"] = "edge"
    patience: int = 0
    seed: int = 0
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    threads: int = 1
    checkpoint_every: int = 1
    track: Literal["epoch", "steps"] = "epoch"
    track_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "threads", "checkpoint_every", "track_every"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        for name in ("patience", "seed", "weight_limit", "warmup_epochs", "bop_threshold"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("seed", self.seed < 2**32, "less than 2^32")
        self._require("batch_size", self.batch_size >= 2, "2 or more (batch-norm)")
        self._require("learning_rate", 0 < self.learning_rate <= 10, "0 to 10")
        self._require("bop_rate", 0 < self.bop_rate <= 1, "a share above 0")
        self._require("label_smoothing", 0 <= self.label_smoothing < 1, "a share from 0 to below 1")
        self._require("distillation", 0 < self.distillation <= 1, "a share above 0")
        self._require("temperature", 0 < self.temperature <= 100, "0 to 100")
        self._require("shift", 0 <= self.shift <= 64, "0 to 64 pixels")
        rising = self.milestones == tuple(sorted({*self.milestones})) and all(m >= 1 for m in self.milestones)
        self._require(
            "milestones",
            rising and bool(self.milestones) == (self.schedule == "step"),
            "rising numbers of epochs for the step schedule, and for no other",
        )
        self._require("warmup_epochs", self.warmup_epochs < self.epochs, "fewer than all epochs")
        self._require("teacher", self.teacher != "", "a checkpoint, a run directory or a preset")

    def _require(self, name: str, condition: bool, wanted: str) -> None:
        require(condition, f"training.{name}", getattr(self, name), wanted)
