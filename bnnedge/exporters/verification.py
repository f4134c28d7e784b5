"""Every artefact is run and compared with the golden model, layer by layer, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError, FileError, VerificationError
from bnnedge.exporters.c_verification import check_c
from bnnedge.exporters.difference import Difference, stage_difference
from bnnedge.exporters.execution import GraphFile, Stages, read_graph, run_as_shipped, run_batch
from bnnedge.exporters.graph import LABEL, LOGITS, preactivation
from bnnedge.exporters.manifest import MANIFEST, check_files, read_manifest
from bnnedge.exporters.rtl import check_rtl
from bnnedge.exporters.structure import check_content, check_structure, made_from
from bnnedge.exporters.targets import GRAPHS
from bnnedge.exporters.vectors import check_vectors
from bnnedge.packed.file import digest, load_packed
from bnnedge.packed.infer import check_inputs, samples_in, trace
from bnnedge.packed.model import PackedModel

__all__ = ["SCHEMA", "Verification", "verify"]

SCHEMA = 1
# Pre-activations of one layer at a time: bounds memory however many samples there are.
SLICE_ENTRIES = 1 << 22

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Verification:
    """An artefact that computes what the golden model computes.

    Attributes:
        artefact: the file or folder.
        kind: ``onnx``, ``qonnx``, ``finn``, ``pynq``, ``c`` or ``rtl``.
        samples: number of inputs that it was run on.
        layers: names of the layers whose pre-activations were compared, in model order.
        digest: SHA-256 of what the model computes.
    """

    artefact: Path
    kind: str
    samples: int
    layers: tuple[str, ...]
    digest: str

    def __str__(self) -> str:
        layers = f"{len(self.layers)} layer{'s' if len(self.layers) > 1 else ''}"
        return (
            f"{self.artefact} ({self.kind}) equals the golden model {self.digest[:12]} bit for bit: "
            f"{layers} and the output, on {self.samples:,} samples"
        )

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema."""
        return {
            "schema": SCHEMA,
            "kind": "bnnedge.verification",
            "artefact": str(self.artefact),
            "equal": True,
            "target": self.kind,
            "model": self.digest,
            "samples": self.samples,
            "layers": list(self.layers),
        }


def verify(artefact: Path, model: PackedModel, inputs: UInt8) -> Verification:
    """Run a graph, or the graph of an export folder, and compare every layer with the golden model.

    A graph is run only where its operators and shapes are those that an export of the model has, so that it
    cannot take more. Each layer's whole-number pre-activations, the logits and the labels of every sample
    must be equal, then every node and every constant in the file, which catches what the samples do not
    reach; then the file as it is, without intermediate tensors made visible (QONNX and FINN-ONNX: on one
    sample, their batch). C is compiled and run for its scores and classes, and compared number by number (see
    :func:`check_c`).
    SystemVerilog is simulated: activations of every layer, scores and labels (see :func:`check_rtl`).

    Args:
        artefact: an ``.onnx`` file or a folder that ``export`` wrote.
        model: what it should compute.
        inputs: (samples, features) whole numbers 0 … ``model.encoding.maximum``.

    Raises:
        VerificationError: names the first layer in model order, the sample and the neuron, or the channel and
            the pixel, that differ; or the first node that is another.
        FileError: the artefact is missing, damaged, or not one of ours.
        DataError: the inputs are empty or do not fit the model's encoding.
    """
    inputs = check_inputs(model.encoding, inputs)
    if not len(inputs):
        raise DataError("no inputs to verify on", "give at least one sample")
    names = tuple(layer.name for layer in model.layers)
    path, kind = artefact, ""
    if artefact.is_dir():
        kind = _check_folder(artefact, model)
        path = artefact / "model.onnx"
    if kind in ("c", "rtl"):
        check = check_c if kind == "c" else check_rtl
        check(artefact, model, inputs)
        return Verification(artefact, kind, len(inputs), names, digest(model))
    graph = read_graph(path)
    if kind and graph.kind != {"pynq": "finn"}.get(kind, kind):
        raise FileError(f"{artefact} should hold a graph for {kind}, but holds one for {graph.kind}")
    _check_graph(graph, model, inputs)
    return Verification(artefact, kind or graph.kind, len(inputs), names, digest(model))


def _check_folder(folder: Path, model: PackedModel) -> str:
    """Compare what lies beside the graph with the manifest and the model; gives back the target."""
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if manifest.target in ("pynq", "rtl"):
        stored = digest(load_packed(folder / "checkpoint.safetensors"))
        if stored != manifest.digest:
            raise VerificationError(
                f"{folder}: checkpoint.safetensors is model {stored[:12]}, "
                f"{MANIFEST} says {manifest.digest[:12]}",
                "export the folder again",
            )
    if manifest.target == "pynq":
        check_vectors(folder, model)
    return manifest.target


def _check_graph(graph: GraphFile, model: PackedModel, inputs: UInt8) -> None:
    expected = GRAPHS[graph.kind](model, graph.form)
    check_structure(graph, model, expected)
    images = inputs.reshape(len(inputs), *graph.shape)
    names = [preactivation(layer) for layer in model.layers]
    names += [name for name in (LOGITS, LABEL) if name in graph.tensors]
    _compare_runs(graph, model, images, lambda part: run_batch(graph, part, names))
    check_content(graph, model, expected)
    shipped = images if graph.kind == "onnx" else images[:1]
    _compare_runs(graph, model, shipped, lambda part: run_as_shipped(graph, part))


def _compare_runs(
    graph: GraphFile, model: PackedModel, images: UInt8, run: Callable[[UInt8], Stages]
) -> None:
    reference = model.canonical()
    step = samples_in(reference, SLICE_ENTRIES)
    first: Difference | None = None
    for start in range(0, len(images), step):
        part = images[start : start + step]
        found = _first_difference(reference, run(part), _golden_stages(reference, part), start)
        if found is not None and (first is None or found.order < first.order):
            first = found
    if first is not None:
        raise VerificationError(
            f"{graph.path} ({graph.kind}): {first}", made_from(graph, model), first.to_dict()
        )


def _golden_stages(reference: PackedModel, images: UInt8) -> Stages:
    """What each stage must be, (samples, …), in model order."""
    sums, prediction = trace(reference, images)
    stages: Stages = {preactivation(layer): a for layer, a in zip(reference.layers, sums, strict=True)}
    return stages | {LOGITS: prediction.logits, LABEL: prediction.labels[:, None]}


def _first_difference(model: PackedModel, actual: Stages, golden: Stages, start: int) -> Difference | None:
    for order, (stage, expected) in enumerate(golden.items()):
        if stage not in actual:
            continue
        values = actual[stage]
        if values.shape != expected.shape and (stage != LABEL or values.size != expected.size):
            raise VerificationError(
                f"{stage} is of shape {values.shape}, but the golden model has {expected.shape}",
                "the graph was changed since it was exported; export it again",
            )
        values = values.reshape(expected.shape)
        wrong = values != expected
        if values.dtype == expected.dtype == np.float32:  # −0.0 equals 0.0, but not bit for bit
            wrong = values.view(np.uint32) != expected.view(np.uint32)
        if wrong.any():
            index = tuple(int(axis) for axis in np.unravel_index(wrong.argmax(), wrong.shape))
            place = (start + index[0], *index[1:])
            return stage_difference(model, order, stage, place, values[index], expected[index])
    return None
