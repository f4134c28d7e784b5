"""Exports: a folder is drafted, verified on real inputs, and only then put in its place."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError, FileError, OutputError, UnsupportedError
from bnnedge.exporters.c import to_c, to_c_test
from bnnedge.exporters.card import model_card
from bnnedge.exporters.manifest import (
    MANIFEST,
    TARGETS,
    Manifest,
    hash_files,
    read_manifest,
    write_manifest,
)
from bnnedge.exporters.pynq import write_build
from bnnedge.exporters.targets import GRAPHS
from bnnedge.exporters.vectors import SAMPLES, write_vectors
from bnnedge.exporters.verification import Verification, verify
from bnnedge.files import atomic_directory, write_atomically, writing
from bnnedge.hardware.boards import DEFAULT_BOARD, Board
from bnnedge.hardware.boards import board as find_board
from bnnedge.packed.file import digest, save_packed
from bnnedge.packed.infer import check_inputs
from bnnedge.packed.model import PackedModel

__all__ = ["ExportReport", "export"]

LARGEST_GRAPH = 2**31 - 2**20  # bytes: protobuf ends at 2 GiB, and names need some


@dataclass(frozen=True)
class ExportReport:
    """A folder that was written and verified.

    Attributes:
        target: ``onnx``, ``qonnx``, ``finn``, ``pynq`` or ``c``.
        out: the folder.
        files: names of the files in it.
        board: what it was made for, for ``pynq``.
        verification: what it was compared with.
    """

    target: str
    out: Path
    files: tuple[str, ...]
    board: str | None
    verification: Verification

    def __str__(self) -> str:
        made_for = f" for {self.board}" if self.board else ""
        return f"{self.target}{made_for}: {', '.join(self.files)}\n{self.verification}"


def export(
    model: PackedModel,
    target: str,
    out: Path,
    *,
    inputs: NDArray[np.uint8],
    board: str = DEFAULT_BOARD,
    fps: int | None = None,
) -> ExportReport:
    """Write a network for a target, and verify it on every input given before it takes its place.

    The folder holds ``model.onnx`` and ``manifest.json``; for ``pynq`` also what FINN's builder needs. For
    ``c`` it holds C99, a header and a test in place of the graph. The same model always gives the same bytes.

    Args:
        model: the network.
        target: ``onnx``, ``qonnx``, ``finn``, ``pynq`` or ``c``.
        out: the folder to make. An empty folder and an earlier export are replaced.
        inputs: (samples, features) whole numbers that it is verified on; the first become test vectors.
        board: for ``pynq``, a board of ``hw/boards.toml``.
        fps: for ``pynq``, the frames a second that FINN should fold for.

    Raises:
        ConfigError: an unknown target or board, or a frame rate that cannot be.
        DataError: the inputs are empty or do not fit the model.
        OutputError: ``out`` cannot be written, or holds somebody's work.
        UnsupportedError: the target cannot express the network.
        VerificationError: what was written computes something else; nothing is left behind.
    """
    hardware = _check_wishes(target, board, fps)
    _check_expressible(model, target)
    inputs = check_inputs(model.encoding, inputs)
    if not len(inputs):
        raise DataError("no inputs to verify on", "give at least one sample")
    _check_place(out)
    with atomic_directory(out.absolute()) as draft:
        if target == "c":
            _write_c(draft, model, inputs)
        else:
            _write_graph(draft, model, target)
        if hardware is not None:
            _write_beside(draft, model, inputs, hardware, fps)
        manifest = Manifest(
            target=target,
            digest=digest(model),
            files=hash_files(draft),
            board=hardware.name if hardware else None,
            fps=fps,
            provenance=model.provenance,
        )
        write_manifest(draft, manifest)
        verification = replace(verify(draft, model, inputs), artefact=out)
        result: dict[str, object] = {"samples": verification.samples, "layers": list(verification.layers)}
        write_manifest(draft, replace(manifest, verification=result))
    return ExportReport(target, out, (*manifest.files, MANIFEST), manifest.board, verification)


def _check_wishes(target: str, board: str, fps: int | None) -> Board | None:
    """The board, if the target is made for one."""
    if target not in TARGETS:
        closest = difflib.get_close_matches(target, TARGETS, n=1)
        meant = f"did you mean {closest[0]}? " if closest else ""
        raise ConfigError(f"unknown target {target!r}", f"{meant}known: {', '.join(TARGETS)}")
    if target != "pynq":
        if fps is not None:
            raise ConfigError(
                f"target {target} has no frame rate", "fps is for pynq, which FINN folds for it"
            )
        return None
    hardware = find_board(board)
    if fps is not None and not 1 <= fps <= hardware.clock_mhz * 1e6:
        raise ConfigError(
            f"{fps} frames a second cannot be reached at {hardware.clock_mhz:g} MHz",
            "expected at least 1, and at most one a clock cycle",
        )
    return hardware


def _check_expressible(model: PackedModel, target: str) -> None:
    try:
        _ = model.lattices
    except DataError as error:
        what = "a head" if target == "c" else target
        raise UnsupportedError(
            f"{what} computes in float32, where {error.message.removesuffix(' in float32')}", error.hint
        ) from error
    size = 4 * sum(layer.weights.bits for layer in model.layers)
    if target != "c" and size > LARGEST_GRAPH:
        raise UnsupportedError(
            f"{target} keeps weights in float32, here {size / 2**30:.1f} GiB; an ONNX file ends at 2 GiB",
            "export a smaller network",
        )


def _check_place(out: Path) -> None:
    """Refuse to replace what no export wrote."""
    with writing(out):
        if not out.exists():
            return
        names = {path.name for path in out.iterdir()}
    if not names:
        return
    try:
        ours = {MANIFEST, *read_manifest(out).files}
    except FileError as error:
        raise OutputError(
            f"{out} is not empty, and no earlier export", "name another folder, or empty this one"
        ) from error
    if strange := names - ours:
        raise OutputError(
            f"{out} holds {min(strange)!r}, which no export wrote",
            "name another folder, or move what was added since",
        )


def _write_graph(folder: Path, model: PackedModel, target: str) -> None:
    proto: onnx.ModelProto = GRAPHS[target](model)
    write_atomically(folder / "model.onnx", proto.SerializeToString(deterministic=True))


def _write_c(folder: Path, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    for name, text in (to_c(model) | to_c_test(model, inputs[:SAMPLES])).items():
        write_atomically(folder / name, text)


def _write_beside(
    folder: Path, model: PackedModel, inputs: NDArray[np.uint8], board: Board, fps: int | None
) -> None:
    """What a build folder holds besides the graph."""
    write_vectors(folder, model, inputs)
    save_packed(model, folder / "checkpoint.safetensors")
    write_build(folder, model, board, fps)
    write_atomically(folder / "README.md", model_card(model, board, fps, hash_files(folder)))
