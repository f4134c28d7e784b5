"""Test benches: what drives a generated network, what it sends, what must come back, and what is watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import VerificationError
from bnnedge.hardware.folded.order import sample_order
from bnnedge.hardware.hexadecimal import bits_of, hex_lines
from bnnedge.hardware.templates import render
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["BENCH", "Style", "Watched", "bench_files", "decode", "vectors"]

Style = Literal["folded", "unrolled"]
BENCH = ("network_tb.sv", "stream_monitor.sv", "stream_source.sv")  # what of the sources is no hardware


@dataclass(frozen=True)
class Watched:
    """What is known of a stream that leaves a layer.

    Attributes:
        layer: its name in the model.
        module: its module in the hardware.
        values: that leave it at a time.
        number_bits: of each; 0: activations, a bit each.
    """

    layer: str
    module: str
    values: int
    number_bits: int

    @property
    def bits(self) -> int:
        """Of a beat."""
        return self.values * max(1, self.number_bits)


def bench_files(
    model: PackedModel, style: Style, features: int, layers: tuple[Watched, ...], cycles: int
) -> dict[str, str]:
    """``network_tb.sv``, which drives the network and watches every layer, and what it instantiates.

    ``network_tb.cc`` does the same in C++, where Yosys makes C++ of the network, too.

    Args:
        model: the network.
        style: of its hardware.
        features: that enter at a time.
        layers: what is watched.
        cycles: that a sample may take, at most, with nothing before it.
    """
    values: dict[str, object] = {
        "style": style,
        "classes": model.classes,
        "in_bits": 8 * features,
        "layers": layers,
        "drain": 16 + cycles,
        "patience": 1000 + 20 * cycles,  # pauses on both sides make all of it take a few times as long
    }
    if style == "unrolled":
        values |= {
            "in_bits": features * model.encoding.maximum.bit_length(),
            "score_bits": layers[-1].number_bits,
            "label_bits": _label_bits(model),
        }
    files = {path.name: path.read_text(encoding="utf-8") for path in (share("hw") / "tb").iterdir()}
    files["network_tb.sv"] = render(f"{style}_tb.sv.j2", values)
    files["network_tb.cc"] = render("cxxrtl_tb.cc.j2", values)
    return files


def vectors(model: PackedModel, style: Style, features: int, inputs: NDArray[np.uint8]) -> dict[str, str]:
    """``samples.hex`` and ``expected.hex``: what enters, a beat a line, and what must leave.

    Args:
        model: the network.
        style: of its hardware.
        features: of a sample that enter at a time.
        inputs: (samples, features of a sample) whole numbers that fit the model.
    """
    prediction = model.predict(inputs)
    if style == "folded":
        beats = inputs[:, sample_order(model)].reshape(-1, features)
        sent = hex_lines(bits_of(beats, 8))
        answers = np.concatenate((prediction.scores, prediction.labels[:, None]), axis=1)
        expected = hex_lines(bits_of(answers.reshape(-1, 1), 32))
    else:
        sent = hex_lines(bits_of(inputs, model.encoding.maximum.bit_length()))
        width = model.lattices[-1].bound.bit_length() + 1
        labels = prediction.labels.reshape(-1, 1)
        bits = [bits_of(prediction.scores, width), bits_of(labels, _label_bits(model))]
        expected = hex_lines(np.concatenate(bits, axis=1))
    return {"samples.hex": sent, "expected.hex": expected}


def decode(watched: Watched, text: str, outputs: int, *, signed: bool) -> NDArray[np.int32]:
    """(places, outputs) numbers, or bits, that a trace of hexadecimal words holds.

    Raises:
        VerificationError: bits that are neither 0 nor 1, or words that are not whole.
    """
    digits = -(-watched.bits // 4)
    try:
        nibbles = np.frombuffer(bytes.fromhex("0" + "0".join(text.replace("\n", ""))), dtype=np.uint8)
        words = nibbles.reshape(-1, digits)[:, ::-1]
    except ValueError as error:
        raise VerificationError(
            f"layer {watched.layer}: bits leave it that are neither 0 nor 1, or none at all",
            "a register is read before it is set",
        ) from error
    bits = np.unpackbits(words[:, :, None], axis=2, bitorder="little", count=4).reshape(len(words), -1)
    width = max(1, watched.number_bits)
    weights = 1 << np.arange(width, dtype=np.int64)
    if signed:
        weights[-1] *= -1
    numbers = bits[:, : watched.bits].reshape(-1, width) @ weights
    whole = numbers.size // outputs * outputs
    return numbers[:whole].reshape(-1, outputs).astype(np.int32)


def _label_bits(model: PackedModel) -> int:
    return max(1, (model.classes - 1).bit_length())
