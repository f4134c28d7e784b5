"""Geometries: what a configuration leads to is what the network that it makes has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from bnnedge.errors import ConfigError
from bnnedge.importers.brevitas import pack
from bnnedge.nets.geometry import geometry_of_config
from bnnedge.nets.inputs import first_encoding
from bnnedge.nets.network import BinaryNetwork
from bnnedge.packed.geometry import Geometry, LayerGeometry, geometry_of
from bnnedge.packed.model import PackedModel
from bnnedge.runs.config import ConvConfig, NetConfig
from tests.networks import conv_models, packed_models

CONV = (ConvConfig(5, padding=1, pool=2), ConvConfig(4, kernel=2, stride=2))
CONFIGS = {
    "dense": NetConfig(hidden=(12, 7)),
    "threshold": NetConfig(hidden=(), input_threshold=3, head="batchnorm"),
    "learned": NetConfig(hidden=(6,), input_levels="learned"),
    "thermometer": NetConfig(hidden=(6,), input="thermometer", input_bits=3),
    "convolutions": NetConfig(conv=CONV, hidden=(9,)),
    "integers": NetConfig(conv=CONV[1:], hidden=(9,), input="integer"),
    "quantiles": NetConfig(conv=CONV, hidden=(), input="thermometer", input_bits=2, input_levels="quantile"),
}


def bounded(geometry: Geometry) -> Geometry:
    """The same before training: any weight may become −1 or +1."""
    layers = (
        LayerGeometry.untrained(layer.name, layer.inputs, layer.outputs, layer.convolution)
        for layer in geometry.layers
    )
    return replace(geometry, layers=tuple(layers))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_says_what_its_network_will_be(config: NetConfig) -> None:
    samples = np.random.default_rng(0).integers(0, 17, (30, 200), dtype=np.uint8)
    net = BinaryNetwork(first_encoding(config, (2, 10, 10), 16, samples), 4, config)
    made, foretold = geometry_of(pack(net, {})), geometry_of_config(config, (2, 10, 10), 16, 4)
    assert made.largest_threshold <= foretold.largest_threshold <= 16
    if config.input_levels == "uniform":
        assert made.largest_threshold == foretold.largest_threshold
    assert replace(bounded(made), largest_threshold=foretold.largest_threshold) == foretold


@given(packed_models() | conv_models())
def test_counts_of_signs_are_those_of_the_canonical_weights(model: PackedModel) -> None:
    geometry = geometry_of(model)
    assert geometry.channels * geometry.pixels == model.encoding.features
    assert geometry.classes == model.classes
    for layer, counted in zip(model.canonical().layers, geometry.layers, strict=True):
        signs = layer.weights.to_signs()
        assert counted.positives == (signs > 0).sum(axis=1).max()
        assert counted.negatives == (signs < 0).sum(axis=1).max()


def test_convolutions_that_do_not_fit_are_named() -> None:
    config = NetConfig(conv=(ConvConfig(4), ConvConfig(4, kernel=9)))
    with pytest.raises(ConfigError, match=r"net\.conv\[1\]: an image of 8 x 8 is too small"):
        geometry_of_config(config, (1, 10, 10), 255, 10)
    with pytest.raises(ConfigError, match=r"net\.conv asks for images, but samples are 64 features"):
        geometry_of_config(config, (64,), 255, 10)
    with pytest.raises(ConfigError, match="cannot pad whole numbers"):
        geometry_of_config(NetConfig(conv=CONV, input="integer"), (1, 10, 10), 255, 10)
