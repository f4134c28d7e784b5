"""Packed models as safetensors files: schema 1, specified in the README under "File formats".

One metadata entry, ``bnnedge``, holds canonical JSON: schema, encoding, layer order with shapes, provenance
and the SHA-256 of every tensor. The same model always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from bnnedge.errors import BnnedgeError, FileError
from bnnedge.files import write_atomically
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import InputEncoding, PackedLayer, PackedModel

__all__ = ["SCHEMA", "digest", "load_packed", "save_packed"]

SCHEMA = 1
FORMAT = "bnnedge.packed"
MAPPED_BYTES = 1 << 20  # tensors from this size on stay in the file

Tensors = dict[str, NDArray[Any]]


def save_packed(model: PackedModel, path: Path) -> None:
    """Write a model, atomically.

    Raises:
        OutputError: the place cannot be written.
    """
    write_atomically(path, _serialise(model))


def digest(model: PackedModel) -> str:
    """SHA-256 over what the model computes (encoding, bits, thresholds, head), not where it came from."""
    return str(_describe(model, _tensors(model))["sha256"])


def load_packed(path: Path) -> PackedModel:
    """Read a model that :func:`save_packed` wrote.

    Raises:
        FileError: missing, truncated, corrupt, of another format or of a newer schema.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:  # checks header, offsets and sizes
            metadata = file.metadata() or {}
            small = [name for name in file.keys() if not _is_large(file, name)]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in small}
        tensors |= _map_large(path, small)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}", "name a checkpoint, a run directory or a preset") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except safetensors.SafetensorError as error:
        raise FileError(
            f"{path} is no whole safetensors file: {error}",
            "the file is truncated, corrupt or of another format; copy it again",
        ) from error
    if "bnnedge" not in metadata:
        raise FileError(
            f"{path} is a safetensors file, but not a packed 1-bit model",
            "expected one written by bnnedge: its metadata has an entry 'bnnedge'",
        )
    try:
        return _rebuild(json.loads(metadata["bnnedge"]), tensors)
    except BnnedgeError as error:
        raise FileError(f"{path}: {error.message}", error.hint) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(
            f"{path}: the description of the model is damaged ({type(error).__name__}: {error})"
        ) from error


def _is_large(file: Any, name: str) -> bool:
    tensor = file.get_slice(name)
    return bool(tensor.get_dtype() == "U8" and math.prod(tensor.get_shape()) >= MAPPED_BYTES)


def _map_large(path: Path, others: list[str]) -> Tensors:
    """The large uint8 tensors as views of the file: read when used, and never all in memory at once."""
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(length))
    entries = {name: entry for name, entry in header.items() if name not in ("__metadata__", *others)}
    return {
        name: np.memmap(path, np.uint8, "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))
        for name, entry in entries.items()
    }


def _serialise(model: PackedModel) -> bytes:
    tensors = _tensors(model)
    description = _describe(model, tensors) | {"provenance": model.provenance}
    return safetensors.numpy.save(tensors, metadata={"bnnedge": _canonical_json(description)})


def _tensors(model: PackedModel) -> Tensors:
    tensors: Tensors = {"head.scale": model.head.scale, "head.offset": model.head.offset}
    for layer in model.layers:
        tensors[f"{layer.name}.weight"] = layer.weights.bytes
        if layer.thresholds is not None:
            tensors[f"{layer.name}.threshold"] = layer.thresholds.values
            tensors[f"{layer.name}.direction"] = layer.thresholds.directions
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _describe(model: PackedModel, tensors: Tensors) -> dict[str, object]:
    encoding = model.encoding
    description: dict[str, object] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "encoding": {
            "kind": encoding.kind,
            "features": encoding.features,
            "maximum": encoding.maximum,
            "threshold": encoding.threshold,
        },
        "layers": [
            {"name": layer.name, "type": "dense", "outputs": layer.outputs, "inputs": layer.inputs}
            for layer in model.layers
        ],
        "tensors": {name: hashlib.sha256(tensor.data).hexdigest() for name, tensor in tensors.items()},
    }
    return description | {"sha256": hashlib.sha256(_canonical_json(description).encode()).hexdigest()}


def _rebuild(description: dict[str, Any], tensors: Tensors) -> PackedModel:
    if description["format"] != FORMAT or description["schema"] != SCHEMA:
        raise FileError(
            f"format {description['format']!r} schema {description['schema']!r} is not known here",
            f"this bnnedge reads {FORMAT!r} schema {SCHEMA}; a newer one may be needed",
        )
    layers = []
    for entry in description["layers"]:
        if entry["type"] != "dense":
            raise FileError(f"layer {entry['name']!r} is of unknown type {entry['type']!r}")
        layers.append(_rebuild_layer(entry, tensors))
    model = PackedModel(
        encoding=InputEncoding(**description["encoding"]),
        layers=tuple(layers),
        head=Affine(tensors["head.scale"], tensors["head.offset"]),
        provenance=dict(description["provenance"]),
    )
    if unknown := tensors.keys() - _tensors(model).keys():
        raise FileError(f"the model has no place for the tensor {min(unknown)!r}")
    if digest(model) != description["sha256"]:
        raise FileError(
            "the content does not match its SHA-256", "the file was damaged or changed by hand; copy it again"
        )
    return model


def _rebuild_layer(entry: dict[str, Any], tensors: Tensors) -> PackedLayer:
    name = str(entry["name"])
    rows = tensors[f"{name}.weight"]
    if rows.dtype != np.uint8 or rows.shape[:1] != (entry["outputs"],):
        raise FileError(f"layer {name}: weights are {rows.dtype} of shape {rows.shape}")
    thresholds = None
    if f"{name}.threshold" in tensors:
        thresholds = Thresholds(tensors[f"{name}.threshold"], tensors[f"{name}.direction"])
    return PackedLayer(name, PackedMatrix.from_bytes(rows, int(entry["inputs"])), thresholds)


def _canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
