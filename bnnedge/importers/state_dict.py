"""PyTorch state dicts, as Brevitas' training scripts save them: latent weights, whose signs are the bits.

Files are unpickled by PyTorch's restricted reader alone (``weights_only``), which runs no code of a file.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bnnedge.errors import DataError, FileError, UnsupportedError
from bnnedge.importers.admission import check_pickles
from bnnedge.importers.arrays import Tensors, layer_names, read_bits, read_tensors
from bnnedge.packed.encoding import InputEncoding
from bnnedge.packed.fold import Affine, Lattice, Thresholds, fold_sign
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = ["ASSUMPTIONS", "StateDict", "model_of", "read_state_dict", "tensors_of"]

StateDict = dict[str, torch.Tensor]

ASSUMPTIONS = (
    "read as a BNN-PYNQ network of Brevitas with 1-bit weights and activations, for images x / 255 whose "
    "pixels are +1 from 128 on: a state dict does not say so itself"
)

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
_PREFIXES = re.compile(r"^(module\.|_orig_mod\.)+")  # DataParallel and torch.compile
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
_TENSOR_NORM_EPSILON = 1e-4  # brevitas_examples.bnn_pynq.models.tensor_norm

# What torch.load was seen to raise on damaged files has no class of its own in common.
_LOAD_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile,
)  # fmt: skip


def read_state_dict(path: Path) -> StateDict:
    """Every tensor of a state dict by name, wherever a training script nested it.

    Raises:
        FileError: unreadable, corrupt, holding more than tensors and plain values, or no state dict.
    """
    try:
        # By its path a file can stay mapped, but PyTorch then goes by the name where it ends in .safetensors.
        mapped = zipfile.is_zipfile(path) and path.suffix.lower() != ".safetensors"
        check_pickles(path)
        with warnings.catch_warnings(), path.open("rb") as handle:
            warnings.simplefilter("ignore")  # what PyTorch says of old formats is no concern of the user
            source = path if mapped else handle
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    except _LOAD_ERRORS as error:
        raise FileError(
            f"{path} is no state dict that can be read safely: {_first_line(error)}",
            "expected plain tensors, as in torch.save(model.state_dict(), path); nothing else is unpickled",
        ) from error
    found = _find(content, 4, set[tuple[int, int]]())
    if found is None:
        raise FileError(
            f"{path} holds no state dict: no tensor is named '….weight'",
            "save model.state_dict() of a network",
        )
    return {_PREFIXES.sub("", name): tensor for name, tensor in found.items()}


def tensors_of(state: StateDict, path: Path) -> Tensors:
    """The weights of every dense and convolutional layer, in model order, by their signs; 0 is +1.

    Raises:
        FileError: a tensor that cannot be read, is not finite, or none that is a weight.
    """
    tensors, notes = read_tensors(_weights(state, path), path, latent=True)
    others = (
        f"{name}: left out, a tensor of shape {tuple(tensor.shape)} that is not named weight"
        for name, tensor in state.items()
        if tensor.ndim in (2, 4) and not _is_weight(name)
    )
    return tensors, (*notes, *others)


def model_of(state: StateDict, path: Path, provenance: dict[str, object]) -> PackedModel:
    """The packed model of a fully connected BNN-PYNQ network (TFC, SFC, LFC) of ``brevitas_examples``.

    Its modules are ``features.N``: a dense layer and a batch-norm in turn, a scalar TensorNorm at the end.
    Thresholds come from PyTorch's own batch-norm, over the lattice of pre-activations.

    Its CNV is no packed model: it takes 2x / 255 − 1 rounded to 8 bits, in steps of 1 / 128: x − 128 up to
    x = 127, and from there on x − 127, at most 127. No whole-number input is that.

    Raises:
        UnsupportedError: another network, or a batch-norm that is not finite.
        FileError: weights that cannot be read, or are not finite.
    """
    modules = _modules(state)
    names, kinds = list(modules), [_kind(parts) for parts in modules.values()]
    pairs = len(kinds) // 2
    if all(re.fullmatch(r"(conv|linear)_features\.\d+", name) for name in names):
        raise UnsupportedError(
            f"{path.name} is BNN-PYNQ's CNV, whose inputs are not whole numbers: it rounds 2x / 255 − 1 to 8 "
            "bits, so that pixels 127 and 128 are two steps apart and 254 and 255 are the same",
            "bnnedge audit and compare read its weights; bnnedge train trains a CNV of whole-number inputs",
        )
    named = all(re.fullmatch(r"features\.\d+", name) for name in names)
    if not named or kinds != ["dense", "batch-norm"] * (pairs - 1) + ["dense", "tensor-norm"]:
        raise UnsupportedError(
            f"{path.name} is no fully connected BNN-PYNQ network",
            "a whole network is read of TFC, SFC and LFC of brevitas_examples; export others to QONNX",
        )
    dense, norms = names[0::2], [modules[name] for name in names[1::2]]
    matrices = []
    for name in dense:
        values = _numpy(f"{name}.weight", modules[name]["weight"], path)
        matrices.append(read_bits(f"{path}: {name}.weight", values, latent=True)[0])
    try:
        encoding = InputEncoding.bipolar((matrices[0].columns,), 255, 128)
        layers: list[PackedLayer] = []
        for name, matrix, norm in zip(layer_names(dense), matrices, norms, strict=True):
            hidden = len(layers) < pairs - 1
            thresholds = _fold(norm, Lattice(matrix.columns, 2)) if hidden else None
            layers.append(PackedLayer(name, matrix, thresholds))
        return PackedModel(encoding, tuple(layers), _head(norms[-1]), provenance)
    except DataError as error:
        raise UnsupportedError(f"{path.name}: {error.message}", error.hint) from error


def _find(content: object, depth: int, seen: set[tuple[int, int]]) -> StateDict | None:
    """The mapping that has tensors called weight: this one, or one below, those of usual names first.

    A pickle can name one mapping many times over, also within itself: it is looked into once a depth.
    """
    if not isinstance(content, Mapping) or not depth or (id(content), depth) in seen:
        return None
    seen.add((id(content), depth))
    tensors = {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if any(_is_weight(name) for name in tensors):
        return tensors
    usual = [content[name] for name in _WRAPPERS if name in content]
    inner = (*usual, *content.values())
    return next((found for below in inner if (found := _find(below, depth - 1, seen))), None)


def _is_weight(name: str) -> bool:
    return name == "weight" or name.endswith(".weight")


def _weights(state: StateDict, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    return ((name, _numpy(name, tensor, path)) for name, tensor in state.items() if _is_weight(name))


def _numpy(name: str, tensor: torch.Tensor, path: Path) -> NDArray[Any]:
    """A tensor's values, of the file's memory where NumPy has their type.

    A file can call one number a tensor of any size, by strides of 0, so what is there is counted first.
    """
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.is_complex() or tensor.nbytes > tensor.untyped_storage().nbytes():
        raise FileError(
            f"{path}: {name} is not a plain tensor of real numbers",
            "save dense tensors on the CPU, unquantised",
        )
    tensor = tensor.detach()
    try:
        narrow = tensor.is_floating_point() and tensor.itemsize < 4  # bfloat16 and 8-bit floats: not NumPy's
        values: NDArray[Any] = (tensor.float() if narrow else tensor).numpy()
    except (TypeError, RuntimeError) as error:
        raise FileError(f"{path}: {name} holds values of type {tensor.dtype}") from error
    return values


def _modules(state: StateDict) -> dict[str, StateDict]:
    """Parameters of each module, by the module's name, in order."""
    modules: dict[str, StateDict] = {}
    for name, tensor in state.items():
        module, _, parameter = name.rpartition(".")
        modules.setdefault(module, {})[parameter] = tensor
    return modules


