"""The AXI4-Stream wrapper of a network: outside the same for both styles, so that one driver fits both."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import bnnedge
from bnnedge.hardware.folded.design import converters
from bnnedge.hardware.templates import render
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["WRAPPER", "bytes_a_beat", "folded_wrapper", "unrolled_wrapper", "wrapper_files"]

WRAPPER = "network_axis"
STREAM = "network_stream.sv"
# AXI DMA streams powers of two; 64 bits is the width of a PYNQ board's memory ports.
BEAT_BYTES = (8, 4, 2, 1)


def bytes_a_beat(model: PackedModel) -> int:
    """Bytes that enter the wrapper at a time, of which whole numbers make a sample."""
    return next(number for number in BEAT_BYTES if model.encoding.features % number == 0)


def folded_wrapper(model: PackedModel, features: int, command: str) -> dict[str, str]:
    """Sources by name, for a folded network, which takes so many features at a time."""
    return _wrapper(model, "network", features, command)


def unrolled_wrapper(
    model: PackedModel, latency: int, score_bits: int, label_bits: int, command: str
) -> dict[str, str]:
    """Sources by name, for an unrolled network, which answers after ``latency`` clock cycles.

    It cannot wait, so a sample enters only where a place for its result is free: credits and a queue. What
    these take is a few dozen LUTs, since samples arrive many cycles apart. An enable of all its registers
    would save the queue, but make one path from ``m_axis_tready`` to every register of the network.
    """
    together, features = bytes_a_beat(model), model.encoding.features
    pace = max(features // together, model.classes + 1)
    # A place is taken from the cycle in which a sample enters until the last word of its result has left.
    needed = max(2, ceil((latency + 2 + model.classes) / pace))
    values: dict[str, object] = {
        "title": _title(model),
        "command": command,
        "bytes": together,
        "features": features,
        "number_bits": model.encoding.maximum.bit_length(),
        "score_bits": score_bits,
        "label_bits": label_bits,
        "classes": model.classes,
        "pace": pace,
        "depth": 1 << (needed - 1).bit_length(),
    }
    return _wrapper(model, "network_stream", together, command) | {STREAM: render(f"{STREAM}.j2", values)}


def wrapper_files() -> frozenset[str]:
    """Names of sources that the wrapper alone needs, in either style."""
    return frozenset({f"{WRAPPER}.sv", STREAM, *(path.name for path in _parts("axis"))})


def _wrapper(model: PackedModel, inner: str, features: int, command: str) -> dict[str, str]:
    together = bytes_a_beat(model)
    values: dict[str, object] = {
        "title": _title(model),
        "command": command,
        "bytes": together,
        "beats": model.encoding.features // together,
        "classes": model.classes,
        "inner": inner,
        "converters": list(converters("regrouped", together, features, 8)),
    }
    parts = _parts("streams") + _parts("axis")
    files = {path.name: path.read_text(encoding="utf-8") for path in parts}
    return files | {f"{WRAPPER}.sv": render("network_axis.sv.j2", values)}


def _parts(room: str) -> list[Path]:
    return sorted((share("hw") / "rtl" / room).glob("*.sv"))


def _title(model: PackedModel) -> str:
    name = model.plain_name or "a network"
    return f"of {name}, {digest(model)[:12]}, written by bnnedge {bnnedge.__version__}"
