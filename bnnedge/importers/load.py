"""One function that takes whatever a user calls a checkpoint."""

from __future__ import annotations

from pathlib import Path

from bnnedge.errors import FileError
from bnnedge.packed.file import load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import presets
from bnnedge.runs.directory import RunDirectory

__all__ = ["load", "resolve"]


def load(source: str | Path) -> PackedModel:
    """The packed model of a checkpoint file, of a run directory (its best), or of a trained preset.

    Raises:
        FileError: missing, truncated, corrupt or of another format.
    """
    return load_packed(resolve(source))


def resolve(source: str | Path) -> Path:
    """The checkpoint file that ``source`` means.

    Raises:
        FileError: there is none.
    """
    path = Path(source)
    if not path.exists() and str(source) in presets():
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
