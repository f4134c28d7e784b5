"""``[[net.banks]]``: weights of a layer out of a few patterns for each group of inputs."""

from __future__ import annotations

from dataclasses import dataclass

from bnnedge.runs.valid import require

__all__ = ["BankConfig"]


@dataclass(frozen=True)
class BankConfig:
    """``[[net.banks]]``: one table for each of the first layers, in their order; later layers are free.

    A layer's inputs fall into groups of ``width``. For each group there is a bank of ``patterns``; a neuron's
    weights from that group are one of them. A folded engine then stores the banks, and for each neuron and
    group the number of a pattern (:mod:`bnnedge.hardware.folded.banks`).

    Attributes:
        patterns: of a group; a power of 2 fills the numbers.
        width: inputs of a group; divides the layer's inputs. A folded engine codes it where it divides the
            inputs that are computed at a time.
        complement: whether a neuron may also take the complement of a pattern, for one more bit.
    """

    patterns: int
    width: int
    complement: bool = True

    def __post_init__(self) -> None:
        require(1 <= self.patterns <= 256, "net.banks.patterns", self.patterns, "1 to 256")
        require(1 <= self.width <= 65536, "net.banks.width", self.width, "1 to 65536")
