"""Hardware of a network in either style, as what simulates, synthesises and exports it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from bnnedge.errors import ConfigError
from bnnedge.hardware import folded, unrolled
from bnnedge.hardware.bench import Style, Watched
from bnnedge.hardware.folded import Fold
from bnnedge.hardware.folded.memories import Coding
from bnnedge.hardware.wrapper import folded_wrapper, unrolled_wrapper
from bnnedge.packed.model import PackedModel

__all__ = ["STYLES", "Generated", "generate"]

STYLES: tuple[Style, ...] = ("folded", "unrolled")


@dataclass(frozen=True)
class Generated:
    """A network as SystemVerilog.

    Attributes:
        style: ``folded`` or ``unrolled``.
        files: sources and memory files by name; the top module is ``network``, in an AXI4-Stream wrapper
            ``network_axis``.
        features: of a sample that enter at a time.
        layers: what leaves them.
        cycles: that a sample takes, at most, with nothing before it: a bound, simulation counts.
        folds: of the layers; empty where unrolled.
        max_depth: unrolled: adders that were allowed one after another in a layer; None: as was cheapest.
        plain: unrolled: whether it is the baseline, a compressor tree for each neuron by itself.
    """

    style: Style
    files: dict[str, str]
    features: int
    layers: tuple[Watched, ...]
    cycles: int
    folds: Mapping[str, Fold]
    max_depth: int | None = None
    plain: bool = False

    @property
    def modules(self) -> dict[str, str]:
        """The layers' modules by their names in the model."""
        return {layer.layer: layer.module for layer in self.layers}


def generate(
    model: PackedModel,
    style: Style,
    *,
    cycles: int | None = None,
    folds: Mapping[str, Fold] | None = None,
    coding: Coding = "smallest",
    max_depth: int | None = None,
    plain: bool = False,
    command: str = "bnnedge.hardware.generated.generate",
) -> Generated:
    """Hardware of a network; the same text for the same arguments.

    Args:
        model: the network.
        style: ``folded`` or ``unrolled``.
        cycles: folded: that a sample may take once the pipeline is full; None: see ``default_folds``.
        folds: folded: of each layer by name, in place of ``cycles``.
        coding: folded: of weights.
        max_depth: unrolled: adders that may follow one another in a layer; None: as is cheapest.
        plain: unrolled: make the baseline instead, a compressor tree for each neuron by itself.
        command: that headers name as what wrote them.

    Raises:
        ConfigError: settings that cannot be.
        UnsupportedError: a network that the style cannot express.
    """
    if style == "unrolled":
        if cycles is not None or folds is not None:
            raise ConfigError("unrolled hardware takes a sample every clock cycle", "leave out its speed")
        return _unrolled(model, max_depth, plain=plain, command=command)
    if max_depth is not None or plain:
        asked = "baseline" if plain else "depth to bound"
        raise ConfigError(f"folded hardware has no {asked}", "unrolled has: --style unrolled")
    if folds is None:
        folds = folded.default_folds(model) if cycles is None else folded.fold_for(model, cycles)
    design = folded.generate(model, folds, coding=coding, command=command)
    watched = tuple(
        Watched(layer.layer, layer.module, layer.fold.pe, layer.number_bits) for layer in design.layers
    )
    beats = ceil(model.encoding.features / design.features)
    most = beats + sum(layer.cycles for layer in design.layers)
    files = design.files | folded_wrapper(model, design.features, command)
    return Generated(style, files, design.features, watched, most, folds)


def _unrolled(model: PackedModel, max_depth: int | None, *, plain: bool, command: str) -> Generated:
    design = unrolled.generate(model, max_depth=max_depth, plain=plain, command=command)
    *hidden, last = zip(model.layers, design.layers, strict=True)
    watched = [Watched(layer.name, plan.module, layer.outputs, 0) for layer, plan in hidden]
    watched.append(Watched(last[0].name, last[1].module, model.classes, design.ports.score))
    ports = design.ports
    files = design.files | unrolled_wrapper(model, design.latency, ports.score, ports.label, command)
    features = model.encoding.features
    return Generated(
        "unrolled", files, features, tuple(watched), design.latency, {}, max_depth=max_depth, plain=plain
    )
