"""From a packed model to the sources of an unrolled network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bnnedge.errors import ConfigError, UnsupportedError
from bnnedge.hardware.unrolled.labels import label_module
from bnnedge.hardware.unrolled.layers import Built, best_layer
from bnnedge.hardware.unrolled.matrices import LayerMatrix, Sources, matrix_of
from bnnedge.hardware.unrolled.modules import layer_module
from bnnedge.hardware.unrolled.network import Ports, network_module
from bnnedge.hardware.unrolled.plain import plain_layer
from bnnedge.packed.file import digest
from bnnedge.packed.model import PackedModel
from bnnedge.share import share

__all__ = ["Design", "LayerPlan", "generate", "parts"]

_PARTS = ("count_bits.sv", "add_numbers.sv", "accumulate_bits.sv")


@dataclass(frozen=True)
class LayerPlan:
    """What a layer was made of.

    Attributes:
        name: of the layer.
        module: of its SystemVerilog.
        method: what its sums were made by, in words.
        adders: carry chains.
        luts: estimate, of the sums alone, as Yosys counts LUTs of the xc7 family.
        passes: positions of carry chains that only hand a carry on, which Yosys counts as nothing.
        depth: adders and compressors, one after another.
    """

    name: str
    module: str
    method: str
    adders: int
    luts: int
    passes: int
    depth: int


@dataclass(frozen=True)
class Design:
    """An unrolled network.

    Attributes:
        files: SystemVerilog by file name; the top module is ``network``.
        latency: clock cycles from a sample to its label: inputs, each layer, label.
        interval: clock cycles from one sample to the next.
        layers: in model order.
        ports: bits of what goes in and out.
    """

    files: dict[str, str]
    latency: int
    interval: int
    layers: tuple[LayerPlan, ...]
    ports: Ports


def generate(
    model: PackedModel,
    *,
    max_depth: int | None = None,
    plain: bool = False,
    command: str = "bnnedge.hardware.unrolled.generate",
) -> Design:
    """SystemVerilog of a network whose weights are wiring, the same for the same model.

    Args:
        model: of dense layers.
        max_depth: adders and compressors that may follow one another in a layer; None: as is cheapest.
        plain: make the baseline instead, a compressor tree for each neuron by itself.
        command: that headers name as what wrote them.

    Raises:
        ConfigError: a depth below 1, or one for the baseline, which has no other.
        UnsupportedError: a convolution; a depth that cannot be kept; a head that takes too large a table.
    """
    if max_depth is not None and (plain or max_depth < 1):
        raise ConfigError(
            f"a depth of {max_depth} cannot be asked for{' of the baseline' if plain else ''}",
            "expected at least 1, without plain",
        )
    header = _header(model, command)
    model = model.canonical()
    files, plans = {}, []
    sources = Sources.straight(model.layers[0].inputs)
    maximum = model.encoding.maximum if model.encoding.kind == "integer" else None
    for position, (layer, lattice) in enumerate(zip(model.layers, model.lattices, strict=True), start=1):
        if layer.convolution is not None:
            raise UnsupportedError(
                f"layer {layer.name} is a convolution, which would be wired anew at every place of the image",
                "export it folded: --style folded",
            )
        module = f"layer{position}_{re.sub('[^a-zA-Z0-9]', '_', layer.name)}"
        matrix = matrix_of(layer, sources, maximum)
        built = plain_layer(module, matrix) if plain else best_layer(layer.name, matrix, max_depth)
        plans.append(_plan(layer.name, module, built))
        files[f"{module}.sv"] = (
            header + _what(plans[-1], matrix) + layer_module(module, built, matrix, lattice)
        )
        sources = Sources.straight(layer.outputs) if plain else matrix.sources()
        maximum = None
    top = network_module(model, [plan.module for plan in plans])
    common = {name: header + text for name, text in parts().items()}
    files = common | files | {"labels.sv": header + label_module(model), "network.sv": header + top}
    return Design(files, len(plans) + 2, 1, tuple(plans), Ports.of(model))


def parts() -> dict[str, str]:
    """Modules that sums are made of, by file name."""
    return {name: (share("hw") / "rtl" / "unrolled" / name).read_text("utf-8") for name in _PARTS}


def _plan(name: str, module: str, built: Built) -> LayerPlan:
    circuit = built.circuit
    return LayerPlan(name, module, built.method, circuit.adders, circuit.luts, circuit.passes, built.depth)


def _what(plan: LayerPlan, matrix: LayerMatrix) -> str:
    outputs, inputs = matrix.weights.shape
    return (
        f"// Layer {plan.name}, {outputs} neurons of {inputs} inputs: {plan.method}; {plan.adders:,} adders, "
        f"{plan.depth} one after\n// another, about {plan.luts:,} LUTs. x[i] is input i; y[j] is neuron j.\n"
    )


def _header(model: PackedModel, command: str) -> str:
    """What the files are, of which checkpoint, and by which command."""
    name = model.plain_name or "without a name"
    return (
        f"// Network {name}, sha256 {digest(model)[:16]}, unrolled: every weight is a wire.\n"
        f"// Made by: {command}\n//\n"
    )