def _kind(parts: StateDict) -> str:
    if parts.keys() == {"weight"} and parts["weight"].ndim == 2 and parts["weight"].is_floating_point():
        return "dense"
    if parts.keys() - {"num_batches_tracked"} == set(_BATCH_NORM):
        shapes = {tuple(parts[part].shape) for part in _BATCH_NORM}
        if len(shapes) == 1 and len(min(shapes)) == 1:
            return "tensor-norm" if shapes == {(1,)} and "num_batches_tracked" not in parts else "batch-norm"
    return "other"


def _fold(norm: StateDict, lattice: Lattice) -> Thresholds:
    """Thresholds of a batch-norm and a sign, 0 giving +1, as PyTorch evaluates them."""
    module = nn.BatchNorm1d(norm["weight"].numel()).eval()
    module.load_state_dict(_finite(norm), strict=False)

    def fires(preactivations: NDArray[np.int32]) -> NDArray[np.bool_]:
        with torch.no_grad():
            fired: NDArray[np.bool_] = (
                module(torch.from_numpy(preactivations).float()[None])[0] >= 0
            ).numpy()
        return fired

    directions = torch.where(module.weight < 0, -1, 1).to(torch.int8).numpy()
    return fold_sign(fires, directions, lattice)


def _head(norm: StateDict) -> Affine:
    """Scale and offset of the TensorNorm, computed in float64, rounded once."""
    weight, bias, mean, variance = (_finite(norm)[part].double() for part in _BATCH_NORM)
    scale = weight / torch.sqrt(variance + _TENSOR_NORM_EPSILON)
    return Affine(scale.float().numpy(), (bias - mean * scale).float().numpy())


def _finite(norm: StateDict) -> StateDict:
    norm = {part: norm[part].detach() for part in _BATCH_NORM}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in norm.values()):
        raise UnsupportedError(
            "a batch-norm has values that are not finite",
            "a network whose training diverged has no thresholds",
        )
    return norm


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
