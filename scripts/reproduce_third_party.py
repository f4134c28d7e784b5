"""Takes a third party's net through every path, and compares labels: scripts/reproduce_third_party."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bnnedge.data.dataset import Split
from bnnedge.data.fetch import fetch
from bnnedge.data.registry import load_dataset
from bnnedge.errors import BnnedgeError, VerificationError
from bnnedge.exporters.c_verification import build_c_test, run_c_test
from bnnedge.exporters.execution import read_graph, run_batch
from bnnedge.exporters.finn import to_finn
from bnnedge.exporters.folder import export
from bnnedge.exporters.graph import LABEL, LOGITS, Form
from bnnedge.exporters.verification import verify
from bnnedge.files import sha256_of
from bnnedge.importers.load import load
from bnnedge.packed.model import PackedModel
from bnnedge.report.table import Column, Table

# Of a file with this SHA-256 its publishers, BNN-PYNQ's authors at Xilinx, state an accuracy.
PUBLISHED = {"e875070d9b8af1ff55923ab03c7ed9dd8787d387cb3274872fe5fc6a2905b2db": 0.9317}
TARGETS = ("onnx", "qonnx", "finn", "pynq", "c")
UNIT = np.float32(255)  # the file takes pixels from 0 to 1
COLUMNS = (
    Column("path", "path"),
    Column("runs_in", "runs in"),
    Column("verified", "compared, bit\nfor bit, on", ",d"),
    Column("other_labels", "other labels\nthan the file", ",d"),
    Column("accuracy", "accuracy", ".2%"),
)
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What one path gave.

    Attributes:
        path: the path.
        runs_in: what computed the labels.
        verified: samples on which all of it was compared with the golden model; None of that itself, and of
            the file.
        labels: of all test images.
    """

    path: str
    runs_in: str
    verified: int | None
    labels: Labels


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="TFC_1W1A.onnx, or another 1-bit network on MNIST in QONNX")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    try:
        fetch("mnist", say=lambda line: print(line, file=sys.stderr))
        test = load_dataset("mnist").test
        outcomes = list(every_path(given.file, load(given.file), test.inputs))
        published = PUBLISHED.get(sha256_of(given.file))
        print(shown(given.file, outcomes, test, published, as_json=given.json))
        check(outcomes)
    except BnnedgeError as error:
        print(f"Error: {error.message}\nHint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def every_path(file: Path, model: PackedModel, images: NDArray[np.uint8]) -> Iterator[Outcome]:
    """The file itself first."""
    yield Outcome("the file", "qonnx", None, labels_of_file(file, images))
    yield Outcome("imported", "golden model", None, model.predict(images).labels)
    with tempfile.TemporaryDirectory() as scratch:
        for target in TARGETS:
            folder = Path(scratch) / target
            verified = export(model, target, folder, inputs=images).verification.samples
            if target == "c":
                yield Outcome(target, "cc -std=c99", verified, labels_of_c(folder, model, images))
            else:
                yield graph_outcome(target, folder / "model.onnx", verified, images)
        counting = Path(scratch) / "counting.onnx"
        counting.write_bytes(to_finn(model, Form(xnor=True)).SerializeToString())
        yield graph_outcome("finn, xnor", counting, verify(counting, model, images).samples, images)


def graph_outcome(name: str, path: Path, verified: int, images: NDArray[np.uint8]) -> Outcome:
    graph = read_graph(path)
    output = LABEL if LABEL in graph.tensors else LOGITS
    values = run_batch(graph, images.reshape(len(images), *graph.shape), [output])[output]
    labels = np.argmax(values, axis=1) if output == LOGITS else values.reshape(-1).astype(np.int64)
    return Outcome(name, "onnxruntime" if graph.kind == "onnx" else "qonnx", verified, labels)


def labels_of_file(file: Path, images: NDArray[np.uint8]) -> Labels:
    """What qonnx alone makes of the file, all images at once: none of our code has a part in it."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.change_batchsize import ChangeBatchSize
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.util.cleanup import cleanup_model

    wrapper = cleanup_model(ModelWrapper(str(file))).transform(ChangeBatchSize(len(images)))
    wrapper = wrapper.transform(InferShapes())
    entry = wrapper.graph.input[0].name
    pixels = (images.astype(np.float32) / UNIT).reshape(wrapper.get_tensor_shape(entry))
    (logits,) = execute_onnx(wrapper, {entry: pixels}).values()
    labels: Labels = np.argmax(logits, axis=1)
    return labels


def labels_of_c(folder: Path, model: PackedModel, images: NDArray[np.uint8]) -> Labels:
    (source,) = folder.glob("*_test.c")
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "test"
        build_c_test(folder, source.name.removesuffix("_test.c"), program)
        return run_c_test([str(program)], images, model.classes)[:, 0]


def shown(file: Path, outcomes: list[Outcome], test: Split, published: float | None, *, as_json: bool) -> str:
    rows = [
        (
            outcome.path,
            outcome.runs_in,
            outcome.verified,
            other_labels(outcome, outcomes[0]),
            float(np.mean(outcome.labels == test.labels)),
        )
        for outcome in outcomes
    ]
    if as_json:
        names = [column.key for column in COLUMNS]
        paths = [dict(zip(names, row, strict=True)) for row in rows]
        table = {"schema": 1, "kind": "bnnedge.third_party", "file": str(file), "published": published}
        return json.dumps(table | {"samples": len(test.labels), "paths": paths})
    notes = [f"{len(test.labels):,} test images of MNIST."]
    if published is not None:
        notes.append(f"Published for this file: {published:.2%}.")
    return str(Table(str(file), COLUMNS, rows, notes=notes))


def other_labels(outcome: Outcome, original: Outcome) -> int:
    return int(np.count_nonzero(outcome.labels != original.labels))


def check(outcomes: list[Outcome]) -> None:
    """Insist that every path gives the labels of the file.

    Raises:
        VerificationError: names the first that does not, and the first sample.
    """
    original = outcomes[0]
    for outcome in outcomes:
        if other_labels(outcome, original):
            sample = int(np.argmax(outcome.labels != original.labels))
            raise VerificationError(
                f"{outcome.path}, sample {sample}: label is {outcome.labels[sample]}, but {original.path} "
                f"gives {original.labels[sample]} in {original.runs_in}"
            )


if __name__ == "__main__":
    sys.exit(main())
