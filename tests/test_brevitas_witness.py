"""A second witness: Brevitas' own QONNX export of our networks computes what the golden model and ours do.

Brevitas traces its modules, and qonnx runs what comes out; neither knows of packed bits or folded thresholds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.cleanup import cleanup_model
from torch import Tensor, nn

from bnnedge.data.dataset import Dataset
from bnnedge.exporters.execution import read_graph, run_batch
from bnnedge.exporters.graph import LOGITS, preactivation
from bnnedge.exporters.qonnx import to_qonnx
from bnnedge.importers.brevitas import pack
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.infer import trace
from bnnedge.runs.config import ConvConfig, NetConfig
from tests.brevitas_export import BrevitasExport
from tests.trained import trained

CONV = (ConvConfig(12, padding=1), ConvConfig(20, pool=2), ConvConfig(9, kernel=2, stride=2, padding=1))
NETS = {
    "tfc": NetConfig(hidden=(64, 64, 64)),
    "head": NetConfig(hidden=(24,), head="batchnorm", input="integer"),
    "thermometer": NetConfig(hidden=(24, 16), input="thermometer", input_bits=3, input_levels="learned"),
    "convolutions": NetConfig(conv=CONV, hidden=(24,)),
    "convolutions of numbers": NetConfig(conv=CONV[1:], hidden=(), input="integer"),
    "convolutions of levels": NetConfig(conv=CONV, hidden=(), input="thermometer", input_bits=2),
}


class Modules(nn.Module):
    """A network's Brevitas modules, which :meth:`BinaryNetwork.forward` goes around, as what is traced."""

    def __init__(self, net: BinaryNetwork) -> None:
        super().__init__()
        self.net = net

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net.preactivations(samples))


@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
def test_brevitas_own_export_is_the_same_network(
    config: NetConfig, digits: Dataset, brevitas_export: BrevitasExport, tmp_path: Path
) -> None:
    images = digits.test.inputs
    net = trained(config, digits).eval()
    model = pack(net, {})
    sums, prediction = trace(model, images)

    wrapper = cleanup_model(ModelWrapper(str(brevitas_export(Modules(net), 64, batch=len(images)))))
    assert wrapper.get_nodes_by_op_type("BipolarQuant")
    (name,) = (entry.name for entry in wrapper.graph.input)
    *stages, logits = execute_onnx(wrapper, {name: images.astype(np.float32)}).values()
    for golden, theirs in zip(sums, stages, strict=True):
        assert np.array_equal(golden, theirs)
    np.testing.assert_allclose(logits, prediction.logits, rtol=1e-5, atol=1e-5)
    assert np.array_equal(logits.argmax(axis=1), prediction.labels)

    path = tmp_path / "ours.onnx"
    path.write_bytes(to_qonnx(model).SerializeToString())
    graph = read_graph(path)
    upright = model.canonical()
    names = [preactivation(layer) for layer in upright.layers]
    ours = run_batch(graph, images.reshape(-1, *graph.shape), [*names, LOGITS])
    for layer, after, theirs in zip(model.layers, names, stages, strict=True):
        turned = 1 if layer.thresholds is None else layer.thresholds.directions
        signs = np.reshape(turned, (-1, *(1,) * (theirs.ndim - 2)))
        assert np.array_equal(ours[after], theirs * signs)
    assert np.array_equal(ours[LOGITS].argmax(axis=1), logits.argmax(axis=1))
