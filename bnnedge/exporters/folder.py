"""Exports: a folder is drafted, verified on real inputs, and only then put in its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnedge.errors import ConfigError, DataError, FileError, OutputError, UnsupportedError
from bnnedge.exporters.c import to_c, to_c_test
from bnnedge.exporters.card import model_card
from bnnedge.exporters.finn_check import check_with_finn
from bnnedge.exporters.graph import AS_USUAL, Form
from bnnedge.exporters.manifest import (
    MANIFEST,
    TARGETS,
    Manifest,
    hash_files,
    read_manifest,
    write_manifest,
)
from bnnedge.exporters.pynq import BuildWishes, write_build
from bnnedge.exporters.report import ExportReport
from bnnedge.exporters.rtl import write_rtl
from bnnedge.exporters.targets import GRAPHS
from bnnedge.exporters.vectors import SAMPLES
from bnnedge.exporters.verification import verify
from bnnedge.files import atomic_directory, write_atomically, writing
from bnnedge.hardware.boards import DEFAULT_BOARD
from bnnedge.hardware.boards import board as find_board
from bnnedge.hardware.estimates import Estimate
from bnnedge.hardware.finns import DEFAULT_FINN, finn_called, title
from bnnedge.hardware.generated import STYLES
from bnnedge.packed.file import digest
from bnnedge.packed.infer import check_inputs
from bnnedge.packed.model import PackedModel

__all__ = ["export"]

LARGEST_GRAPH = 2**31 - 2**20  # bytes: protobuf ends at 2 GiB, and names need some


def export(
    model: PackedModel,
    target: str,
    out: Path,
    *,
    inputs: NDArray[np.uint8],
    board: str = DEFAULT_BOARD,
    finn: str | None = None,
    fps: int | None = None,
    lut_budget: int | None = None,
    finn_python: Path | None = None,
    about: Mapping[str, str] | None = None,
    style: str | None = None,
    max_depth: int | None = None,
    plain: bool = False,
    form: Form = AS_USUAL,
) -> ExportReport:
    """Write a network for a target, and verify it on every input given before it takes its place.

    The folder holds ``model.onnx`` and ``manifest.json``; for ``pynq`` also what FINN's builder and the board
    need. For ``c`` it holds C99, a header and a test in place of the graph, for ``rtl`` SystemVerilog, a test
    bench and scripts. The same model always gives the same bytes.

    Args:
        model: the network.
        target: ``onnx``, ``qonnx``, ``finn``, ``pynq``, ``c`` or ``rtl``.
        out: the folder to make. An empty folder and an earlier export are replaced.
        inputs: (samples, features) whole numbers that it is verified on; the first become test vectors.
        board: for ``pynq`` and ``rtl``, a board of ``hw/boards.toml``.
        finn: for ``pynq``, what is to build it: ``0.10``, ``1.0`` or ``plus``, which is meant without one.
        fps: for ``pynq`` and ``rtl``, the frames a second to fold for.
        lut_budget: for ``pynq``, the look-up tables to fold within.
        finn_python: for ``pynq``, the Python of an environment with FINN+, to run its front end on the folder
            (see :func:`bnnedge.hardware.finn_plus.find_finn`).
        about: for ``pynq``, further sections of the model card, in Markdown, by their headings.
        style: for ``rtl``, ``folded``, which is meant without one, or ``unrolled``.
        max_depth: for unrolled ``rtl``, the adders that may follow one another in a layer.
        plain: for unrolled ``rtl``, whether to write the baseline, which shares nothing between neurons.
        form: for ``onnx``, ``qonnx`` and ``finn``, how the graph is written where there is a choice.

    Raises:
        ConfigError: an unknown target, board or FINN, or wishes that cannot be.
        DataError: the inputs are empty or do not fit the model.
        OutputError: ``out`` cannot be written, or holds somebody's work.
        UnsupportedError: the target cannot express the network, or FINN+ stopped on it.
        VerificationError: what was written computes something else; nothing is left behind.
    """
    wishes = _wishes(target, board, finn, fps, lut_budget, finn_python)
    hardware = _hardware(target, style, board, fps, max_depth, plain=plain)
    _check_form(target, form)
    _check_expressible(model, target)
    inputs = check_inputs(model.encoding, inputs)
    if not len(inputs):
        raise DataError("no inputs to verify on", "give at least one sample")
    _check_place(out)
    with atomic_directory(out.absolute()) as draft:
        if hardware is not None:
            hardware(draft, model, inputs)
        elif target == "c":
            _write_c(draft, model, inputs)
        else:
            _write_graph(draft, model, target, form)
        estimate = None
        if wishes is not None:
            estimate = _write_build(draft, out, model, inputs, wishes, finn_python, about or {})
        manifest = Manifest(
            target=target,
            digest=digest(model),
            files=hash_files(draft),
            board=find_board(board).name if wishes or hardware else None,
            finn=wishes.finn if wishes else None,
            fps=fps,
            lut_budget=lut_budget,
            provenance=model.provenance,
        )
        write_manifest(draft, manifest)
        verification = replace(verify(draft, model, inputs), artefact=out)
        result: dict[str, object] = {"samples": verification.samples, "layers": list(verification.layers)}
        write_manifest(draft, replace(manifest, verification=result))
    return ExportReport(target, out, (*manifest.files, MANIFEST), manifest.board, verification, estimate)


def _wishes(
    target: str,
    board: str,
    finn: str | None,
    fps: int | None,
    lut_budget: int | None,
    finn_python: Path | None,
) -> BuildWishes | None:
    """What a build folder is made for, if the target is one."""
    if target not in TARGETS:
        closest = difflib.get_close_matches(target, TARGETS, n=1)
        meant = f"did you mean {closest[0]}? " if closest else ""
        raise ConfigError(f"unknown target {target!r}", f"{meant}known: {', '.join(TARGETS)}")
    if target != "pynq":
        if fps is not None and target != "rtl":
            raise ConfigError(f"target {target} has no frame rate", "only pynq and rtl have one")
        asked = {"LUT budget": lut_budget, "FINN": finn, "FINN+ to check with": finn_python}
        for what, value in asked.items():
            if value is not None:
                raise ConfigError(f"target {target} has no {what}", "only pynq has, which FINN builds")
        return None
    builder = DEFAULT_FINN if finn is None else finn_called(finn)
    if builder != "plus" and finn_python is not None:
        raise ConfigError(
            f"FINN+ checks folders made for it, and this one is for {title(builder)}",
            "check one with --finn plus: the graph is the same",
        )
    return BuildWishes(find_board(board), builder, fps, lut_budget)


def _hardware(
    target: str, style: str | None, board: str, fps: int | None, max_depth: int | None, *, plain: bool
) -> Callable[[Path, PackedModel, NDArray[np.uint8]], None] | None:
    """What writes hardware of our own, if the target is that."""
    if target != "rtl":
        asked = {"style": style, "depth to bound": max_depth, "baseline": plain or None}
        for what, value in asked.items():
            if value is not None:
                raise ConfigError(f"target {target} has no {what}", "only rtl has")
        return None
    for known in STYLES:
        if style in (known, None):
            return partial(
                write_rtl, style=known, board=find_board(board), fps=fps, max_depth=max_depth, plain=plain
            )
    raise ConfigError(f"unknown style {style!r}", f"known: {', '.join(STYLES)}")


def _check_expressible(model: PackedModel, target: str) -> None:
    try:
        _ = model.lattices
    except DataError as error:
        what = "a head" if target in ("c", "rtl") else target
        raise UnsupportedError(
            f"{what} computes in float32, where {error.message.removesuffix(' in float32')}", error.hint
        ) from error
    size = 4 * sum(layer.weights.bits for layer in model.layers)
    if target not in ("c", "rtl") and size > LARGEST_GRAPH:
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


def _check_form(target: str, form: Form) -> None:
    if form != AS_USUAL and target not in ("onnx", "qonnx", "finn"):
        raise ConfigError(f"target {target} has one form only", "onnx, qonnx and finn have a choice")
    if form.xnor and target != "finn":
        raise ConfigError(f"target {target} has no XnorPopcountMatMul", "only finn has")


def _write_graph(folder: Path, model: PackedModel, target: str, form: Form) -> None:
    proto: onnx.ModelProto = GRAPHS[target](model, form)
    write_atomically(folder / "model.onnx", proto.SerializeToString(deterministic=True))


def _write_build(
    folder: Path,
    out: Path,
    model: PackedModel,
    inputs: NDArray[np.uint8],
    wishes: BuildWishes,
    finn_python: Path | None,
    about: Mapping[str, str],
) -> Estimate | None:
    """The build folder with its card; what FINN+ makes of it, if its Python is given."""
    design = wishes.design(model)
    write_build(folder, model, inputs, wishes, design)
    estimate = None if finn_python is None else check_with_finn(finn_python, folder, out, design)
    card = model_card(model, wishes, design, estimate, about, hash_files(folder))
    write_atomically(folder / "README.md", card)
    return estimate


def _write_c(folder: Path, model: PackedModel, inputs: NDArray[np.uint8]) -> None:
    for name, text in (to_c(model) | to_c_test(model, inputs[:SAMPLES])).items():
        write_atomically(folder / name, text)
