"""The geometry of a network that is not there yet: from its configuration, without PyTorch."""

from __future__ import annotations

from math import prod

from bnnedge.errors import ConfigError, DataError
from bnnedge.packed.geometry import Geometry, LayerGeometry
from bnnedge.packed.layer import Convolution
from bnnedge.runs.config import NetConfig

__all__ = ["check_banks", "check_threshold", "convolutions_of", "geometry_of_config", "layer_names"]


def layer_names(convolutions: int, layers: int) -> tuple[str, ...]:
    """Names of the linear layers, convolutions first.

    >>> layer_names(convolutions=2, layers=3)
    ('conv1', 'conv2', 'fc3')
    """
    return tuple(f"{'conv' if place < convolutions else 'fc'}{place + 1}" for place in range(layers))


def geometry_of_config(config: NetConfig, shape: tuple[int, ...], maximum: int, classes: int) -> Geometry:
    """What a training with this configuration leads to.

    Args:
        config: what is asked for.
        shape: (channels, height, width) of a sample, or (features,).
        maximum: largest value of a feature; a threshold that training finds may be as large.
        classes: number of classes.

    Raises:
        ConfigError: convolutions or banks that do not fit the samples, or a threshold that no input reaches.
    """
    check_threshold(config, maximum)
    bits = 0 if config.input == "integer" else config.input_bits
    encoded = (max(bits, 1) * shape[0], *shape[1:])
    convolutions = convolutions_of(config, encoded)
    names = layer_names(len(convolutions), len(convolutions) + len(config.hidden) + 1)
    layers = [
        LayerGeometry.untrained(name, convolution.fan_in, asked.channels, convolution)
        for name, convolution, asked in zip(names, convolutions, config.conv, strict=False)
    ]
    inputs = prod(encoded)
    check_banks(config, inputs, classes)
    if convolutions:
        inputs = config.conv[-1].channels * prod(convolutions[-1].pooled)
    for name, outputs in zip(names[len(layers) :], (*config.hidden, classes), strict=True):
        layers.append(LayerGeometry.untrained(name, inputs, outputs))
        inputs = outputs
    thresholds = bits if config.input_levels == "uniform" else bits * shape[0]
    return Geometry(
        shape=shape,
        maximum=maximum,
        bits=bits,
        largest_threshold=_largest_threshold(config, maximum) if bits else 0,
        by_channel=thresholds > 1,
        layers=tuple(layers),
        head_keeps_order=config.head == "scale",
    )


def check_banks(config: NetConfig, inputs: int, classes: int) -> None:
    """See that banks fit their layers, all dense.

    Raises:
        ConfigError: a width that does not divide a layer's inputs, or more patterns than it has neurons.
    """
    widths = (inputs, *config.hidden, classes)
    for place, bank in enumerate(config.banks or ()):
        into, outputs = widths[place : place + 2]
        if into % bank.width or bank.patterns > outputs:
            raise ConfigError(
                f"net.banks[{place}]: {bank.patterns} patterns of {bank.width} inputs do not fit a layer of "
                f"{into} inputs and {outputs} neurons",
                "the width divides the inputs, and there are at most as many patterns as neurons",
            )


def check_threshold(config: NetConfig, maximum: int) -> None:
    """See that inputs up to ``maximum`` reach the threshold that is given for them, if one is.

    Raises:
        ConfigError: they do not.
    """
    if config.input_threshold is not None and config.input_threshold > maximum:
        raise ConfigError(
            f"net.input_threshold = {config.input_threshold} is above every input",
            f"inputs run from 0 to {maximum}",
        )


def _largest_threshold(config: NetConfig, maximum: int) -> int:
    if config.input_threshold is not None:
        return config.input_threshold
    if config.input_levels == "uniform":
        return -(-maximum * config.input_bits // (config.input_bits + 1))
    return maximum


def convolutions_of(config: NetConfig, shape: tuple[int, ...]) -> tuple[Convolution, ...]:
    """How each convolution that the configuration asks for slides over images of an encoded shape.

    Raises:
        ConfigError: no images, images too small, or whole numbers to be padded with −1.
    """
    if not config.conv:
        return ()
    if len(shape) != 3:
        raise ConfigError(
            f"net.conv asks for images, but samples are {shape[0]} features", "leave net.conv out"
        )
    if config.input == "integer" and config.conv[0].padding:
        raise ConfigError(
            "net.conv[0].padding cannot pad whole numbers with −1",
            "no padding in the first layer, or net.input = bipolar or thermometer",
        )
    found: list[Convolution] = []
    channels, height, width = shape
    for position, asked in enumerate(config.conv):
        try:
            convolution = Convolution(
                (channels, height, width), asked.kernel, asked.stride, asked.padding, asked.pool
            )
        except DataError as error:
            raise ConfigError(f"net.conv[{position}]: {error.message}", error.hint) from error
        found.append(convolution)
        channels, (height, width) = asked.channels, convolution.pooled
    return tuple(found)
