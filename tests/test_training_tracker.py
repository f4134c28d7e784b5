"""The step tracker: what it says of a step is what a full count of that step's network says."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch

from bnnedge.complexity.bdm import bdm_of
from bnnedge.complexity.entropy import block_entropy_of
from bnnedge.complexity.histogram import block_histogram
from bnnedge.importers.brevitas import pack
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import ConvConfig, NetConfig
from bnnedge.training import tracker as module
from bnnedge.training.tracker import StepTracker

# Rows of 27, 40, 13 and 64 bits: some begin where bytes do, some do not.
NETS = {
    "convolution": NetConfig(conv=(ConvConfig(12, pool=2),), hidden=(13,), input="integer"),
    "dense": NetConfig(hidden=(40, 64)),
}


@pytest.mark.parametrize("config", NETS.values(), ids=NETS)
@pytest.mark.parametrize("kept", [1, 10_000, 1 << 25])
def test_each_measured_step_is_counted(config: NetConfig, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_SIGNS", kept)
    torch.manual_seed(0)
    samples = np.zeros((2, 3 * 8 * 8), dtype=np.uint8)
    net = BinaryNetwork(first_encoding(config, (3, 8, 8), 255, samples), 10, config)
    models = {0: pack(net, {})}
    tracker = StepTracker(net, every=2, steps_per_epoch=5)
    for step in range(1, 11):
        with torch.no_grad():
            for weight in net.latent_weights():
                weight.add_(torch.randn_like(weight), alpha=0.1)
        tracker.after_step(step, torch.tensor(float(step)))
        models[step] = pack(net, {})
        if step == 5:
            first = tracker.epoch()
    second = tracker.epoch()
    assert first.names == (*(layer.name for layer in models[0].layers), "all")
    assert [*first.step, *second.step] == [2, 4, 5, 7, 9, 10]  # and the last of each epoch
    assert second.loss.tolist() == [7, 9, 10]
    before = 0
    for steps in (first, second):
        for place, step in enumerate(steps.step.tolist()):
            expected = measures(models[before], models[step])
            np.testing.assert_allclose(steps.bdm[:, place], expected[0], rtol=1e-9)
            np.testing.assert_allclose(steps.block_entropy[:, place], expected[1], rtol=1e-9)
            assert steps.flips[:, place].tolist() == expected[2]
            before = step


def measures(before: PackedModel, after: PackedModel) -> tuple[list[float], list[float], list[int]]:
    """BDM, block entropy and flips by layer and pooled."""
    histograms = [block_histogram(layer.weights) for layer in after.layers]
    histograms.append(reduce(add, histograms))
    flips = [(a.weights ^ b.weights).ones for a, b in zip(before.layers, after.layers, strict=True)]
    return (
        [bdm_of(histogram) for histogram in histograms],
        [block_entropy_of(histogram) for histogram in histograms],
        [*flips, sum(flips)],
    )
