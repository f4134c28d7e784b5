"""The weight bits of whatever a user calls a checkpoint, ours or another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from bnnedge.errors import UnsupportedError
from bnnedge.importers.arrays import Tensors, read_npz, read_safetensors
from bnnedge.importers.formats import recognise
from bnnedge.importers.load import is_packed, provenance_of, resolve
from bnnedge.packed.file import load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.packed.weights import BitTensor, WeightSet, weights_of

__all__ = ["load_weights"]


def load_weights(source: str | Path) -> WeightSet:
    """The weight bits by layer of a checkpoint, a run directory, a preset or a file of another tool.

    Read are packed models, Brevitas state dicts, QONNX, FINN-ONNX and ONNX graphs with 1-bit weights, and
    ``.npz`` and safetensors files with matrices; which of them a file is, its content says, not its name. No
    code of a file is ever run. Where a graph or a state dict is a whole network, the set has its model.

    Raises:
        FileError: missing, corrupt, of an unknown format, or without weights.

    >>> weights = load_weights("digits-tfc")
    >>> [(tensor.name, tensor.shape, tensor.reading) for tensor in weights.tensors][0]
    ('fc1', (64, 64), 'packed')
    """
    path = resolve(source)
    name = str(path if (Path(source) / "checkpoints").is_dir() else source)  # of a run, which checkpoint
    match recognise(path):
        case "safetensors" if is_packed(path):
            return weights_of(load_packed(path), name)
        case "safetensors":
            return _foreign(name, read_safetensors(path), provenance_of(path, "safetensors"))
        case "npz":
            return _foreign(name, read_npz(path), provenance_of(path, "npz"))
        case "state dict":
            return _state_dict(name, path)
        case "onnx":
            return _onnx(name, path)


def _state_dict(name: str, path: Path) -> WeightSet:
    from bnnedge.importers.state_dict import ASSUMPTIONS, model_of, read_state_dict, tensors_of

    state, provenance = read_state_dict(path), provenance_of(path, "state dict")
    tensors, notes = tensors_of(state, path)
    model, reason = _try(lambda: model_of(state, path, provenance))
    return _foreign(name, (tensors, (*notes, f"network: {reason or ASSUMPTIONS}")), provenance, model)


def _onnx(name: str, path: Path) -> WeightSet:
    from bnnedge.importers.chain import ASSUMPTIONS, model_of
    from bnnedge.importers.onnx import read_onnx
    from bnnedge.importers.onnx_weights import tensors_of

    graph = read_onnx(path)
    tensors, notes = tensors_of(graph)
    provenance = provenance_of(path, "onnx", graph.producer)
    model, reason = _try(lambda: model_of(graph, provenance))
    return _foreign(name, (tensors, (*notes, f"network: {reason or ASSUMPTIONS}")), provenance, model)


def _try(build: Callable[[], PackedModel]) -> tuple[PackedModel | None, str]:
    """The whole network, or why there is none: weights can be audited without one."""
    try:
        return build(), ""
    except UnsupportedError as error:
        return None, f"weights only: {error.message}"


def _foreign(
    name: str, read: Tensors, provenance: dict[str, object], model: PackedModel | None = None
) -> WeightSet:
    tensors, notes = read
    return WeightSet(name, tensors, model, _digest(tensors), provenance, notes)


def _digest(tensors: tuple[BitTensor, ...]) -> str:
    """SHA-256 over names, shapes and packed bits, in order."""
    hasher = hashlib.sha256()
    for tensor in tensors:
        hasher.update(json.dumps([tensor.name, tensor.shape]).encode())
        hasher.update(tensor.matrix.bytes.data)
    return hasher.hexdigest()
