"""Packed models as safetensors files: schema 2, specified in the README under "File formats".

One metadata entry, ``bnnedge``, holds canonical JSON: schema, encoding, layer order with shapes, provenance
and the SHA-256 of every tensor. The same model always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from bnnedge.bounded import parse_json
from bnnedge.errors import BnnedgeError, FileError
from bnnedge.files import write_atomically
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Thresholds
from bnnedge.packed.layer import Convolution, PackedLayer
from bnnedge.packed.matrix import PackedMatrix
from bnnedge.packed.model import PackedModel
from bnnedge.packed.stored import StoredTensor, read_header

__all__ = ["SCHEMA", "digest", "load_packed", "save_packed"]

SCHEMA = 2
FORMAT = "bnnedge.packed"
INPUT_THRESHOLDS = "encoding/thresholds"  # no layer's name has a /
MAPPED_BYTES = 1 << 20  # tensors from this size on stay in the file

Tensors = dict[str, NDArray[Any]]

_DIGESTS: WeakKeyDictionary[PackedModel, str] = WeakKeyDictionary()


def save_packed(model: PackedModel, path: Path) -> None:
    """Write a model, atomically.

    Raises:
        OutputError: the place cannot be written.
    """
    write_atomically(path, _serialise(model))


def digest(model: PackedModel) -> str:
    """SHA-256 over what the model computes (encoding, bits, thresholds, head), not where it came from.

    Worked out once for each model, which does not change: of a large one it takes a tenth of an audit.
    """
    if model not in _DIGESTS:
        _DIGESTS[model] = str(_describe(model, _tensors(model))["sha256"])
    return _DIGESTS[model]


def load_packed(path: Path) -> PackedModel:
    """Read a model that :func:`save_packed` wrote.

    Raises:
        FileError: missing, truncated, corrupt, of another format or of a newer schema.
    """
    metadata, stored = read_header(path)
    if "bnnedge" not in metadata:
        raise FileError(
            f"{path} is a safetensors file, but not a packed 1-bit model",
            "expected one written by bnnedge: its metadata has an entry 'bnnedge'",
        )
    tensors = {name: _read(tensor) for name, tensor in stored.items()}
    try:
        return _rebuild(_parsed(metadata["bnnedge"]), tensors)
    except BnnedgeError as error:
        raise FileError(f"{path}: {error.message}", error.hint) from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise FileError(
            f"{path}: the description of the model is damaged ({type(error).__name__}: {error})"
        ) from error


def _parsed(text: str) -> dict[str, Any]:
    """The description in JSON proper: without NaN, and of characters that can be written again.

    Raises:
        ValueError: it is not.
    """
    description: dict[str, Any] = parse_json(text, strict=True)
    json.dumps(description, ensure_ascii=False).encode()  # half a surrogate pair has no bytes
    return description


def _read(tensor: StoredTensor) -> NDArray[Any]:
    """The values of a tensor: small ones copied, so that the file need not stay open for them."""
    return tensor.view() if tensor.bytes >= MAPPED_BYTES else np.array(tensor.view())


def _serialise(model: PackedModel) -> bytes:
    tensors = _tensors(model)
    description = _describe(model, tensors) | {"provenance": model.provenance}
    return safetensors.numpy.save(tensors, metadata={"bnnedge": _canonical_json(description)})


def _tensors(model: PackedModel) -> Tensors:
    tensors: Tensors = {"head.scale": model.head.scale, "head.offset": model.head.offset}
    if model.encoding.thresholds is not None:
        tensors[INPUT_THRESHOLDS] = model.encoding.thresholds
    for layer in model.layers:
        tensors[f"{layer.name}.weight"] = layer.weights.bytes
        if layer.thresholds is not None:
            tensors[f"{layer.name}.threshold"] = layer.thresholds.values
            tensors[f"{layer.name}.direction"] = layer.thresholds.directions
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _describe(model: PackedModel, tensors: Tensors) -> dict[str, object]:
    description: dict[str, object] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "encoding": {"shape": list(model.encoding.shape), "maximum": model.encoding.maximum},
        "layers": [_describe_layer(layer) for layer in model.layers],
        "tensors": {name: hashlib.sha256(tensor.data).hexdigest() for name, tensor in tensors.items()},
    }
    return description | {"sha256": hashlib.sha256(_canonical_json(description).encode()).hexdigest()}


def _describe_layer(layer: PackedLayer) -> dict[str, object]:
    common = {"name": layer.name, "outputs": layer.outputs, "inputs": layer.inputs}
    if layer.convolution is None:
        return {"type": "dense", **common}
    return {"type": "convolution", **common, **asdict(layer.convolution)}


def _rebuild(description: dict[str, Any], tensors: Tensors) -> PackedModel:
    if description["format"] != FORMAT or description["schema"] != SCHEMA:
        raise FileError(
            f"format {description['format']!r} schema {description['schema']!r} is not known here",
            f"this bnnedge reads {FORMAT!r} schema {SCHEMA}; a newer one may be needed",
        )
    encoding = description["encoding"]
    model = PackedModel(
        encoding=InputEncoding(
            tuple(map(int, encoding["shape"])), int(encoding["maximum"]), tensors.get(INPUT_THRESHOLDS)
        ),
        layers=tuple(_rebuild_layer(entry, tensors) for entry in description["layers"]),
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
    matrix = PackedMatrix.from_bytes(rows, int(entry["inputs"]))
    return PackedLayer(name, matrix, thresholds, _rebuild_convolution(entry))


def _rebuild_convolution(entry: dict[str, Any]) -> Convolution | None:
    match entry["type"]:
        case "dense":
            return None
        case "convolution":
            channels, height, width = entry["input_shape"]
            sizes = {name: int(entry[name]) for name in ("kernel", "stride", "padding", "pool")}
            return Convolution((int(channels), int(height), int(width)), **sizes)
        case kind:
            raise FileError(f"layer {entry['name']!r} is of unknown type {kind!r}")


def _canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
