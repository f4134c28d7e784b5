"""What the C target is compared with: the plain ONNX of the same network in onnxruntime, in one thread."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from bench_rows import Row
from numpy.typing import NDArray

from bnnedge.data.registry import load_dataset
from bnnedge.exporters.c import to_c, to_c_test
from bnnedge.exporters.c_verification import build_c_test, run_c_test
from bnnedge.exporters.graph import IMAGE, LABEL
from bnnedge.exporters.onnx import to_onnx
from bnnedge.packed.file import load_packed
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["rows"]

HARNESS = Path(__file__).with_name("bench_edge.c")
NAME = "mnist_tfc"  # of what the harness times


def c_rates(model: PackedModel, inputs: NDArray[np.uint8], flags: Sequence[str]) -> tuple[float, float]:
    """Images a CPU second of the compiled network: one a call, and all in a call."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file, text in (to_c(model) | to_c_test(model, inputs[:1])).items():
            (folder / file).write_text(text, encoding="utf-8")
        build_c_test(folder, NAME, folder / "test", flags=("-std=c99", *flags))
        if not np.array_equal(
            run_c_test([str(folder / "test")], inputs, model.classes)[:, 0], model.predict(inputs).labels
        ):
            sys.exit("the C file does not compute the network: there is no point in timing it")
        (folder / "samples").write_bytes(inputs.tobytes())
        command = ["cc", "-std=c99", *flags, "-I.", "-o", "bench", str(HARNESS), f"{NAME}.c"]
        subprocess.run(command, cwd=folder, check=True)
        timed = subprocess.run(["./bench", "samples"], cwd=folder, capture_output=True, text=True, check=True)
    one, all_of_them = map(float, timed.stdout.split())
    return one, all_of_them


def c_bytes(model: PackedModel, compiler: str) -> int:
    """Bytes of code and weights of the compiled network, without a library: there is none to link."""
    with tempfile.TemporaryDirectory() as scratch:
        for file, text in to_c(model).items():
            (Path(scratch) / file).write_text(text, encoding="utf-8")
        try:
            subprocess.run([compiler, "-std=c99", "-O2", "-c", f"{NAME}.c"], cwd=scratch, check=True)
        except FileNotFoundError:
            sys.exit(f"no {compiler}; scripts/test installs it")
        sizes = subprocess.run(
            [compiler.replace("gcc", "size"), f"{NAME}.o"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=True,
        )
    return sum(map(int, sizes.stdout.splitlines()[1].split()[:3]))


def onnx_rate(proto: onnx.ModelProto, inputs: NDArray[np.uint8], batch: int) -> float:
    """Images a CPU second of a graph in onnxruntime at a batch size, the best of several rounds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    samples, calls = inputs[:batch], max(1, 1000 // batch)
    seconds = math.inf
    for _ in range(30):
        start = time.process_time()
        for _ in range(calls):
            session.run([LABEL], {IMAGE: samples})
        seconds = min(seconds, time.process_time() - start)
    return calls * len(samples) / seconds


def rows() -> list[Row]:
    """The C target beside onnxruntime on the same network's plain ONNX, and its bytes on other machines."""
    model, images = load_packed(share("models") / "mnist-tfc" / "model.safetensors"), load_dataset("mnist")
    inputs, graph = images.test.inputs, to_onnx(model)
    flags = {"-O2 -march=native": ["-O2", "-march=native"], "-O2": ["-O2"]}
    theirs = {batch: onnx_rate(graph, inputs, batch) for batch in (1, 64, 256, 1024, len(inputs))}
    large = max(theirs, key=lambda batch: theirs[batch])
    found = []
    for name, options in flags.items():
        rates = c_rates(model, inputs, options)
        for measure, rate, batch in zip(
            ("one image a call", "10,000 a call"), rates, (1, large), strict=True
        ):
            reference = f"onnxruntime {version('onnxruntime')}, batch {batch:,}"
            ratio = rate / theirs[batch]
            found.append(Row("edge", f"{measure}, {name}", "images/s", rate, theirs[batch], reference, ratio))
    onnx_kib = graph.ByteSize() / 1024
    for machine in ("arm-linux-gnueabihf", "riscv64-linux-gnu", "x86_64-linux-gnu"):
        kib = c_bytes(model, f"{machine}-gcc") / 1024
        measure = f"code and weights, {machine}"
        found.append(Row("edge", measure, "KiB", kib, onnx_kib, "the ONNX file", onnx_kib / kib))
    return found
