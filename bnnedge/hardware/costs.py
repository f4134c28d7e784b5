"""What the layers of a network cost in hardware: known without synthesis, or read from its report."""

from __future__ import annotations

from pathlib import Path

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError
from bnnedge.hardware import unrolled
from bnnedge.hardware.folded import default_folds
from bnnedge.hardware.folded.fold import fold_layers
from bnnedge.hardware.folded.memories import weight_words
from bnnedge.hardware.folded.order import weights_in_order
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel

__all__ = ["synthesised_luts", "unrolled_luts", "weight_memories"]

_HOW = "bnnedge synth DIR --json, of a folder that was exported from this checkpoint, writes one"


def unrolled_luts(model: PackedModel) -> dict[str, int]:
    """LUTs of each layer's sums, unrolled, as the generator estimates them: thresholds and label aside.

    Raises:
        UnsupportedError: a network that is not to be had unrolled.
    """
    return {plan.name: plan.luts for plan in unrolled.generate(model).layers}


def weight_memories(model: PackedModel) -> dict[str, tuple[int, int]]:
    """Bits of each layer's weight memory, folded at the default pace: plain, and in its smallest coding."""
    folds = fold_layers(model, default_folds(model))
    return {
        layer.name: (
            weight_words(bits, fold, "plain").bits,
            weight_words(bits, fold, "smallest").bits,
        )
        for layer, bits, fold in zip(model.layers, weights_in_order(model), folds, strict=True)
    }


def synthesised_luts(path: Path, model: PackedModel) -> tuple[dict[str, int], str]:
    """LUTs of each layer and the family of FPGAs, from a report of ``bnnedge synth --json``.

    Raises:
        FileError: it is missing, damaged, or of another model than this one.
    """
    try:
        report = parse_json(path.read_text(encoding="utf-8"))
        kind, of, family = report["kind"], report["digest"], report["family"]
        luts = {str(layer["layer"]): int(layer["luts"]) for layer in report["layers"]}
    except (OSError, ArithmeticError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no report of a synthesis: {error!r}", _HOW) from error
    names = [layer.name for layer in model.layers]
    if kind != "bnnedge.synthesis" or not isinstance(family, str) or list(luts) != names:
        raise FileError(f"{path} is no report of a synthesis with layers {', '.join(names)}", _HOW)
    if of != digest(model):
        raise FileError(f"{path} is of network {str(of)[:12]}, not of {digest(model)[:12]}", _HOW)
    return luts, family
