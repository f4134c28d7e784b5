"""What all graphs share: tensor names, opset and provenance, and a builder that writes node by node.

Every stage of a network has the same name in every graph, which is how verification finds it:
``image``, ``<layer>.preactivation``, ``<layer>.activation``, ``logits``, ``label``; parameters are
``image_threshold``, ``<layer>.weight``, ``<layer>.threshold``, ``head_scale``, ``head_offset``. A layer's
name has no ``/``, so intermediate tensors of one stage, ``<stage>/<step>``, never meet another name. Images
are (batch, channels, height, width).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import bnnedge
from bnnedge.packed.file import digest
from bnnedge.packed.layer import PackedLayer
from bnnedge.packed.model import PackedModel

__all__ = [
    "AS_USUAL",
    "IMAGE",
    "LABEL",
    "LOGITS",
    "QONNX_DOMAIN",
    "Form",
    "Graph",
    "activation",
    "annotate",
    "image_shape",
    "preactivation",
    "threshold",
    "weight",
]

OPSET = 13
IR_VERSION = 8
QONNX_DOMAIN = "qonnx.custom_op.general"
QONNX_OPSET = 2

IMAGE = "image"
LOGITS = "logits"
LABEL = "label"


@dataclass(frozen=True)
class Form:
    """What may be chosen about a graph; a file says how it was chosen.

    Attributes:
        label: whether the class is an output. None: as the target is mostly used, which is with it, but for
            QONNX, where exports end in logits.
        xnor: for FINN-ONNX: bits are 0 and 1 all through, and XnorPopcountMatMul counts where they agree, as
            FINN has it after streamlining. Otherwise bits are −1 and +1 where FINN can take them so.
    """

    label: bool | None = None
    xnor: bool = False


AS_USUAL = Form()


def preactivation(layer: PackedLayer) -> str:
    """Name of the tensor that holds a layer's whole-number sums."""
    return f"{layer.name}.preactivation"


def activation(layer: PackedLayer) -> str:
    """Name of the tensor that holds a layer's outputs, −1 and +1."""
    return f"{layer.name}.activation"


def weight(layer: PackedLayer) -> str:
    """Name of a layer's weights."""
    return f"{layer.name}.weight"


def threshold(layer: PackedLayer) -> str:
    """Name of a layer's thresholds."""
    return f"{layer.name}.threshold"


def image_shape(model: PackedModel) -> tuple[int, ...]:
    """Shape of the sample that graphs of a model take, in any target.

    (channels, height, width) where a convolution or thresholds of channels look at it as an image, else
    (features,).
    """
    encoding = model.encoding
    alike = encoding.thresholds is None or encoding.thresholds.size == 1
    if alike and model.layers[0].convolution is None:
        return (encoding.features,)
    return encoding.shape


class Graph:
    """A graph in the making, with the type and shape of every tensor written down."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._tensors: dict[str, onnx.ValueInfoProto] = {}

    def tensor(self, name: str, *shape: int | str, element: int = TensorProto.FLOAT) -> str:
        """Write down the shape and type of a tensor."""
        self._tensors[name] = helper.make_tensor_value_info(name, element, shape)
        return name

    def shape(self, name: str) -> tuple[int | str, ...]:
        """The shape of a tensor that is written down."""
        dims = self._tensors[name].type.tensor_type.shape.dim
        return tuple(dim.dim_param or dim.dim_value for dim in dims)

    def constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        """Add a parameter; one that is there already stays."""
        self._constants.setdefault(name, numpy_helper.from_array(values, name))
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        *shape: int | str,
        element: int = TensorProto.FLOAT,
        domain: str = "",
        **attributes: Any,  # int, float, str or a list of int, as the operator has them
    ) -> str:
        """Add a node that makes one tensor; its name tells both. Gives back the tensor's name."""
        self.tensor(output, *shape, element=element)
        name = f"{operator}:{output}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name, domain=domain, **attributes))
        return output

    def append(self, node: onnx.NodeProto) -> None:
        """Add a node of several outputs, whose tensors are written down already."""
        self._nodes.append(node)

    def finish(self, model: PackedModel, target: str, form: Form, outputs: Sequence[str]) -> onnx.ModelProto:
        """The whole file, from ``image`` to ``outputs``, with what it was made from."""
        ends = {IMAGE, *outputs}
        graph = helper.make_graph(
            self._nodes,
            f"bnnedge-{target}",
            [self._tensors[IMAGE]],
            [self._tensors[name] for name in outputs],
            list(self._constants.values()),
            value_info=[info for name, info in self._tensors.items() if name not in ends],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == QONNX_DOMAIN for node in self._nodes):
            opsets.append(helper.make_opsetid(QONNX_DOMAIN, QONNX_OPSET))
        proto = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="bnnedge",
            producer_version=bnnedge.__version__,
        )
        helper.set_model_props(
            proto,
            {
                "bnnedge.target": target,
                "bnnedge.form": json.dumps(asdict(form), sort_keys=True),
                "bnnedge.input": model.encoding.describe(),
                "bnnedge.digest": digest(model),
                "bnnedge.version": bnnedge.__version__,
                "bnnedge.provenance": json.dumps(model.provenance, sort_keys=True, allow_nan=False),
            },
        )
        return proto


def annotate(proto: onnx.ModelProto, datatypes: dict[str, str]) -> onnx.ModelProto:
    """The same file with QONNX datatypes on some tensors."""
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    wrapper = ModelWrapper(proto)
    for name, datatype in datatypes.items():
        wrapper.set_tensor_datatype(name, DataType[datatype])
    annotated: onnx.ModelProto = wrapper.model
    return annotated
