"""C99 for whatever has a C compiler: one file that needs no library, its header, and a test of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bnnedge
from bnnedge.exporters.c_names import c_name
from bnnedge.exporters.c_tables import LANES, LayerTables, layer_tables
from bnnedge.packed.bits import words_per_row
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel
from bnnedge.template import render

__all__ = ["to_c", "to_c_test"]

CALL_BYTES = 1024  # of stack, beside arrays: what calls and their counts need


def to_c(model: PackedModel) -> dict[str, str]:
    """A network as C99: ``NAME.c`` and ``NAME.h``, by file name; the same text for the same model.

    Weights are packed 64 to a word, sums are popcounts of XOR, thresholds are whole numbers. Compiles without
    a warning, allocates nothing, and gives the golden model's scores and classes on every machine.

    Raises:
        UnsupportedError: pre-activations that do not fit in 32 bits.
    """
    name = c_name(model)
    values = _values(model)
    return {
        f"{name}.c": _render("network.c.j2", values),
        f"{name}.h": _render("network.h.j2", values),
    }


def to_c_test(model: PackedModel, inputs: NDArray[np.uint8]) -> dict[str, str]:
    """``NAME_test.c``: a program that compares the network with the golden model on some samples.

    Args:
        model: the network.
        inputs: (samples, features) whole numbers 0 … ``model.encoding.maximum``, at least one sample.
    """
    name = c_name(model)
    prediction = model.predict(inputs)
    values: dict[str, object] = {
        "name": name,
        "macro": name.upper(),
        "samples": inputs.tolist(),
        "scores": prediction.scores.tolist(),
        "labels": prediction.labels.tolist(),
    }
    return {f"{name}_test.c": _render("network_test.c.j2", values)}


def _values(model: PackedModel) -> dict[str, object]:
    """Everything that the templates of the network name."""
    encoding, layers = model.encoding, layer_tables(model)
    first = layers[0]
    limits = [int(entry.limits.max()) for entry in layers if entry.limits is not None]
    plane_words = words_per_row(prod(encoding.encoded_shape))
    window = max((entry.planes * entry.words for entry in layers if entry.layer.convolution), default=0)
    bits = [words_per_row(prod(entry.layer.output_shape)) for entry in layers[:-1]]
    rows = [first.planes * plane_words, window, *bits]
    name = c_name(model)
    return _encoding(model) | {
        "name": name,
        "macro": name.upper(),
        "version": bnnedge.__version__,
        "digest": digest(model),
        "encoding": encoding.describe().replace("…", "to").replace("−", "-"),
        "widths": "-".join(map(str, (encoding.features, *(entry.layer.outputs for entry in layers)))),
        "features": encoding.features,
        "maximum": encoding.maximum,
        "classes": model.classes,
        "stack_bytes": 8 * (sum(rows) + len(rows)) + 4 * model.classes + CALL_BYTES,
        "lanes": LANES,
        "layers": layers,
        "row_words": bits,
        "limit_type": limits and ("uint16_t" if max(limits) < 2**16 else "uint32_t"),
        "convolutions": any(entry.layer.convolution for entry in layers),
        "first": first,
        "plane_words": plane_words,
        "encoded_words": first.planes * plane_words,
        "window_words": window,
        "affine": _affine(model) if model.needs_head else [],
    }


def _encoding(model: PackedModel) -> dict[str, object]:
    """How features become bits. One limit for all makes a single channel of them, unless filters see more."""
    encoding, limits = model.encoding, model.encoding.thresholds
    convolves = model.layers[0].convolution is not None
    channels, pixels = encoding.shape[0], prod(encoding.shape[1:])
    if limits is not None and limits.shape[1] == 1 and not convolves:
        channels, pixels = 1, encoding.features
    every = [] if limits is None else np.broadcast_to(limits, (encoding.bits, channels)).ravel().tolist()
    return {
        "channels": channels,
        "pixels": pixels,
        "encoding_limits": every,
        "interleaved": convolves and encoding.encoded_shape[0] > 1,
    }


def _affine(model: PackedModel) -> list[tuple[str, str]]:
    """Scale and offset of each class, exact, as C99's hexadecimal constants."""
    pairs = zip(
        *(np.broadcast_to(part, model.classes).tolist() for part in (model.head.scale, model.head.offset)),
        strict=True,
    )
    return [(scale.hex(), offset.hex()) for scale, offset in pairs]


def _weights(entry: LayerTables) -> str:
    """The table of weights, a block of neurons after another."""
    blocks = []
    for block, rows in enumerate(entry.weights.reshape(-1, entry.words * LANES)):
        first, last = block * LANES, min((block + 1) * LANES, entry.layer.outputs) - 1
        blocks.append(f"    /* neurons {first} to {last} */\n{_table(map('0x{:016x}'.format, rows), 4)}")
    return "\n".join(blocks)


def _table(values: Iterable[object], columns: int) -> str:
    """Values as lines of an initialiser."""

    def lines() -> Iterator[str]:
        texts = [f"{value}," for value in values]
        for start in range(0, len(texts), columns):
            yield "    " + " ".join(texts[start : start + columns])

    return "\n".join(lines())


def _render(template: str, values: dict[str, object]) -> str:
    filters: dict[str, Callable[..., str]] = {"table": _table, "weights": _weights}
    return render(Path(__file__).with_name(template), values, filters)
