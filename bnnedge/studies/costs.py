"""What a trained network costs in hardware of our own, generated and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bnnedge.errors import UnsupportedError
from bnnedge.hardware import costs, generated
from bnnedge.hardware.synthesise import synthesise
from bnnedge.packed.file import load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.studies.task import Cost

__all__ = ["measured", "rom_bits", "synth_luts", "unrolled_luts"]


def unrolled_luts(model: PackedModel) -> int:
    """LUTs of the sums of all layers, unrolled, as the generator estimates them: thresholds and label aside.

    Raises:
        UnsupportedError: a network that is not to be had unrolled.
    """
    return sum(costs.unrolled_luts(model).values())


def rom_bits(model: PackedModel) -> int:
    """Bits of the weight memories of folded engines at their default pace, each as its smallest coding."""
    return sum(smallest for _, smallest in costs.weight_memories(model).values())


def synth_luts(model: PackedModel) -> int:
    """LUTs of the whole unrolled network, of AMD's 7 series, as Yosys maps it.

    Raises:
        UnsupportedError: a network that is not to be had unrolled.
        VerificationError: there is no Yosys.
    """
    design = generated.generate(model, "unrolled")
    return synthesise(design.files, design.modules).total.luts


_BY_NAME: Mapping[Cost, Callable[[PackedModel], int]] = {
    "luts": unrolled_luts,
    "rom_bits": rom_bits,
    "synth_luts": synth_luts,
}


def measured(checkpoint: Path, wanted: Iterable[Cost]) -> dict[str, int | str]:
    """Costs of a checkpoint by name; in place of a number, why the hardware is not to be had.

    Raises:
        FileError: the checkpoint is missing or damaged.
        VerificationError: there is no Yosys.
    """
    model = load_packed(checkpoint)
    found: dict[str, int | str] = {}
    for cost in wanted:
        try:
            found[cost] = _BY_NAME[cost](model)
        except UnsupportedError as error:
            found[cost] = error.message
    return found
