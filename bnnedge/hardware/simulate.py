"""A generated network is simulated and compared with the golden model: every layer's bits, scores, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from bnnedge.errors import DataError, VerificationError
from bnnedge.hardware.bench import bench_files, decode, vectors
from bnnedge.hardware.generated import Generated
from bnnedge.hardware.simulators import BenchRun, run_bench
from bnnedge.packed.file import digest
from bnnedge.packed.infer import activations, check_inputs, trace
from bnnedge.packed.model import PackedModel

__all__ = ["Simulation", "simulate"]

SCHEMA = 1


@dataclass(frozen=True)
class Simulation:
    """A design that computed what the golden model computes.

    Attributes:
        tool: the simulator.
        digest: of the model.
        samples: that were simulated.
        layers: whose bits were compared, in model order; the last one's scores.
        latency_cycles: clock cycles from the first beat of a sample to its label, with nothing before it.
        interval_cycles: clock cycles between the last two labels, of samples one after another; None for one.
        cycles: of the whole run.
    """

    tool: str
    digest: str
    samples: int
    layers: tuple[str, ...]
    latency_cycles: int
    interval_cycles: int | None
    cycles: int

    def to_dict(self) -> dict[str, object]:
        """JSON values, with the version of their schema."""
        return {"schema": SCHEMA, "kind": "bnnedge.simulation"} | asdict(self) | {"layers": list(self.layers)}

    def __str__(self) -> str:
        pace = "" if self.interval_cycles is None else f", then one every {self.interval_cycles:,}"
        return (
            f"equals the golden model {self.digest[:12]} bit for bit in {self.tool}: {len(self.layers)} "
            f"layers, scores and labels of {self.samples:,} samples; a label after {self.latency_cycles:,} "
            f"clock cycles{pace}"
        )


def simulate(
    design: Generated,
    model: PackedModel,
    inputs: NDArray[np.uint8],
    *,
    tool: str | None = None,
    stall: bool = False,
) -> Simulation:
    """Run a design on samples, and compare all of it with the golden model.

    Args:
        design: what :func:`bnnedge.hardware.generated.generate` or an export folder gave.
        model: what it should compute.
        inputs: (samples, features) whole numbers 0 … ``model.encoding.maximum``.
        tool: ``verilator``, ``iverilog`` or ``cxxrtl``; None: the first that is installed.
        stall: whether both sides of the network pause at random times.

    Raises:
        DataError: the inputs are empty or do not fit the model.
        FileError: the sources do not compile, or came to no end.
        VerificationError: names the first layer, sample and neuron that differ; or there is no simulator.
    """
    inputs = check_inputs(model.encoding, inputs)
    if not len(inputs):
        raise DataError("no inputs to simulate", "give at least one sample")
    style, features = design.style, design.features
    bench = bench_files(model, style, features, design.layers, design.cycles)
    sent = vectors(model, style, features, inputs)
    cycles = design.cycles * len(inputs)
    run = run_bench(design.files | bench | sent, tool=tool, stall=stall, cycles=cycles)
    difference = next(_differences(design, model, inputs, run), None) or next(iter(run.complaints), None)
    if difference is not None:
        raise VerificationError(f"simulated in {run.tool}: {difference}", "the hardware is not this model's")
    names = tuple(layer.name for layer in model.layers)
    interval = run.interval if run.samples > 1 else None
    return Simulation(run.tool, digest(model), run.samples, names, run.latency, interval, run.cycles)


def _differences(
    design: Generated, model: PackedModel, inputs: NDArray[np.uint8], run: BenchRun
) -> Iterator[str]:
    """A sentence for each layer that differs, in model order."""
    sums, prediction = trace(model, inputs)
    for layer, watched, a in zip(model.layers[:-1], design.layers, sums, strict=False):
        expected = activations(layer, np.moveaxis(a, 1, -1)).reshape(-1, layer.outputs)
        found = decode(watched, run.traces[f"{watched.module}.trace"], layer.outputs, signed=False)
        yield from _difference(
            f"layer {layer.name}", found, expected.astype(np.int32), layer.output_shape[1:]
        )
    last, watched = model.layers[-1], design.layers[-1]
    whole = len(model.layers) == 1 and model.encoding.kind == "integer"
    counts = design.style == "folded" and not whole  # of inputs that equal their weights
    scores = decode(watched, run.traces[f"{watched.module}.trace"], last.outputs, signed=not counts)
    scores = 2 * scores - np.int32(last.inputs) if counts else scores
    yield from _difference(f"layer {last.name}", scores, prediction.scores, ())


def _difference(
    where: str, found: NDArray[np.int32], expected: NDArray[np.int32], image: tuple[int, ...]
) -> Iterator[str]:
    """The first entry that differs of (samples · pixels, neurons); nothing where all are equal."""
    if found.shape != expected.shape:
        yield f"{where}: {len(found):,} places of outputs leave it, expected {len(expected):,}"
        return
    wrong = np.argwhere(found != expected)
    if not len(wrong):
        return
    place, neuron = (int(index) for index in wrong[0])
    sample, pixel = divmod(place, prod(image))
    at = (
        f"channel {neuron}, row {pixel // image[1]}, column {pixel % image[1]}"
        if image
        else f"neuron {neuron}"
    )
    yield (
        f"{where}, {at}, sample {sample}: {int(found[place, neuron])}, "
        f"but the golden model has {int(expected[place, neuron])}"
    )
