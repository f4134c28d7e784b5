"""One function that takes whatever a user calls a checkpoint."""

from __future__ import annotations

from pathlib import Path

import safetensors

from bnnedge.errors import FileError, UnsupportedError
from bnnedge.importers.formats import recognise
from bnnedge.packed.file import load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.runs.directory import RunDirectory
from bnnedge.runs.toml import presets

__all__ = ["is_packed", "load", "provenance_of", "resolve"]


def load(source: str | Path) -> PackedModel:
    """The packed model of a checkpoint file, of a run directory (its best), or of a trained preset.

    Also of a QONNX, FINN-ONNX or ONNX graph that is a chain of 1-bit convolutions and dense layers, and of
    the state dict of a fully connected BNN-PYNQ network of Brevitas (see ``importers.chain`` and
    ``importers.state_dict``).

    Raises:
        FileError: missing, truncated, corrupt or of another format.
        UnsupportedError: weights without a network, or a network that is no chain of 1-bit layers.
    """
    path = resolve(source)
    match recognise(path):
        case "safetensors":
            return load_packed(path)
        case "npz":
            raise UnsupportedError(
                f"{path} holds arrays, but no network", "bnnedge audit and compare read weights alone"
            )
        case "state dict":
            from bnnedge.importers import state_dict

            return state_dict.model_of(
                state_dict.read_state_dict(path), path, provenance_of(path, "state dict")
            )
        case "onnx":
            from bnnedge.importers import chain
            from bnnedge.importers.onnx import read_onnx

            graph = read_onnx(path)
            return chain.model_of(graph, provenance_of(path, "onnx", graph.producer))


def is_packed(path: Path) -> bool:
    """Whether a safetensors file is a packed model, or too damaged to say what else it is."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return "bnnedge" in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return True


def provenance_of(path: Path, form: str, producer: str = "") -> dict[str, object]:
    """Where a foreign network came from."""
    return {"imported": {"file": path.name, "format": form} | ({"producer": producer} if producer else {})}


def resolve(source: str | Path) -> Path:
    """The checkpoint file that ``source`` means.

    Raises:
        FileError: there is none.
    """
    path = Path(source)
    try:
        exists = path.exists()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    if not exists and str(source) in presets():
        path = presets()[str(source)].parent
    if not path.is_dir():
        return path
    if (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if (path / "config.toml").is_file() and not (path / "checkpoints").is_dir():
        raise FileError(
            f"the preset {path.name} comes without a trained model", f"train it: bnnedge train {path.name}"
        )
    return RunDirectory.open(path).best_checkpoint()
