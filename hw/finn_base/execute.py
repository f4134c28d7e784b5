"""Read and run the FINN-ONNX of build folders with finn-base, the library under FINN up to release 0.7.

    python execute.py FOLDER...

finn-base knows the operators of today's qonnx under its own domain, finn.custom_op.general, so the domain is
renamed in memory. Labels of input.npy are compared with expected_output.npy for the graph as it was read, and
once more after finn-base's own transformation of bipolar products into XNOR and popcount. Runs in an
environment made from the requirements.txt beside this file; exits 1 where a label differs.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from finn.core.modelwrapper import ModelWrapper
from finn.core.onnx_exec import execute_onnx
from finn.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
from finn.transformation.infer_datatypes import InferDataTypes
from finn.transformation.infer_shapes import InferShapes

TODAY, THEN = "qonnx.custom_op.", "finn.custom_op."


def read(path: Path) -> ModelWrapper:
    """A graph, with its operators in the domain that finn-base knows."""
    proto = onnx.load(path)
    for named in (*proto.graph.node, *proto.opset_import):
        if named.domain.startswith(TODAY):
            named.domain = THEN + named.domain[len(TODAY) :]
    return ModelWrapper(proto).transform(InferShapes()).transform(InferDataTypes())


def labels(model: ModelWrapper, samples: np.ndarray) -> np.ndarray:
    """(samples,) labels, by executing the graph on one sample at a time."""
    entry, end = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(entry)
    found = [execute_onnx(model, {entry: sample.reshape(shape)})[end].reshape(-1)[0] for sample in samples]
    return np.array(found, dtype=np.int64)


def main(folders: list[Path]) -> int:
    """Run each folder; gives back the exit code."""
    wrong = 0
    for folder in folders:
        if not (folder / "model.onnx").is_file():
            print(f"{folder} is no build folder: bnnedge export --target pynq makes one", file=sys.stderr)
            return 1
        began = time.perf_counter()
        model = read(folder / "model.onnx")
        samples = np.load(folder / "input.npy")
        expected = np.load(folder / "expected_output.npy").reshape(-1)
        as_read = int((labels(model, samples) != expected).sum())
        counted = model.transform(ConvertBipolarMatMulToXnorPopcount())
        as_counted = int((labels(counted, samples) != expected).sum())
        products = len(counted.get_nodes_by_op_type("XnorPopcountMatMul"))
        print(
            f"{folder}: finn-base {version('finn-base')}, {len(samples)} samples: "
            f"{as_read} labels wrong as read, {as_counted} wrong with {products} products in XNOR and "
            f"popcount; {time.perf_counter() - began:.1f} s"
        )
        wrong += as_read + as_counted
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
