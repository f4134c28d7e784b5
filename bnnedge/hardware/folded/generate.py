"""A network as a stream of folded layers: modules of ``hw/rtl`` in a chain, and their memories."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

import bnnedge
from bnnedge.hardware.folded.design import Chain, Design, LayerDesign, Unit, converters
from bnnedge.hardware.folded.fold import (
    Fold,
    cycles_of,
    features_at_a_time,
    fold_layers,
)
from bnnedge.hardware.folded.memories import (
    Coding,
    class_keys,
    encoder_words,
    limits_of,
    weight_words,
)
from bnnedge.hardware.folded.order import sample_order, weights_in_order
from bnnedge.hardware.folded.pace import default_folds
from bnnedge.hardware.folded.weights import Weights
from bnnedge.hardware.hexadecimal import bits_of, hex_lines
from bnnedge.hardware.templates import render
from bnnedge.packed.file import digest
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["generate"]

SCORE_BITS = 32


def generate(
    model: PackedModel,
    folds: Mapping[str, Fold] | None = None,
    *,
    coding: Coding = "smallest",
    command: str = "bnnedge.hardware.folded.generate",
) -> Design:
    """SystemVerilog and memory files of a network, one engine a layer; the same text for the same arguments.

    Args:
        model: the network.
        folds: of each layer, by name; None: see :func:`default_folds`.
        coding: of weights: ``plain``, ``dictionary``, ``banks``, or of all the ``smallest`` for each layer.
        command: that the header names as what wrote it.

    Raises:
        ConfigError: folds that do not fit the layers.
        UnsupportedError: a head that hardware cannot express.
    """
    return _Generator(model, folds, coding, command).design()


@dataclass(frozen=True)
class _Stream:
    """Values on their way to the next unit: so many a beat, of so many bits; 0: ±1, a bit each."""

    values: int
    number_bits: int = 0

    @property
    def bits(self) -> int:
        return self.values * max(1, self.number_bits)


class _Generator:
    """Walks along the network and gathers files."""

    def __init__(
        self, model: PackedModel, folds: Mapping[str, Fold] | None, coding: Coding, command: str
    ) -> None:
        self.model, self.coding, self.command = model, coding, command
        self.digest = digest(model)
        self.given = folds if folds is not None else default_folds(model)
        self.folds = fold_layers(model, self.given)
        self.title = f"of network {self.digest[:12]}, written by bnnedge {bnnedge.__version__}"
        self.files: dict[str, str] = {}
        self.layers: list[LayerDesign] = []

    def design(self) -> Design:
        """All files; the library of ``hw/rtl`` comes with them."""
        model, encoding = self.model, self.model.encoding
        features = features_at_a_time(model)
        number_bits = encoding.maximum.bit_length()
        stream = _Stream(features, number_bits)
        units = []
        if encoding.thresholds is not None:
            units.append(self._encoder(encoding.thresholds, features, number_bits))
            stream = _Stream(features * encoding.bits)
        for layer, fold, weights in zip(model.layers, self.folds, weights_in_order(model), strict=True):
            unit, stream = self._layer(layer, fold, weights, stream)
            units.append(unit)
        units.extend(self._end(stream))
        self._top(units, features, number_bits)
        for room in ("folded", "streams"):
            for path in sorted((share("hw") / "rtl" / room).glob("*.sv")):
                self.files[path.name] = path.read_text(encoding="utf-8")
        return Design(self.files, tuple(self.layers), features)

    def _encoder(self, thresholds: NDArray[np.int16], features: int, number_bits: int) -> Unit:
        encoding = self.model.encoding
        pixels = prod(encoding.shape[1:])
        words = encoder_words(thresholds, sample_order(self.model), pixels, features)
        memory = self._memory("input_thresholds.mem", "thresholds of the input", bits_of(words, number_bits))
        parameters: dict[str, int | str] = {
            "FEATURES": features,
            "NUMBER_BITS": number_bits,
            "LIMITS": encoding.bits,
            "PERIOD": len(words),
            "LIMITS_FILE": memory,
        }
        return Unit("input_encoder", "encoded", features * encoding.bits, parameters)

    def _layer(
        self, layer: PackedLayer, fold: Fold, bits: NDArray[np.bool_], stream: _Stream
    ) -> tuple[Unit, _Stream]:
        """A layer's own module, and what leaves it."""
        name = f"layer{len(self.layers) + 1}_{_identifier(layer.name)}"
        lattice = self.model.lattices[len(self.layers)]
        largest = lattice.bound + 1 if stream.number_bits else layer.inputs + 1
        sum_bits = largest.bit_length() + (1 if stream.number_bits else 0)
        leaving = _Stream(fold.pe, 0 if layer.thresholds is not None else sum_bits)
        memory = weight_words(bits, fold, self.coding)
        units = [
            *converters("regrouped", stream.values, fold.simd, max(1, stream.number_bits)),
            _window(layer, fold, _Stream(fold.simd, stream.number_bits)),
            self._matrix(name, layer, fold, memory, stream, sum_bits, leaving),
        ]
        sliding = layer.convolution
        if sliding is not None and sliding.pool > 1:
            folded = layer.outputs // fold.pe
            parameters = {"BEAT_BITS": fold.pe, "BEATS": folded, "PLACES": sliding.pool**2}
            units.append(Unit("or_pool", "pooled", fold.pe, parameters))
        comment = (
            f"Layer {layer.name} {self.title}: {_describe(layer)},",
            f"{fold.pe} neurons x {fold.simd} inputs at a time, weights {_coding(memory)}.",
        )
        self._chain(Chain(name, comment, stream.bits, tuple(units)))
        self.layers.append(
            LayerDesign(
                layer.name,
                name,
                fold,
                cycles_of(layer, fold),
                leaving.number_bits,
            )
        )
        return Unit(name, name, leaving.bits), leaving

    def _matrix(
        self,
        name: str,
        layer: PackedLayer,
        fold: Fold,
        memory: Weights,
        stream: _Stream,
        sum_bits: int,
        leaving: _Stream,
    ) -> Unit:
        what = f"weights of layer {layer.name}"
        weights = self._memory(
            f"{name}_weights.mem", what if memory.blocks is None else f"codes of {what}", memory.words
        )
        parameters: dict[str, int | str] = {
            "INPUTS": layer.inputs,
            "OUTPUTS": layer.outputs,
            "PE": fold.pe,
            "SIMD": fold.simd,
            "VALUE_BITS": stream.number_bits,
            "SUM_BITS": sum_bits,
            "THRESHOLDS": int(layer.thresholds is not None),
            "BLOCK_PE": memory.block[0],
            "BLOCK_SIMD": memory.block[1],
            "ENTRIES": memory.entries,
            "BANKS": memory.banks,
            "COMPLEMENTS": int(memory.complements),
            "WEIGHTS_FILE": weights,
        }
        if memory.blocks is not None:
            parameters["BLOCKS_FILE"] = self._memory(
                f"{name}_blocks.mem",
                f"{'banks' if memory.banks else 'distinct blocks'} of {what}",
                memory.blocks,
            )
        if layer.thresholds is not None:
            lattice = self.model.lattices[len(self.layers)]
            limits = limits_of(layer.thresholds, lattice, layer.inputs)
            words = bits_of(limits[:, :1], sum_bits)
            if limits[:, 1].any():
                words = np.concatenate((words, limits[:, 1:].astype(bool)), axis=1)
                parameters["INVERTS"] = 1
            words = words.reshape(layer.outputs // fold.pe, -1)
            parameters["THRESHOLDS_FILE"] = self._memory(
                f"{name}_thresholds.mem", f"thresholds of layer {layer.name}", words
            )
        return Unit("matrix_unit", "results", leaving.bits, parameters)

    def _end(self, stream: _Stream) -> list[Unit]:
        """Sums one at a time, then scores and the label."""
        model, layer = self.model, self.model.layers[-1]
        whole = len(model.layers) == 1 and model.encoding.thresholds is None
        parameters: dict[str, int | str] = {
            "CLASSES": model.classes,
            "INPUTS": layer.inputs,
            "SUM_BITS": stream.number_bits,
            "WHOLE_NUMBERS": int(whole),
        }
        if model.needs_head:
            keys = class_keys(model)
            key_bits = max(1, int(keys.max()).bit_length())
            words = bits_of(keys.reshape(-1, 1), key_bits)
            file = self._memory("class_keys.mem", "places of logits in their order, class by class", words)
            parameters |= {"KEY_BITS": key_bits, "SUMS": keys.shape[1], "KEYS_FILE": file}
        return [
            *converters("sums", stream.values, 1, stream.number_bits),
            Unit("class_unit", "classes", SCORE_BITS, parameters),
        ]

    def _top(self, units: Sequence[Unit], features: int, number_bits: int) -> None:
        samples = "pixel by pixel, channels side by side" if self.model.layers[0].convolution else "in order"
        comment = (
            f"The network {self.title}:",
            f"the features of a sample enter {samples}, {features} a beat, one a byte;",
            "of each sample leave the scores of all classes and, marked out_last, its label.",
            f"Checkpoint {self.digest}; written by",
            self.command,
        )
        chain = Chain("network", comment, 8 * features, tuple(units))
        # SystemVerilog writes the highest part of a concatenation first.
        places = [] if number_bits == 8 else [8 * feature for feature in reversed(range(features))]
        self._chain(chain, marks_last=True, selected=places, selected_bits=number_bits)

    def _memory(self, name: str, what: str, words: NDArray[np.bool_]) -> str:
        """Add a memory file; gives back its name as SystemVerilog writes it."""
        self.files[name] = f"// {what.capitalize()} {self.title}.\n{hex_lines(words)}"
        return f'"{name}"'

    def _chain(self, chain: Chain, **values: object) -> None:
        defaults: dict[str, object] = {"marks_last": False, "selected": [], "selected_bits": 0}
        text = render("chain.sv.j2", defaults | values | {"chain": chain})
        self.files[f"{chain.name}.sv"] = text


def _window(layer: PackedLayer, fold: Fold, stream: _Stream) -> Unit:
    """A dense layer sees an image of one pixel."""
    sliding = layer.convolution or Convolution((layer.inputs, 1, 1), kernel=1)
    channels, height, width = sliding.input_shape
    parameters = {
        "BEAT_BITS": stream.bits,
        "BEATS": channels // fold.simd,
        "HEIGHT": height,
        "WIDTH": width,
        "KERNEL": sliding.kernel,
        "STRIDE": sliding.stride,
        "PADDING": sliding.padding,
        "POOL": sliding.pool,
        "REPEATS": layer.outputs // fold.pe,
    }
    return Unit("window_unit", "window", stream.bits, parameters)


def _describe(layer: PackedLayer) -> str:
    if layer.convolution is None:
        return f"{layer.inputs} inputs, {layer.outputs} neurons"
    sliding = layer.convolution
    parts = [f"{layer.outputs} filters of {sliding.kernel} x {sliding.kernel} pixels"]
    parts.append("image {} x {} x {}".format(*sliding.input_shape))
    parts += [f"stride {sliding.stride}"] * (sliding.stride > 1)
    parts += [f"padding {sliding.padding}"] * (sliding.padding > 0)
    parts += [f"pooling {sliding.pool} x {sliding.pool}"] * (sliding.pool > 1)
    return ", ".join(parts)


def _coding(memory: Weights) -> str:
    if memory.blocks is None:
        return f"plain, {memory.bits:,} bits"
    high, wide = memory.block
    if memory.banks:
        turned = ", up to complement" if memory.complements else ""
        return f"from banks of {memory.entries:,} patterns of {wide} inputs{turned}, {memory.bits:,} bits"
    return f"from a dictionary of {memory.entries:,} distinct {high} x {wide} blocks, {memory.bits:,} bits"


def _identifier(name: str) -> str:
    """A layer's name with the letters that SystemVerilog has; its number before it makes it unique."""
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"
