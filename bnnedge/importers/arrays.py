"""Arrays of weights in ``.npz`` and foreign safetensors files, and the rules that make bits of any array.

Every array of two or four axes is a layer: (outputs, inputs), or (outputs, inputs, height, width). Values
−1 and +1 are bits as they stand, and so are 0 and 1. Other real values count by their signs, and 0 is +1 as
in Brevitas' quantisers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bnnedge.archives import open_npz
from bnnedge.errors import FileError, UnsupportedError
from bnnedge.packed.bits import pack_bits, words_per_row
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.stored import DTYPES, StoredTensor, read_header
from bnnedge.packed.weights import BitTensor, Reading

__all__ = [
    "Tensors",
    "layer_names",
    "read_bits",
    "read_npz",
    "read_safetensors",
    "read_tensors",
    "signs_note",
]

Tensors = tuple[tuple[BitTensor, ...], tuple[str, ...]]
"""Layers in the file's order, and notes on how they were read and on what was left out."""

Array = NDArray[Any]

SLICE_ENTRIES = 1 << 22  # values looked at at once
_LONGEST_NAME = 256  # characters that names are put in order by


def read_npz(path: Path) -> Tensors:
    """The layers of a ``.npz`` archive, in its order. Pickled arrays are refused.

    Raises:
        FileError: unreadable, corrupt, with pickled arrays, or without a weight.
    """
    with open_npz(path) as archive:
        return read_tensors(((name, archive[name]) for name in archive.names), path)


def read_safetensors(path: Path) -> Tensors:
    """The layers of anybody's safetensors file, ``layer2`` before ``layer10``; values stay in the file.

    Raises:
        FileError: unreadable, corrupt, or without a weight.
    """
    _, stored = read_header(path)
    known = sorted((name for name, tensor in stored.items() if tensor.dtype in DTYPES), key=_natural)
    unknown = sorted(stored.keys() - known, key=_natural)
    if not known:
        raise FileError(f"{path} holds no values of a type known here", f"expected {', '.join(DTYPES)}")
    tensors, notes = read_tensors(((name, _values(stored[name])) for name in known), path)
    left_out = (f"{name}: left out, values of type {stored[name].dtype}" for name in unknown)
    return tensors, (*notes, *left_out)


def read_tensors(named: Iterable[tuple[str, Array]], path: Path, *, latent: bool = False) -> Tensors:
    """Layers of the arrays that can be weights.

    Args:
        named: names and values; one array is held at a time.
        path: for messages.
        latent: floating values are what training moves, so 0 is no bit but a sign, +1.

    Raises:
        FileError: an array is not finite, or none is a weight.
    """
    tensors: dict[str, BitTensor] = {}
    notes: list[str] = []
    zeros_of: dict[str, int] = {}
    for name, values in named:
        if reason := _unfit(values):
            notes += [f"{name}: left out, {reason}"] if values.ndim >= 2 else []
            continue
        try:
            matrix, reading, zeros = read_bits(f"{path}: {name}", values, latent=latent)
        except UnsupportedError as error:
            notes.append(f"{name}: left out, {error.message}")
            continue
        tensors[name] = BitTensor(name, matrix, values.shape, reading)
        zeros_of[name] = zeros if reading == "signs of real values" else 0
    if not tensors:
        found = f"; {'; '.join(notes)}" if notes else ""
        raise FileError(
            f"{path} holds no weights{found}",
            "expected real arrays of two axes, or of four for a convolution",
        )
    names = layer_names(tensors)
    layers = tuple(replace(tensor, name=name) for tensor, name in zip(tensors.values(), names, strict=True))
    return layers, (*signs_note(layers, sum(zeros_of.values())), *notes)


def signs_note(layers: Iterable[BitTensor], zeros: int) -> tuple[str, ...]:
    """What to say of layers whose values count by their signs; nothing where there are none."""
    names = [layer.name for layer in layers if layer.reading == "signs of real values"]
    said = f"{', '.join(names)}: signs of real values, 0 being +1 ({zeros:,} are 0)"
    return (said,) if names else ()


def read_bits(name: str, values: Array, *, latent: bool = False) -> tuple[PackedMatrix, Reading, int]:
    """The bits of (outputs, ...) values, how they were read, and how many are 0.

    >>> matrix, reading, zeros = read_bits("fc", np.array([[0.5, 0.0, -2.0]]))
    >>> matrix.to_signs(), reading, zeros
    (array([[ 1,  1, -1]], dtype=int8), 'signs of real values', 1)

    Raises:
        FileError: a value is not finite.
        UnsupportedError: unsigned values other than 0 and 1.
    """
    rows = values.reshape(len(values), -1)
    survey = _survey(rows)
    if not survey.finite:
        raise FileError(
            f"{name} has values that are not finite", "a network whose training diverged has no bits"
        )
    if survey.signs:
        return _pack(rows, zero=False), "±1", 0
    if survey.bits and not (latent and values.dtype.kind == "f"):
        return _pack(rows, zero=False), "0/1", survey.zeros
    if values.dtype.kind == "u":
        raise UnsupportedError("unsigned whole numbers other than 0 and 1 have no sign")
    return _pack(rows, zero=True), "signs of real values", survey.zeros


def layer_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names for layers: letters, digits, ``_``, ``-`` and ``.``, no ``.weight`` at the end, none twice.

    >>> layer_names(["features.2.weight", "a/b", "a_b"])
    ('features.2', 'a_b', 'a_b-2')
    """
    counts: dict[str, int] = {}  # by name, how often it was wanted: where the search for a free one goes on
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", name.removesuffix(".weight")) or "weight"
        candidate = base
        while candidate in counts:
            counts[base] += 1
            candidate = f"{base}-{counts[base]}"
        counts[candidate] = 1
    return tuple(counts)


@dataclass(frozen=True)
class _Survey:
    finite: bool  # every value is a number, and no infinity
    signs: bool  # every value is −1 or +1
    bits: bool  # every value is 0 or 1
    zeros: int  # values that are 0


def _survey(rows: Array) -> _Survey:
    finite, signs, bits, zeros = True, True, True, 0
    for part in _slices(rows):
        zero, one = part == 0, part == 1
        finite = finite and bool(np.isfinite(part).all())
        bits = bits and bool((zero | one).all())
        signs = signs and part.dtype.kind != "b" and bool((one | (part == -1)).all())
        zeros += int(np.count_nonzero(zero))
    return _Survey(finite, signs, bits, zeros)


def _pack(rows: Array, *, zero: bool) -> PackedMatrix:
    """Bit 1 where a value is positive, or 0 where ``zero`` says so."""
    words = np.empty((len(rows), words_per_row(rows.shape[1])), dtype=np.uint64)
    start = 0
    for part in _slices(rows):
        words[start : start + len(part)] = pack_bits(part >= 0 if zero else part > 0)
        start += len(part)
    return PackedMatrix(words, rows.shape[1])


def _slices(rows: Array) -> Iterator[Array]:
    step = max(1, SLICE_ENTRIES // rows.shape[1])
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _unfit(values: Array) -> str:
    """Why an array cannot be a layer's weights; empty where it can."""
    if values.ndim not in (2, 4):
        return f"{values.ndim} axes"
    if values.dtype.kind not in "biuf":
        return f"values of type {values.dtype}"
    return "" if values.size else f"nothing in a shape of {values.shape}"


def _values(stored: StoredTensor) -> Array:
    """The values of a tensor, in the file where NumPy has their type."""
    values = stored.view()
    if stored.dtype == "BF16" and values.ndim in (2, 4):
        return cast("Array", values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name[:_LONGEST_NAME])
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
