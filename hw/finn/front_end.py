"""Run FINN+'s front end on an exported build folder, and write down what it makes of the network.

    python front_end.py FOLDER OUT [--fps N] [--folding FILE] [--samples N]

Takes ``model.onnx`` through FINN+'s own steps, from tidying up to its estimate reports; none of them needs
vendor tools. After each step whose result can still be executed in Python, the labels of ``input.npy`` are
compared with ``expected_output.npy``. OUT gets every intermediate model, FINN+'s reports and
``front_end.json``. Runs in an environment made from the requirements.txt beside this file; it exits 0 if
FINN+ came to its end, whatever it found.
"""

from __future__ import annotations

import argparse
import enum
import importlib.abc
import importlib.machinery
import json
import sys
import time
import types
from importlib.metadata import version
from pathlib import Path

import numpy as np

# FINN+ imports these as it loads and calls nothing of them in the steps run here: Vivado's simulator, the
# solver that spreads a design over several FPGAs, execution of layer norms, learned estimates. Empty
# modules in their place save 400 MB of packages, and a Vivado installation.
ABSENT = {"finn.xsi", "mip", "torch", "sklearn", "pandas", "joblib"}


class _Absent(types.ModuleType):
    """A module of which only names are used: constants are their own names, all else is an empty class."""

    SearchEmphasis = enum.Enum("SearchEmphasis", ["DEFAULT"])  # of mip: the type of a setting

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return name if name.isupper() else type(name, (), {})


class _AbsentModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for each of :data:`ABSENT`, and for the modules in them."""

    def find_spec(self, name, path=None, target=None):
        if name in ABSENT or name.partition(".")[0] in ABSENT:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Absent(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, _AbsentModules())

from finn.builder import build_dataflow_steps  # noqa: E402
from finn.builder.build_dataflow_config import (  # noqa: E402
    DataflowBuildConfig,
    DataflowOutputType,
    estimate_only_dataflow_steps,
)
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.core.onnx_exec import execute_onnx  # noqa: E402
from qonnx.custom_op.registry import getCustomOp  # noqa: E402

FOLDING_ATTRIBUTES = ("PE", "SIMD", "parallel_window")
HARDWARE = "finn.custom_op.fpgadataflow"
PARTITION = "StreamingDataflowPartition"
# After these steps the graph is executed by its Python definition; later ones leave HLS and RTL nodes.
EXECUTED = ("step_tidy_up", "step_streamline", "step_convert_to_hw", "step_create_dataflow_partition")


def settings(folder: Path, out: Path, fps: int | None, folding: Path | None) -> DataflowBuildConfig:
    """The folder's own build settings, for the steps that need no vendor tools."""
    config = DataflowBuildConfig.from_json(
        (folder / "dataflow_build_config.json").read_text(encoding="utf-8")
    )
    if folding is None and fps is None:
        folding = folder / config.folding_config_file
    config.folding_config_file = folding
    config.target_fps = None if folding is not None else fps
    config.output_dir = str(out)
    config.steps = list(estimate_only_dataflow_steps)
    config.generate_outputs = [DataflowOutputType.ESTIMATE_REPORTS]
    config.verify_steps = None  # run() compares labels, where FINN+ would look for files beside the caller
    return config


def labels(model: ModelWrapper, samples: np.ndarray) -> np.ndarray:
    """(samples,) labels, by executing the graph on one sample at a time."""
    entry, end = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(entry)
    found = [
        execute_onnx(model, {entry: sample.reshape(shape).astype(np.float32)})[end] for sample in samples
    ]
    return np.concatenate([np.asarray(label).reshape(-1) for label in found]).astype(np.int64)


def run(folder: Path, out: Path, fps: int | None, folding: Path | None, limit: int | None) -> dict:
    """Every step, what it left, and what FINN+ estimates in the end."""
    config = settings(folder, out, fps, folding)
    samples = np.load(folder / "input.npy")[:limit]
    expected = np.load(folder / "expected_output.npy").reshape(-1)[:limit]
    model = ModelWrapper(str(folder / "model.onnx"))
    steps, outside = [], []
    for name in estimate_only_dataflow_steps:
        began = time.perf_counter()
        model = getattr(build_dataflow_steps, name)(model, config)
        step = {"name": name, "seconds": round(time.perf_counter() - began, 3)}
        model.save(str(out / f"{name}.onnx"))
        whole = model
        if name == "step_create_dataflow_partition":
            whole = ModelWrapper(str(config.get_intermediate_models_directory() / "dataflow_parent.onnx"))
            outside = [node.op_type for node in whole.graph.node if node.op_type != PARTITION]
        if name in EXECUTED:
            step["samples"] = len(samples)
            step["wrong"] = int((labels(whole, samples) != expected).sum())
        steps.append(step | {"nodes": [node.op_type for node in model.graph.node]})
    return {
        "schema": 1,
        "versions": {package: version(package) for package in ("finn-plus", "qonnx", "onnx", "numpy")},
        "board": config.board,
        "clock_period_ns": config.synth_clk_period_ns,
        "steps": steps,
        "outside": outside,
        "ends": ends(model),
        "nodes": nodes(model, config.get_report_directory()),
    }


def ends(model: ModelWrapper) -> dict:
    """Datatypes and shapes of what enters and leaves the accelerator, under the names of FINN's driver."""
    entry, end = model.graph.input[0].name, model.graph.output[0].name
    first, last = getCustomOp(model.find_consumer(entry)), getCustomOp(model.find_producer(end))
    return {
        "idt": model.get_tensor_datatype(entry).name,
        "odt": model.get_tensor_datatype(end).name,
        "ishape_normal": model.get_tensor_shape(entry),
        "oshape_normal": model.get_tensor_shape(end),
        "ishape_folded": list(first.get_folded_input_shape()),
        "oshape_folded": list(last.get_folded_output_shape()),
    }


def nodes(model: ModelWrapper, reports: Path) -> list[dict]:
    """Each node of the accelerator in order: FINN+'s name, its folding, and the figures of its reports."""
    cycles = json.loads((reports / "estimate_layer_cycles.json").read_text(encoding="utf-8"))
    resources = json.loads((reports / "estimate_layer_resources.json").read_text(encoding="utf-8"))
    found = []
    for node in model.graph.node:
        attributes = getCustomOp(node).get_nodeattr_types()
        found.append(
            {
                "name": node.name,
                "hardware": node.domain.startswith((f"{HARDWARE}.hls", f"{HARDWARE}.rtl")),
                "folding": {
                    name: int(getCustomOp(node).get_nodeattr(name))
                    for name in FOLDING_ATTRIBUTES
                    if name in attributes
                },
                "cycles": int(cycles[node.name]),
                "luts": int(resources[node.name]["LUT"]),
                "bram18": int(resources[node.name]["BRAM_18K"]),
            }
        )
    return found


def main() -> int:
    """Parse, run, write ``front_end.json``."""
    parser = argparse.ArgumentParser(description="Run FINN+'s front end on a build folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fps", type=int, help="let FINN+ fold for this many frames a second")
    parser.add_argument("--folding", type=Path, help="a folding configuration in place of the folder's own")
    parser.add_argument("--samples", type=int, help="of input.npy; default: all")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    result = run(given.folder, given.out, given.fps, given.folding, given.samples)
    (given.out / "front_end.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
