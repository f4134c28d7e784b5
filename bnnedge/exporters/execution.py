"""Reading graph files and running them: standard ONNX in onnxruntime, QONNX and FINN-ONNX in qonnx."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from bnnedge.bounded import parse_json
from bnnedge.errors import FileError, VerificationError
from bnnedge.exporters.graph import IMAGE, Form
from bnnedge.exporters.lowering import lower
from bnnedge.onnx_data import has_external_data, parse_model

__all__ = ["GraphFile", "Stages", "read_graph", "run_as_shipped", "run_batch"]

GRAPH_KINDS = ("onnx", "qonnx", "finn")
CUSTOM_OPERATORS = ("BipolarQuant", "Im2Col", "MultiThreshold", "XnorPopcountMatMul")
QUIET = 4  # onnxruntime's log level "fatal": what goes wrong is raised, and need not be printed as well

Stages = dict[str, NDArray[np.generic]]

# What onnxruntime raises has no class of its own in common; what qonnx raises is Python's.
_RUN_ERRORS: tuple[type[Exception], ...] = (
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    *(
        value
        for value in vars(onnxruntime_errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ),
)


@dataclass(frozen=True, eq=False)
class GraphFile:
    """A graph that bnnedge exported, as it lies in a file.

    Attributes:
        path: the file.
        kind: ``onnx``, ``qonnx`` or ``finn``.
        form: how it says that it was chosen.
        digest: of the model that it says it was made from.
        proto: its content.
        shape: of a sample, as its input states it.
        parameters: its constants by name.
        tensors: the names of its input and of all that its nodes make.
    """

    path: Path
    kind: str
    form: Form
    digest: str
    proto: onnx.ModelProto
    shape: tuple[int, ...]
    parameters: Stages
    tensors: frozenset[str]


def read_graph(path: Path) -> GraphFile:
    """Read a graph.

    Raises:
        FileError: missing, truncated, corrupt, or not a graph of ours.
    """
    try:
        proto = parse_model(path.read_bytes())
        onnx.checker.check_model(proto)
    except FileNotFoundError as error:
        raise FileError(f"no file {path}", "name a graph or a folder that bnnedge export wrote") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, UnicodeDecodeError, onnx.checker.ValidationError) as error:
        raise FileError(
            f"{path} is no whole ONNX file: {_first_line(error)}",
            "the file is truncated, corrupt or of another format; export it again",
        ) from error
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    kind, form = properties.get("bnnedge.target", ""), _form(properties.get("bnnedge.form", ""))
    foreign = {node.op_type for node in proto.graph.node if node.domain} - set(CUSTOM_OPERATORS)
    elsewhere = has_external_data(proto.graph)
    foreign |= {
        node.op_type for node in proto.graph.node for each in node.attribute if each.g.node or each.graphs
    }
    inputs = [entry.name for entry in proto.graph.input]
    if kind not in GRAPH_KINDS or form is None or foreign or elsewhere or inputs != [IMAGE]:
        raise FileError(
            f"{path} is an ONNX graph, but not one that bnnedge exported",
            "graphs that other tools made or changed can be imported, not verified",
        )
    try:
        parameters = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    except (LookupError, OverflowError, TypeError, ValueError) as error:
        raise FileError(
            f"{path} holds a damaged constant: {_first_line(error)}", "export it again"
        ) from error
    tensors = {IMAGE}.union(*(node.output for node in proto.graph.node))
    shape = tuple(dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim[1:])
    made_from = properties.get("bnnedge.digest", "")
    return GraphFile(path, kind, form, made_from, proto, shape, parameters, frozenset(tensors))


def run_as_shipped(graph: GraphFile, inputs: NDArray[np.uint8]) -> Stages:
    """Run the file as it is, and give back what it gives its user (for static graphs: every tensor).

    Args:
        graph: the file.
        inputs: samples of the graph's shape; one for QONNX and FINN-ONNX, whose batch is 1.

    Raises:
        FileError: the graph does not run.
        VerificationError: a value is outside the datatype that the graph states for it.
    """
    with _running(graph):
        if graph.kind == "onnx":
            return _onnxruntime(graph.proto, inputs)
        return _qonnx(graph.proto, inputs)


def run_batch(graph: GraphFile, inputs: NDArray[np.uint8], names: Sequence[str]) -> Stages:
    """Run many samples of the graph's shape on a copy of the graph that shows the named tensors.

    Datatype annotations are left out of the copy: qonnx rounds values to them, which would hide mistakes.
    Operators that take one sample at a time are lowered to standard ones.

    Raises:
        FileError: the graph does not run.
    """
    probed = onnx.ModelProto()
    probed.CopyFrom(graph.proto)
    with _running(graph):
        if graph.kind == "onnx":
            shown = {output.name for output in probed.graph.output}
            probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
            stages = _onnxruntime(probed, inputs)
        else:
            del probed.graph.quantization_annotation[:]
            lower(probed.graph)
            _set_batch(probed.graph, len(inputs))
            stages = _qonnx(probed, inputs)
    return {name: stages[name] for name in names}


def _form(stated: str) -> Form | None:
    """The form that a file states; None where it states none."""
    try:
        values = parse_json(stated)
    except ValueError:
        return None
    names = {entry.name for entry in fields(Form)}
    if not isinstance(values, dict) or values.keys() != names or {*map(type, values.values())} != {bool}:
        return None
    return Form(**values)


def _onnxruntime(proto: onnx.ModelProto, inputs: NDArray[np.uint8]) -> Stages:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {IMAGE: inputs}), strict=True))


def _qonnx(proto: onnx.ModelProto, inputs: NDArray[np.uint8]) -> Stages:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    onnxruntime.set_default_logger_severity(QUIET)  # qonnx opens sessions of its own, one a node
    wrapper = ModelWrapper(proto, make_deepcopy=True)
    stages: Stages = execute_onnx(wrapper, {IMAGE: inputs.astype(np.float32)}, return_full_exec_context=True)
    return stages


def _set_batch(graph: onnx.GraphProto, samples: int) -> None:
    """Change the batch axis of every tensor that depends on the image."""
    carried = {IMAGE}
    for node in graph.node:
        if carried.intersection(node.input):
            carried.update(node.output)
    for tensor in (*graph.input, *graph.output, *graph.value_info):
        if tensor.name in carried:
            tensor.type.tensor_type.shape.dim[0].dim_value = samples


@contextmanager
def _running(graph: GraphFile) -> Iterator[None]:
    """Say in our words what stops a run; a warning of qonnx means that a value leaves its datatype."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            yield
    except UserWarning as error:
        raise VerificationError(
            f"{graph.path}: {_first_line(error)}", "the graph states datatypes that its values do not have"
        ) from error
    except _RUN_ERRORS as error:
        raise FileError(
            f"{graph.path} does not run: {type(error).__name__}: {_first_line(error)}",
            "the graph is damaged; export it again",
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
