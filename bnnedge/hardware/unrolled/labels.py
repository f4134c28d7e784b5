"""The class of the largest logit, the first of equals, from the scores of all classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import UnsupportedError
from bnnedge.hardware.unrolled.modules import score_bits
from bnnedge.packed.model import PackedModel

__all__ = ["MOST_RANKS", "label_module"]

MOST_RANKS = 1 << 16
"""Entries of the tables that may stand for a head: every score of every class."""


def label_module(model: PackedModel, name: str = "labels") -> str:
    """SystemVerilog of a module from packed ``scores`` to ``label``.

    Classes are compared two at a time; the later of two wins only where it is larger. Where the head does not
    keep the order of scores, what is compared is the rank of a score's logit among those of all classes.

    Raises:
        UnsupportedError: such a head, and scores too many for tables.
    """
    width, classes = score_bits(model.lattices[-1]), model.classes
    label_bits = max(1, (classes - 1).bit_length())
    lines, keys = _keys(model, width)
    best = [(keys[position], f"{label_bits}'d{position}") for position in range(classes)]
    signed, bits = ("", _rank_bits(model)) if model.needs_head else (" signed", width)
    for turn in range(classes):
        if len(best) == 1:
            break
        made = []
        for pair in range(len(best) // 2):
            (one, first), (other, second) = best[2 * pair : 2 * pair + 2]
            part = f"round{turn}_{pair}"
            lines += [
                f"wire {part}_later = {other} > {one};",
                f"wire{signed} [{bits - 1}:0] {part} = {part}_later ? {other} : {one};",
                f"wire [{label_bits - 1}:0] {part}_label = {part}_later ? {second} : {first};",
            ]
            made.append((part, f"{part}_label"))
        best = made + best[len(best) & ~1 :]
    lines.append(f"assign label = {best[0][1]};")
    body = "\n".join(f"  {line}" for line in lines)
    return (
        f"module {name} (\n    input wire [{classes * width - 1}:0] scores,\n"
        f"    output wire [{label_bits - 1}:0] label\n);\n{body}\nendmodule\n"
    )


def _keys(model: PackedModel, width: int) -> tuple[list[str], list[str]]:
    """Statements that make what is compared, and its wires, one a class."""
    lines = [
        f"wire signed [{width - 1}:0] score{position} = scores[{position * width} +: {width}];"
        for position in range(model.classes)
    ]
    if not model.needs_head:
        return lines, [f"score{position}" for position in range(model.classes)]
    bits = _rank_bits(model)
    for position, ranks in enumerate(_ranks(model).T):
        lines += [f"reg [{bits - 1}:0] rank{position};", "always @(*)", f"  case (score{position})"]
        for score, rank in zip(_scores(model), ranks, strict=True):
            lines.append(f"    {width}'d{int(score) % (1 << width)}: rank{position} = {bits}'d{rank};")
        lines += [f"    default: rank{position} = {bits}'d0;", "  endcase"]
    return lines, [f"rank{position}" for position in range(model.classes)]


def _scores(model: PackedModel) -> NDArray[np.int32]:
    lattice = model.lattices[-1]
    return np.arange(-lattice.bound, lattice.bound + 1, lattice.step, dtype=np.int32)


def _ranks(model: PackedModel) -> NDArray[np.int64]:
    """(scores, classes): where a logit stands among all that there can be; equal ones stand together."""
    scores = _scores(model)
    if scores.size * model.classes > MOST_RANKS:
        raise UnsupportedError(
            f"the head changes the order of scores, and {scores.size * model.classes:,} of them "
            f"are too many for tables",
            f"an unrolled network may have {MOST_RANKS:,}; one positive scale in the head needs no table",
        )
    logits = model.head(np.repeat(scores[:, None], model.classes, axis=1))
    _, ranks = np.unique(logits, return_inverse=True)
    return ranks.reshape(logits.shape).astype(np.int64)


def _rank_bits(model: PackedModel) -> int:
    return max(1, int(_ranks(model).max()).bit_length())
